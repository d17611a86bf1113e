"""What a face does, frame by frame, off its mesh: lips, head, brows, lids, eyes, and the shape that stays.

Lengths are in I, the distance between the middles of the eyes in space, taken where the head looks straight ahead:
every frame's points are turned back before anything is measured, so a turned head opens no mouth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..faces.geometry import (
    EYE_ENDS,
    LEFT_BROW_LOWER,
    LEFT_BROW_UPPER,
    LEFT_LID_LOWER,
    LEFT_LID_UPPER,
    LIPS_LOWER_INNER,
    LIPS_UPPER_INNER,
    RIGHT_BROW_LOWER,
    RIGHT_BROW_UPPER,
    RIGHT_LID_LOWER,
    RIGHT_LID_UPPER,
    RIGID,
    align,
    pose_of,
)
from ..types import Landmarks
from .statistics import Curve, usual

MIDDLE = slice(4, 7)
"""Of the eleven points of a lip's inner edge, those whose gap is the opening."""
BROWS = (*LEFT_BROW_UPPER, *LEFT_BROW_LOWER, *RIGHT_BROW_UPPER, *RIGHT_BROW_LOWER)
LIDS = ((LEFT_LID_UPPER, LEFT_LID_LOWER), (RIGHT_LID_UPPER, RIGHT_LID_LOWER))
DEGREE = 0.0033
"""I by which an iris wanders a degree: an eyeball of 12 mm, eyes 63 mm apart."""
AWAKE = 0.8
"""Share of its usual height from which an eye counts as open: what is read of an iris between shut lids is no gaze."""
NAMES = ("opening", "yaw", "pitch", "roll", "brows", "lids", "gaze_x", "gaze_y")


@dataclass(frozen=True, eq=False)
class FaceCurves:
    """What a face does; every curve is (n,), one value a frame, not a number where no face is seen."""

    opening: Curve
    """Gap between the inner lips, I."""
    yaw: Curve
    """Degrees, positive when the face looks to the picture's left."""
    pitch: Curve
    """Degrees, positive when it looks down."""
    roll: Curve
    """Degrees, positive when it tilts clockwise."""
    brows: Curve
    """Height of the brows above the middle of the eyes, I."""
    lids: Curve
    """Height of the eyes over their width."""
    gaze_x: Curve
    """Degrees by which the irises lie to the right of the middle between the eye's corners."""
    gaze_y: Curve
    """The same downward."""
    shape: NDArray[np.float64] | None
    """(468, 3) the mean face in I, turned to the camera; None where no face is seen."""

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(n,): a face was there."""
        return np.isfinite(self.opening)

    @property
    def awake(self) -> NDArray[np.bool_]:
        """(n,): the eyes are open."""
        return self.lids > AWAKE * usual(self.lids)


class FaceRecorder:
    """Takes a mesh after the other and keeps its curves: eight numbers a frame, and one mean shape."""

    def __init__(self, length: int) -> None:
        self._values = np.full((len(NAMES), length), np.nan)
        self._sum, self._count, self.passed = np.zeros((468, 3)), 0, 0

    def see(self, landmarks: Landmarks | None) -> None:
        """Take the next frame's mesh; None where there is no face."""
        if landmarks is not None:
            shape, values = read_face(landmarks)
            self._values[:, self.passed] = values
            self._sum += shape
            self._count += 1
        self.passed += 1

    def curves(self) -> FaceCurves:
        """Sum up."""
        return FaceCurves(*self._values[:, : self.passed], shape=self._sum / self._count if self._count else None)


def read_face(landmarks: Landmarks) -> tuple[NDArray[np.float64], tuple[float, ...]]:
    """Measure one mesh: its shape (468, 3) in I, turned to the camera, and a value for each of ``NAMES``."""
    lies = align(landmarks.points)
    shape, pose = lies.unplace(landmarks.points), pose_of(lies.turn)
    gap = shape[list(LIPS_LOWER_INNER)][MIDDLE, 1] - shape[list(LIPS_UPPER_INNER)][MIDDLE, 1]
    gaze = np.mean([_iris_place(landmarks, eye, lies.scale) for eye in range(2)], axis=0) / DEGREE
    brows = -float(shape[list(BROWS), 1].mean())
    lids = float(np.mean([_eye_height(shape, upper, lower) for upper, lower in LIDS]))
    return shape, (max(float(gap.mean()), 0.0), *pose, brows, lids, float(gaze[0]), float(gaze[1]))


def _eye_height(shape: NDArray[np.float64], upper: tuple[int, ...], lower: tuple[int, ...]) -> float:
    """Divide an eye's height, the mean of its middle places, by its width."""
    above, below = shape[list(upper), :2], shape[list(lower), :2]
    return float((below[2:-2, 1] - above[2:-2, 1]).mean() / np.hypot(*(above[-1] - above[0])))


def _iris_place(landmarks: Landmarks, eye: int, scale: float) -> NDArray[np.float64]:
    """Tell where an iris is, along the eye's corners and across, from their middle: (2,) I."""
    first, last = landmarks.points[list(EYE_ENDS[eye]), :2].astype(np.float64)
    along = (last - first) / max(float(np.hypot(*(last - first))), 1e-6)
    off = landmarks.irises[eye, 0] - (first + last) / 2
    return np.array([off @ along, off @ (-along[1], along[0])]) / scale


def proportions_apart(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Compare two faces by where the bones put their points: root mean square, hundredths of I.

    Args:
        one: (468, 3), the face turned to the camera, as of ``FaceCurves.shape``.
        other: The same of another.
    """
    places = list(RIGID)
    lies = align(one, RIGID, other)
    return 100 * float(np.sqrt(((one - lies.place(other))[places, :2] ** 2).sum(1).mean()))
