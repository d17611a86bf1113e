"""Follow one face through a video.

The face is found once; from then on an upright patch around it is registered to the patch of a reference frame, so that
errors do not add up from frame to frame. When the head has turned too far from the reference, the last frame takes its
place; when the picture is another altogether, the face is looked for anew.

Source: Lucas and Kanade, An Iterative Image Registration Technique, IJCAI 1981 (OpenCV's pyramids); Fischler and
Bolles, Random Sample Consensus, CACM 1981.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..media.pixels import as_bytes
from ..types import Box, Face, FaceFinder, largest_first
from .finder import face_finder
from .geometry import REACH, Frame, four_points, move_landmarks, points_frame
from .regions import as_points

PIXELS = 40.0
"""Pixels per unit of the face in the patch that is registered."""
SIDE = round(2 * REACH * PIXELS)
"""Side of that patch."""
MARGIN = 0.3 * SIDE
"""What is looked at around the patch, in its pixels, for a face that moves."""
LEAST_KEPT = 0.4
"""Share of the points that must agree on one motion; below it the reference is too different."""
FARTHEST = 0.6
"""Units by which a face can move from one frame to the next; more is another picture."""
ROUNDS = 2
"""Registrations of a frame, each beginning where the one before ended."""
PATIENCE = (5, 80)
"""Frames between two searches while there is no face: at first, and at most."""

Gray = NDArray[np.uint8]
Matrix = NDArray[Any]


@dataclass(frozen=True, eq=False)
class _Reference:
    """The frame to which others are registered."""

    patch: Gray
    """(SIDE, SIDE), the face upright."""
    points: NDArray[np.float32]
    """(n, 1, 2): places in the patch that can be recognised and do not move with the mouth."""
    matrix: Matrix
    """(2, 3) from the reference frame's pixels into the patch."""
    face: Face
    """The face in the reference frame's pixels."""


@dataclass(frozen=True, eq=False)
class _Region:
    """A part of a frame."""

    gray: Gray
    matrix: Matrix
    """(2, 3) from the frame's pixels into the part's."""


class FaceTracker:
    """Follows the largest face from frame to frame, in order.

    A frame takes a few milliseconds, one in which the face has to be found as long as its finder takes. Only frames
    that are past are used, so a stream can be followed.
    """

    def __init__(self, finder: FaceFinder | None = None) -> None:
        """Begin before the first frame.

        Args:
            finder: Finds the face at the beginning and after cuts; None takes the best one that is there.
        """
        self.finder = finder or face_finder()
        self.cuts = 0
        """Times that the face was lost: the picture was another altogether, or the face went away."""
        self._reference: _Reference | None = None
        self._last: tuple[Gray, Matrix] = np.zeros((SIDE, SIDE), np.uint8), np.eye(2, 3)
        self._wait, self._patience = 0, PATIENCE[0]

    @property
    def patch(self) -> Gray:
        """The last face that was followed, upright and always in the same place: (SIDE, SIDE) gray bytes."""
        return self._last[0]

    def follow(self, frame: torch.Tensor) -> Face | None:
        """Return the face in the next frame (3, h, w), RGB in [0, 1]; None where there is none."""
        if self._reference is not None:
            face = self._registered(self._reference, frame)
            if face is not None:
                return face
            self.cuts += 1
            self._reference = None
            self._wait, self._patience = 0, PATIENCE[0]
        return self._found(frame)

    def _registered(self, reference: _Reference, frame: torch.Tensor) -> Face | None:
        """Register the frame to the reference, or else to the last frame, which then becomes the reference."""
        patch, begin = self._last
        region = _region(frame, begin)
        matrix = _register(reference, region, begin)
        if matrix is None:
            reference = _reference(patch, begin, _moved(reference.face, _between(reference.matrix, begin)))
            matrix = _register(reference, region, begin)
        if matrix is None:
            return None
        self._reference, self._last = reference, (_cut(region, matrix), matrix)
        return _moved(reference.face, _between(reference.matrix, matrix))

    def _found(self, frame: torch.Tensor) -> Face | None:
        """Look for the face, unless that was in vain a moment ago."""
        if self._wait > 0:
            self._wait -= 1
            return None
        faces = largest_first(self.finder.find(frame))
        if not faces:
            self._wait, self._patience = self._patience, min(2 * self._patience, PATIENCE[1])
            return None
        matrix = _frame_of(faces[0]).matrix(PIXELS)
        self._last = _cut(_region(frame, matrix), matrix), matrix
        self._reference = _reference(*self._last, faces[0])
        return faces[0]


def _frame_of(face: Face) -> Frame:
    return points_frame(four_points(np.array(face.points)))


def _reference(patch: Gray, matrix: Matrix, face: Face) -> _Reference:
    found = cv2.goodFeaturesToTrack(patch, 120, 0.01, 5, mask=_still_parts(matrix, face))
    points = np.zeros((0, 1, 2), np.float32) if found is None else found.astype(np.float32)
    return _Reference(patch, points, matrix, face)


def _still_parts(matrix: Matrix, face: Face) -> Gray:
    """Mark brow, eyes, nose and cheeks in the patch: what moves with the head but not with the mouth."""
    points = np.array(face.points) @ matrix[:, :2].T + matrix[:, 2]
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    middle = (eyes + 0.25 * (mouth - eyes)).round().astype(int)
    cv2.ellipse(mask, middle.tolist(), (round(1.05 * PIXELS), round(1.0 * PIXELS)), 0, 0, 360, (255,), -1)
    mask[round(float(eyes[1] + 0.72 * (mouth[1] - eyes[1]))) :] = 0
    return mask


def _region(frame: torch.Tensor, matrix: Matrix) -> _Region:
    """Take the grey values of a frame (3, h, w) around the patch that ``matrix`` maps it to.

    Where many pixels fall into one of the patch they are averaged, or the patch would flicker.
    """
    height, width = frame.shape[-2:]
    corners = np.array([(x, y) for x in (-MARGIN, SIDE + MARGIN) for y in (-MARGIN, SIDE + MARGIN)])
    inverse = cv2.invertAffineTransform(matrix)
    corners = corners @ inverse[:, :2].T + inverse[:, 2]
    left, top = (int(np.clip(side, 0, most - 2)) for side, most in zip(corners.min(0), (width, height), strict=True))
    right, bottom = (
        int(np.clip(side + 1, least + 2, most))
        for side, least, most in zip(corners.max(0), (left, top), (width, height), strict=True)
    )
    gray = np.asarray(cv2.cvtColor(as_bytes(frame[:, top:bottom, left:right]), cv2.COLOR_RGB2GRAY), np.uint8)
    into = np.array([[1.0, 0.0, -left], [0.0, 1.0, -top]])
    pixels = 1 / float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if pixels > 2:
        size = (max(1, round(gray.shape[1] / round(pixels))), max(1, round(gray.shape[0] / round(pixels))))
        across, down = size[0] / gray.shape[1], size[1] / gray.shape[0]
        gray = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
        into = _after(np.array([[across, 0.0, across / 2 - 0.5], [0.0, down, down / 2 - 0.5]]), into)
    return _Region(gray, into)


def _cut(region: _Region, matrix: Matrix) -> Gray:
    """Cut the upright patch out; ``matrix`` maps the frame's pixels into it."""
    inward = _after(matrix, cv2.invertAffineTransform(region.matrix))
    cut = cv2.warpAffine(region.gray, inward, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, np.uint8)


def _register(reference: _Reference, region: _Region, begin: Matrix) -> Matrix | None:
    """Find the (2, 3) map from the frame into the patch such that the patch looks like the reference's.

    Args:
        reference: What to look like.
        region: What is around the face in the frame.
        begin: The map of the frame before.

    Returns:
        None where the two have too little in common.
    """
    if len(reference.points) < 8:
        return None
    matrix = begin
    for _ in range(ROUNDS):
        patch = _cut(region, matrix)
        there, good, error = cv2.calcOpticalFlowPyrLK(
            reference.patch, patch, reference.points, reference.points.copy(), winSize=(15, 15), maxLevel=3
        )
        kept = (good[:, 0] == 1) & (error[:, 0] < 30)
        if kept.sum() < max(8, LEAST_KEPT * len(kept)):
            return None
        motion, inliers = cv2.estimateAffinePartial2D(
            there[kept], reference.points[kept], method=cv2.RANSAC, ransacReprojThreshold=1.5, maxIters=200
        )
        if motion is None or inliers.sum() < LEAST_KEPT * len(kept):
            return None
        if np.hypot(*(motion[:, :2] @ (SIDE / 2, SIDE / 2) + motion[:, 2] - SIDE / 2)) > FARTHEST * PIXELS:
            return None
        matrix = _after(motion, matrix)
    scale = np.hypot(*matrix[:, 0]) / np.hypot(*begin[:, 0])
    return matrix if 0.8 < scale < 1.25 else None


def _after(second: Matrix, first: Matrix) -> Matrix:
    """Compose two (2, 3) maps."""
    return np.column_stack([second[:, :2] @ first[:, :2], second[:, :2] @ first[:, 2] + second[:, 2]])


def _between(reference: Matrix, matrix: Matrix) -> Matrix:
    """Map the reference frame's pixels to this frame's, through the patch in which both look alike."""
    return _after(cv2.invertAffineTransform(matrix), reference)


def _moved(face: Face, motion: Matrix) -> Face:
    """Move a face by a (2, 3) map."""
    first, second, third, fourth, fifth = as_points(np.array(face.points) @ motion[:, :2].T + motion[:, 2])
    left, top, right, bottom = face.box
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)]) @ motion[:, :2].T + motion[:, 2]
    scale = float(np.hypot(motion[0, 0], motion[1, 0]))
    (x, y), width, height = corners.mean(0), (right - left) * scale, (bottom - top) * scale
    box: Box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    landmarks = None if face.landmarks is None else move_landmarks(face.landmarks, motion)
    return replace(face, box=box, points=(first, second, third, fourth, fifth), landmarks=landmarks)
