"""A talking face beside the still it was made of: how sharp it is, and what changed around it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..faces.geometry import NOSE_TIP, OVAL, RIGID, align, pose_of
from ..faces.landmarks import read_landmarks
from ..faces.regions import Pixels, Region, cut
from ..media.pixels import as_bytes
from ..post.flow import Gray
from ..types import Landmarks

EYES, LIPS = (1.5, -0.1), (1.2, 1.15)
"""Side of the square in which sharpness is measured, and how far below the eyes its middle lies; I. Around the eyes
nothing changes with what is said; around the mouth is where models that draw only that blur."""
FINEST, COARSEST = 64.0, 12.0
"""Pixels for I at which faces are compared at most, and below which a face is too small for that."""
DETAIL = 1.0
"""Deviation in these pixels of the Gaussian below which lies detail."""
AROUND = 1.35
"""How far the face is widened before what lies outside of it is looked at."""
LEVELS = 8
"""Steps of 1/255 in luma, after ``CALM``, from which a pixel counts as changed; encoding alone stays below."""
CALM = 1.5
"""Deviation of the Gaussian by which both are blurred before, in pixels of working size."""
FIT_ROUNDS, FIT_ENOUGH, FIT_BLUR = 60, 1e-4, 5
"""Steps in which a portrait is laid over a frame at most, the gain at which they end, and the blur before, pixels."""
LEAST_FIT = 0.8
"""Correlation of portrait and first frame around the face below which one is no part of the other."""
LEAST_OUTSIDE = 0.02
"""Share of the picture that must lie outside of the face to say something about it."""


@dataclass(frozen=True, eq=False)
class Still:
    """The portrait, its face read."""

    pixels: Pixels
    landmarks: Landmarks

    @classmethod
    def of(cls, image: torch.Tensor) -> Still:
        """Read the largest face of a picture (3, h, w).

        Raises:
            FaceNotFoundError: There is none.
        """
        pixels = as_bytes(image)
        return cls(pixels, read_landmarks(pixels))

    @cached_property
    def shape(self) -> NDArray[np.float64]:
        """(468, 3) the face in I, turned to the camera."""
        return align(self.landmarks.points).unplace(self.landmarks.points)


class SharpnessMeter:
    """Compares the detail of a face with that of its portrait, both brought to the coarser one's size."""

    def __init__(self, still: Still, square: tuple[float, float] = EYES) -> None:
        """Begin before the first frame; ``square`` says where to look, ``EYES`` or ``LIPS``."""
        self._still, self._square, self._scale, self._wanted = still, square, 0.0, 0.0
        self.shares: list[float] = []

    def see(self, pixels: Pixels, landmarks: Landmarks) -> None:
        """Look at the next frame (h, w, 3) with a face."""
        if not self._scale:
            own = align(self._still.landmarks.points).scale
            self._scale = min(own, align(landmarks.points).scale, FINEST)
            self._wanted = detail(self._still.pixels, self._still.landmarks, self._scale, self._square)
        if self._scale >= COARSEST:
            self.shares.append(detail(pixels, landmarks, self._scale, self._square) / max(self._wanted, 1e-6))

    @property
    def sharpness(self) -> float | None:
        """Detail there as a share of the portrait's, mean over the frames; None for too small a face."""
        return float(np.mean(self.shares)) if self.shares else None


def detail(pixels: Pixels, landmarks: Landmarks, scale: float, square: tuple[float, float]) -> float:
    """Measure a face's detail: root mean square of what a slight blur takes, over the mean luma.

    Args:
        pixels: (h, w, 3) RGB bytes.
        landmarks: The face.
        scale: Pixels for I at which it is looked at.
        square: Side, and how far below the eyes its middle lies, in I.
    """
    lies, (side, lower) = align(landmarks.points), square
    roll = math.radians(pose_of(lies.turn).roll)
    x, y = lies.shift[0] - lower * lies.scale * math.sin(roll), lies.shift[1] + lower * lies.scale * math.cos(roll)
    region = Region(float(x), float(y), side * lies.scale, math.degrees(roll))
    luma = cv2.cvtColor(cut(pixels, region, round(side * scale)), cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = luma - cv2.GaussianBlur(luma, (0, 0), DETAIL)
    return float(np.sqrt((fine**2).mean()) / max(float(luma.mean()), 1.0))


class ChangeMeter:
    """Counts the pixels outside the face that are not as in another picture of the same scene."""

    def __init__(self) -> None:
        self.shares: list[float] = []

    def see(self, gray: Gray, other: Gray, known: NDArray[np.bool_], landmarks: Landmarks, scale: float) -> None:
        """Compare two pictures of one size.

        Args:
            gray: (h, w) luma of a frame at working size.
            other: (h, w) what it should look like.
            known: (h, w) where that says anything.
            landmarks: The face, in the frame's own pixels.
            scale: Pixels of working size for one of the frame's.
        """
        outside = known & ~covered(landmarks, scale, gray.shape)
        if outside.mean() >= LEAST_OUTSIDE:
            apart = _calmed(gray) - _calmed(other)
            self.shares.append(float((np.abs(apart) > LEVELS)[outside].mean()))

    @property
    def changed(self) -> float | None:
        """Share of the pixels outside the face, mean over the frames; None where there are none."""
        return float(np.mean(self.shares)) if self.shares else None


def _calmed(gray: Gray) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(gray.astype(np.float32), (0, 0), CALM), np.float32)


def covered(landmarks: Landmarks, scale: float, size: tuple[int, ...]) -> NDArray[np.bool_]:
    """Mark the face, ``AROUND`` as wide as its outline, in a picture of ``size`` (h, w)."""
    outline = landmarks.points[list(OVAL), :2].astype(np.float64) * scale
    middle = outline.mean(0)
    mask = np.zeros(size, np.uint8)
    cv2.fillPoly(mask, [np.round(middle + AROUND * (outline - middle)).astype(np.int32)], (1,))
    return mask > 0


def lay_over(still: Still, gray: Gray, landmarks: Landmarks, scale: float) -> tuple[Gray, NDArray[np.bool_]] | None:
    """Lay a portrait over a frame of the clip that was made of it, whatever part of it the clip shows.

    The two faces say roughly how; the rest is found by making both alike around the face.

    Args:
        still: The portrait.
        gray: (h, w) luma of the frame at working size.
        landmarks: The frame's face, in the frame's own pixels.
        scale: Pixels of working size for one of the frame's.

    Returns:
        The portrait as the frame shows it (h, w), and where that is known (h, w); None where the two are not alike.

    Source: Evangelidis and Psarakis, Parametric Image Alignment Using Enhanced Correlation Coefficient Maximization,
    PAMI 2008 (OpenCV's).
    """
    places = [*RIGID, NOSE_TIP]
    here, there = landmarks.points[places, :2] * scale, still.landmarks.points[places, :2]
    rough, _ = cv2.estimateAffinePartial2D(there.astype(np.float32), here.astype(np.float32), method=cv2.LMEDS)
    if rough is None:
        return None
    zoom = float(np.hypot(rough[0, 0], rough[1, 0]))
    luma, zoom = _at_size_of(still, zoom)
    begin = np.column_stack([rough[:, :2] / zoom, rough[:, 2]]).astype(np.float32)
    begin = np.asarray(cv2.invertAffineTransform(begin), np.float32)
    outside = (~covered(still.landmarks, zoom, luma.shape)).astype(np.uint8)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, FIT_ROUNDS, FIT_ENOUGH)
    try:
        fit, matrix = cv2.findTransformECC(gray, luma, begin, cv2.MOTION_AFFINE, criteria, outside, FIT_BLUR)
    except cv2.error:  # it did not come to rest
        return None
    if fit < LEAST_FIT:
        return None
    flags, size = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, gray.shape[::-1]
    laid = cv2.warpAffine(luma, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    known = cv2.warpAffine(np.ones_like(luma), matrix, size, flags=flags) > 0
    return np.asarray(laid, np.uint8), known


def _at_size_of(still: Still, zoom: float) -> tuple[Gray, float]:
    """Bring a portrait's luma to the size that a frame shows it in; a smaller portrait stays. Return its scale too."""
    luma = np.asarray(cv2.cvtColor(still.pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    zoom = min(zoom, 1.0)
    size = max(1, round(luma.shape[1] * zoom)), max(1, round(luma.shape[0] * zoom))
    method = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(luma, size, interpolation=method), np.uint8), size[0] / luma.shape[1]
