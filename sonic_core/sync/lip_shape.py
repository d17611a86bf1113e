"""What a mesh says of a mouth: eight lengths in the frame of the face that owns it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..faces.geometry import CHIN, MOUTH_CORNERS, NOSE_TIP, align, average_face, four_points, points_frame
from ..faces.landmarks import LEAST_PRESENCE, face_region, read_regions
from ..media.pixels import as_bytes
from ..types import Face

LIP_CURVES = ("gap", "height", "width", "inner width", "jaw", "upper lip", "lower lip", "pout")
"""What ``lip_shape`` measures, in this order."""

_NOSE_BASE = 2
_UPPER_INNER, _LOWER_INNER = (82, 13, 312), (87, 14, 317)
_UPPER_OUTER, _LOWER_OUTER = (37, 0, 267), (84, 17, 314)
_INNER_CORNERS = (78, 308)
_AROUND = 0.75
"""Half the side of what is cut out of a frame, in sides of the square that the mesh looks at, which may be turned."""
_LEAST_SIDE = 8
"""Pixels of a face inside the frame below which nothing is looked at."""


def lip_shape(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Measure a mouth.

    Args:
        points: (468, 3) of the mesh, in pixels.

    Returns:
        (8,) ``LIP_CURVES`` in eye distances: how far the inner rims of the lips are apart, and the outer ones; the way
        between the mouth's corners, outside and inside; nose to chin; nose to upper lip; lower lip to chin; and how far
        the lips stand out before the corners. The head's turn is taken out by the points that no mouth moves.
    """
    face = align(points).unplace(points)

    def mean(chosen: tuple[int, ...]) -> NDArray[np.float64]:
        return face[list(chosen)].mean(0)

    upper_inner, lower_inner = mean(_UPPER_INNER), mean(_LOWER_INNER)
    upper, lower, corners = mean(_UPPER_OUTER), mean(_LOWER_OUTER), mean(MOUTH_CORNERS)
    shape = (
        lower_inner[1] - upper_inner[1],
        lower[1] - upper[1],
        np.linalg.norm(face[MOUTH_CORNERS[1]] - face[MOUTH_CORNERS[0]]),
        np.linalg.norm(face[_INNER_CORNERS[1]] - face[_INNER_CORNERS[0]]),
        face[CHIN][1] - face[NOSE_TIP][1],
        upper[1] - face[_NOSE_BASE][1],
        face[CHIN][1] - lower[1],
        corners[2] - (upper[2] + lower[2]) / 2,
    )
    return np.array(shape, np.float32)


def look_at_lips(frame: torch.Tensor, face: Face) -> NDArray[np.float32] | None:
    """Measure the mouth of a face that is followed as a stiff whole, so that where is looked cannot follow the jaw.

    One look of the mesh, and only at the part of the frame where the face is.

    Args:
        frame: (3, h, w) RGB in [0, 1].
        face: As ``FaceTracker`` follows it.

    Returns:
        (8,) ``LIP_CURVES``; None where the mesh sees no face.
    """
    region = face_region(_stiff_points(face))
    height, width = frame.shape[-2:]
    reach = _AROUND * region.side
    left, right = (int(np.clip(region.x + side, 0, width)) for side in (-reach, reach))
    top, bottom = (int(np.clip(region.y + side, 0, height)) for side in (-reach, reach))
    if right - left < _LEAST_SIDE or bottom - top < _LEAST_SIDE:
        return None
    pixels = as_bytes(frame[:, top:bottom, left:right])
    reading = read_regions(pixels, [region._replace(x=region.x - left, y=region.y - top)])[0]
    return lip_shape(reading.points) if reading.presence >= LEAST_PRESENCE else None


def looked_side(face: Face) -> float:
    """Return the side in pixels of the square around a face that the mesh looks at."""
    return face_region(_stiff_points(face)).side


def _stiff_points(face: Face) -> NDArray[np.float64]:
    """Say where the points of a mesh about lie: (468, 3), the average face's where nobody read this one."""
    if face.landmarks is not None:
        return face.landmarks.points.astype(np.float64)
    frame = points_frame(four_points(np.array(face.points)))
    angle = np.deg2rad(frame.tilt)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shape = average_face() * frame.unit
    return np.column_stack([shape[:, :2] @ turn.T + (frame.x, frame.y), shape[:, 2]])
