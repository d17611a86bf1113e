"""What the mesh's points are called, where a head looks, and the frame of eyes and mouth in which faces are followed.

Source: Umeyama, Least-squares estimation of transformation parameters between two point patterns, PAMI 1991.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..types import Box, Landmarks
from ..weights.read import bundled
from .networks import WEIGHTS

Points: TypeAlias = NDArray[np.floating]
"""(468, 3) points of the mesh in a picture's pixels: x, y and depth."""

OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""The face's outline, clockwise from the top of the forehead."""
LIPS_UPPER_OUTER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
"""The edges of the lips, like all that follows from left to right in an upright picture."""
LIPS_UPPER_INNER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LIPS_LOWER_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
LIPS_LOWER_OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
MOUTH_CORNERS = (61, 291)
LEFT_LID_UPPER = (33, 246, 161, 160, 159, 158, 157, 173, 133)
"""The lids of the eye that is left in an upright picture, the person's right one."""
LEFT_LID_LOWER = (33, 7, 163, 144, 145, 153, 154, 155, 133)
RIGHT_LID_UPPER = (362, 398, 384, 385, 386, 387, 388, 466, 263)
RIGHT_LID_LOWER = (362, 382, 381, 380, 374, 373, 390, 249, 263)
EYE_ENDS = ((33, 133), (362, 263))
LEFT_BROW_UPPER = (70, 63, 105, 66, 107)
LEFT_BROW_LOWER = (46, 53, 52, 65, 55)
RIGHT_BROW_UPPER = (336, 296, 334, 293, 300)
RIGHT_BROW_LOWER = (285, 295, 282, 283, 276)
NOSE_TIP, FOREHEAD_TOP, CHIN = 1, 10, 152
CHEEKS = (50, 280, 101, 330, 36, 266, 205, 425)
"""Places where there is skin and nothing else."""
BRIDGE = (9, 8, 168, 6)
"""Between the brows and the bridge of the nose, where a mask does not reach."""
LEFT_EYE_RINGS = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173),
    (130, 25, 110, 24, 23, 22, 26, 112, 243, 247, 30, 29, 27, 28, 56, 190),
    (226, 31, 228, 229, 230, 231, 232, 233, 244, 113, 225, 224, 223, 222, 221, 189),
)
"""The lid's rim and the two rings around it, in the iris reader's order."""
RIGID = (
    *(
        33,
        133,
        362,
        263,
        168,
        6,
        197,
        195,
        5,
        4,
        1,
        19,
        94,
        98,
        327,
        129,
        358,
        49,
        279,
        10,
        151,
        9,
        8,
        109,
        338,
        67,
        297,
    ),
    *(
        103,
        332,
        54,
        284,
        21,
        251,
        162,
        389,
        127,
        356,
        234,
        454,
        93,
        323,
        227,
        447,
        116,
        345,
        117,
        346,
        118,
        347,
        50,
        280,
    ),
)
"""Points that neither speech nor brows move: nose, eyes' corners, forehead, cheekbones."""
BOX_TOP = (151, 108, 337, 69, 299, 104, 333, 68, 298)
"""The middle of the forehead, where a face's box begins; of ``OVAL`` the part above it is left out."""
REACH = 1.9
"""Half the side of the patch in which a face is followed, in units of the face."""


class HeadPose(NamedTuple):
    """Where a head looks, in degrees."""

    yaw: float
    """Positive when it faces the picture's left."""
    pitch: float
    """Positive when it looks down."""
    roll: float
    """Positive when it is tilted clockwise."""


@dataclass(frozen=True, eq=False)
class Alignment:
    """How the average face comes to lie on another: x → ``scale`` · ``turn`` · x + ``shift``."""

    scale: float
    """Pixels per eye distance."""
    turn: NDArray[np.float64]
    """(3, 3)."""
    shift: NDArray[np.float64]
    """(3,): where the middle of the eyes lies."""

    def place(self, shape: Points) -> NDArray[np.float64]:
        """Bring points from the average face's frame to the picture."""
        return self.scale * np.asarray(shape, np.float64) @ self.turn.T + self.shift

    def unplace(self, points: Points) -> NDArray[np.float64]:
        """Bring points from the picture to the average face's frame, upright and facing the camera."""
        return (np.asarray(points, np.float64) - self.shift) @ self.turn / self.scale


@cache
def average_face() -> NDArray[np.float64]:
    """Return the average face: (468, 3), the middle of the eyes the origin, their distance the unit, symmetric."""
    return _table("average").astype(np.float64)


@cache
def mirror_points() -> NDArray[np.int64]:
    """Return for each of the 468 points the one that a mirror exchanges it with."""
    return _table("mirror").astype(np.int64)


def _table(name: str) -> NDArray[np.generic]:
    with bundled(WEIGHTS) as file:
        return file.get_tensor(f"shape.{name}").numpy()


def align(points: Points, chosen: Sequence[int] = RIGID, shape: Points | None = None) -> Alignment:
    """Lay the average face onto a face with the least squared distance of some points.

    Args:
        points: (468, 3) in pixels.
        chosen: Numbers of the points that count.
        shape: (468, 3), another shape to lay there.
    """
    shape = (average_face() if shape is None else np.asarray(shape, np.float64))[list(chosen)]
    face = np.asarray(points, np.float64)[list(chosen)]
    middle, centre = shape.mean(0), face.mean(0)
    left, strengths, right = np.linalg.svd((face - centre).T @ (shape - middle) / len(shape))
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    turn = left @ np.diag(signs) @ right
    scale = max(float((strengths * signs).sum() / ((shape - middle) ** 2).sum(1).mean()), 1e-9)
    return Alignment(scale, turn, centre - scale * turn @ middle)


def head_pose(points: Points) -> HeadPose:
    """Measure where a head looks, from (468, 3) points."""
    return pose_of(align(points).turn)


def pose_of(turn: NDArray[np.floating]) -> HeadPose:
    """Read the three angles off a rotation (3, 3): roll last, then yaw, pitch first."""
    across, forward = turn[:, 0], -turn[:, 2]  # of the head: towards the picture's right, and where it looks
    yaw = -math.atan2(forward[0], math.hypot(forward[1], forward[2]))
    pitch = math.atan2(forward[1], -forward[2])
    roll = math.atan2(across[1], across[0])
    return HeadPose(math.degrees(yaw), math.degrees(pitch), math.degrees(roll))


def eye_distance(points: Points) -> float:
    """Measure the distance between the middles of the eyes in 3-D, in pixels: the unit of all lengths in a face."""
    first, second = (np.asarray(points, np.float64)[list(ends)].mean(0) for ends in EYE_ENDS)
    return float(np.linalg.norm(second - first))


def face_box(points: Points) -> Box:
    """Return the box of a face: the middle of the forehead to the chin, cheek to cheek."""
    chosen = [number for number in OVAL if number not in (10, 338, 297, 332, 109, 67, 103)]
    outline = np.asarray(points)[[*chosen, *BOX_TOP], :2]
    (left, top), (right, bottom) = outline.min(0), outline.max(0)
    return float(left), float(top), float(right), float(bottom)


def move_landmarks(landmarks: Landmarks, motion: NDArray[np.floating]) -> Landmarks:
    """Move landmarks by a (2, 3) map that turns, scales and shifts."""
    scale = float(np.hypot(motion[0, 0], motion[1, 0]))
    places = landmarks.points[:, :2] @ motion[:, :2].T + motion[:, 2]
    points = np.column_stack([places, landmarks.points[:, 2] * scale]).astype(np.float32)
    irises = (landmarks.irises @ motion[:, :2].T + motion[:, 2]).astype(np.float32)
    return replace(landmarks, points=points, irises=irises)


@dataclass(frozen=True)
class Frame:
    """Where a face is.

    The origin lies between the eyes; the unit is the larger of the eye distance and 0.8 times the way from eyes to
    mouth.
    """

    x: float
    y: float
    unit: float
    tilt: float
    """Degrees; positive when the right-in-picture eye is the lower one."""

    def matrix(self, pixels: float) -> NDArray[np.float64]:
        """Return the (2, 3) map from the picture into an upright patch in which the unit is ``pixels`` long."""
        angle, scale = np.deg2rad(self.tilt), pixels / self.unit
        cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
        turn = np.array([[cosine, sine], [-sine, cosine]])
        middle = np.array([REACH * pixels, (REACH - 0.5) * pixels])
        return np.column_stack([turn, middle - turn @ (self.x, self.y)])


def four_points(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """Make one point of the mouth's two corners: (4, 2) as ``points_frame`` takes them, from (5, 2)."""
    return np.vstack([points[:3], points[3:].mean(0)])


def points_frame(points: NDArray[np.floating]) -> Frame:
    """Compute the frame of (4, 2) points: eye, eye, nose, mouth."""
    middle, across = points[:2].mean(0), points[1] - points[0]
    unit = max(float(np.hypot(*across)), 0.8 * float(np.hypot(*(points[3] - middle))))
    tilt = float(np.rad2deg(np.arctan2(across[1], across[0])))
    return Frame(float(middle[0]), float(middle[1]), unit, tilt)
