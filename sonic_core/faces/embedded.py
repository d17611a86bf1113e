"""The finder that needs no files: a learned detector says where, a mesh of 468 points how."""

from __future__ import annotations

from dataclasses import replace

import torch

from ..media.pixels import as_bytes
from ..types import Box, Face, Landmarks, Point, largest_first
from .geometry import LEFT_EYE_RINGS, MOUTH_CORNERS, NOSE_TIP, face_box, mirror_points
from .landmarks import find_landmarks, read_landmarks

LEAST_SCORE = 0.25
"""Score below which nothing is taken for a face; a dog has 0.5, a masked face 0.3."""


class EmbeddedFinder:
    """Finds faces with nothing downloaded.

    Photographs, paintings, statues and drawn figures, from 24 pixels to the whole picture, seen from the front to half
    in profile, tilted, lying on a side and upside down.
    """

    name = "embedded"
    _everybody = False

    def __init__(self, *, everybody: bool = False) -> None:
        """Take what is looked for.

        Args:
            everybody: Of a group also those who stand much further away than the others, which takes longer.
        """
        self._everybody = everybody

    def find(self, image: torch.Tensor) -> list[Face]:
        """List the faces of ``image`` (3, h, w), the largest first; an empty list when there is none."""
        found = find_landmarks(as_bytes(image), everybody=self._everybody)
        return largest_first([as_face(landmarks) for landmarks in found if landmarks.score >= LEAST_SCORE])


def as_face(landmarks: Landmarks, box: Box | None = None) -> Face:
    """Take box and five points from landmarks; ``box`` overrules theirs."""
    return Face(box or face_box(landmarks.points), five_points(landmarks), landmarks.score, landmarks)


def five_points(landmarks: Landmarks) -> tuple[Point, Point, Point, Point, Point]:
    """Return the middles of the eyes' lids, the nose tip and the corners of the mouth."""
    points = landmarks.points[:, :2]
    rims = list(LEFT_EYE_RINGS[0]), mirror_points()[list(LEFT_EYE_RINGS[0])]
    eye, other_eye = (points[rim].mean(0) for rim in rims)
    places = (eye, other_eye, points[NOSE_TIP], *points[list(MOUTH_CORNERS)])
    first, second, third, fourth, fifth = ((float(x), float(y)) for x, y in places)
    return first, second, third, fourth, fifth


def with_landmarks(image: torch.Tensor, face: Face) -> Face:
    """Read a face that another finder found; where the mesh sees none there, the face stays as it is."""
    landmarks = read_landmarks(image, face.box)
    return replace(face, landmarks=landmarks) if landmarks.score >= LEAST_SCORE else face


def face_inside(image: torch.Tensor, box: Box) -> Face:
    """Read the face that is said to fill ``box``; a face is returned in any case, its score says how sure it is."""
    return as_face(read_landmarks(image, box), box)
