"""What light and paint a portrait is made of: its skin's brightness and colour, its sharpness, its grain.

Whatever is drawn into a portrait takes these from it, so that it looks photographed or painted with the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ....faces.geometry import (
    CHEEKS,
    LEFT_LID_LOWER,
    LEFT_LID_UPPER,
    RIGHT_LID_LOWER,
    RIGHT_LID_UPPER,
    eye_distance,
)
from ....types import Landmarks

Array = NDArray[np.float32]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue in brightness. Source: ITU-R BT.601."""
LIPS = (37, 267, 72, 302, 84, 314, 85, 315)
"""Points of the mesh on both lips."""

_SOFT = 0.025  # I: deviation of the Gaussian that takes pores and noise off the skin before it is read
_COLOURED = 14.0  # Lab units of chroma from which skin or lips count as coloured; grey pictures 0 … 5, skin 14 … 35
_BLUR = 1.5  # px: blur against which sharpness is judged
_SHARPEST, _SOFTEST = 0.6, 0.03  # px, I: bounds of what is believed; measured on 28 portraits .9 … 1.7 px
_STEEP = 97  # percentile of the gradients that stands for the picture's edges
_EDGES = (33, 133, 159, 145, 263, 362, 386, 374, 61, 291, 0, 17), (61, 291, 0, 17)  # points of the mesh around these
_WHITES, _FEW = (70, 96), 20  # percentiles of brightness between which an eye is white; pixels from which one is read
_FINE = 1.6  # px: deviation of the Gaussian below which detail counts as grain
_LOUDEST = 0.05  # of full scale: grain is cut there, so that a mole or a hair is not repeated as grain
_PATCH = 0.30  # I: side of the square of cheek whose grain is taken


@dataclass(frozen=True, eq=False)
class Light:
    """A portrait's light and texture."""

    unit: float
    """I, the distance between the eyes' centres in three dimensions, in pixels."""
    skin: Array
    """(3,) RGB of the skin in [0, 1]."""
    level: float
    """Brightness of the skin in [0, 1]."""
    white: Array
    """(3,) RGB over brightness of what is white in it: that of the eyes, never farther from grey than the skin."""
    tint: float
    """0 a grey picture … 1 a coloured one: how much colour what is drawn may have."""
    blur: float
    """Deviation in pixels of the Gaussian that would make an ideal edge as soft as this picture's edges."""
    grain: Array
    """(n, n, 1) about zero: the cheek's fine detail in brightness; a tile that repeats without a visible edge."""

    def grain_for(self, height: int, width: int) -> Array:
        """Repeat the grain over (height, width, 1)."""
        side = len(self.grain)
        return np.tile(self.grain, (-(-height // side), -(-width // side), 1))[:height, :width]


def luma_of(picture: NDArray[np.floating]) -> Array:
    """Measure the brightness of colours (…, 3): (…).

    As a sum, not as a product of matrices, for which more threads would be woken than there is work for.
    """
    return np.einsum("...c,c->...", picture, LUMA)


def measure_light(image: Array, landmarks: Landmarks) -> Light:
    """Read a portrait's light and texture.

    Args:
        image: (h, w, 3) float32 RGB in [0, 1].
        landmarks: Its face, in its pixels.
    """
    unit = eye_distance(landmarks.points)
    soft = np.asarray(cv2.GaussianBlur(image, (0, 0), _SOFT * unit), np.float32)
    skin = np.median(read_at(soft, landmarks.points[list(CHEEKS), :2]), axis=0).astype(np.float32)
    lips = np.median(read_at(soft, landmarks.points[list(LIPS), :2]), axis=0).astype(np.float32)
    chroma = np.hypot(*cv2.cvtColor(np.stack((skin, lips))[None], cv2.COLOR_RGB2Lab)[0, :, 1:].T).max()
    rise = np.clip(float(chroma) / _COLOURED, 0, 1)
    bright = luma_of(image)
    level = max(float(skin @ LUMA), 1 / 255)
    return Light(
        unit=unit,
        skin=skin,
        level=level,
        white=_measure_white(image, landmarks, np.asarray(skin / level, np.float32)),
        tint=float(rise * rise * (3 - 2 * rise)),
        blur=_measure_blur(bright, landmarks, unit),
        grain=_cut_grain(bright, landmarks, unit),
    )


def read_at(image: Array, points: NDArray[np.floating]) -> Array:
    """Read an image (h, w, c) at points (n, 2), at its border beyond it: (n, c)."""
    places = np.ascontiguousarray(points, np.float32)[None]
    across, down = places[..., 0], places[..., 1]
    return cv2.remap(image, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]


def _measure_blur(bright: Array, landmarks: Landmarks, unit: float) -> float:
    """Measure the softness of edges around eyes and mouth, or around the mouth if it is sharper, in pixels.

    Eyes may lie behind lenses, whose own edges are of no account for a mouth.
    An edge of deviation σ loses the factor √(1 + b²/σ²) of its steepness when it is blurred by b.
    """
    found = [_measure_part(bright, landmarks.points[list(part), :2], unit) for part in _EDGES]
    return float(np.clip(min(found), _SHARPEST, max(_SOFTEST * unit, _SHARPEST)))


def _measure_part(bright: Array, points: NDArray[np.floating], unit: float) -> float:
    """Measure the softness of the edges around some points (n, 2) in pixels; outside the picture it is none."""
    left, top = np.maximum(points.min(0) - 0.1 * unit, 0).astype(int)
    right, bottom = np.ceil(points.max(0) + 0.1 * unit).astype(int)
    part = np.ascontiguousarray(bright[top : max(bottom, top + 8), left : max(right, left + 8)])
    if part.size == 0:
        return _SHARPEST
    steep, after = (
        float(np.percentile(np.hypot(*np.gradient(each)), _STEEP))
        for each in (part, cv2.GaussianBlur(part, (0, 0), _BLUR))
    )
    ratio = max(steep / max(after, 1e-6), 1.001)
    return float(_BLUR / np.sqrt(ratio**2 - 1))


def _measure_white(image: Array, landmarks: Landmarks, skin: Array) -> Array:
    """Measure the hue (3,) of the eyes' light parts: near grey in photographs, as warm as the skin (3,) in paintings.

    Eyes in which there is nothing to be seen have the skin's.
    """
    found = []
    for lids in ((LEFT_LID_UPPER, LEFT_LID_LOWER), (RIGHT_LID_UPPER, RIGHT_LID_LOWER)):
        upper, lower = (landmarks.points[list(numbers), :2] for numbers in lids)
        mask = np.zeros(image.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.rint(np.concatenate((upper, lower[::-1]))).astype(np.int32)], 1)
        inside = image[cv2.erode(mask, np.ones((3, 3), np.uint8)) > 0]
        if len(inside) >= _FEW:
            bright = luma_of(inside)
            low, high = np.percentile(bright, _WHITES)
            colour = inside[(bright >= low) & (bright <= high)].mean(0)
            found.append(colour / max(float(colour @ LUMA), 1 / 255))
    white = np.mean(found, axis=0) if found else skin
    return np.clip(white, np.minimum(skin, 1), np.maximum(skin, 1)).astype(np.float32)


def _cut_grain(bright: Array, landmarks: Landmarks, unit: float) -> Array:
    """Cut fine detail from the smoother cheek and mirror it into a tile (n, n, 1)."""
    side = max(8, round(_PATCH * unit))
    fine = bright - cv2.GaussianBlur(bright, (0, 0), _FINE)
    found: list[Array] = []
    for number in (50, 280, 205, 425):
        across, down = landmarks.points[number, :2].astype(int) - side // 2
        if across >= 0 and down >= 0 and across + side <= bright.shape[1] and down + side <= bright.shape[0]:
            found.append(fine[down : down + side, across : across + side])
    if not found:
        return np.zeros((2 * side, 2 * side, 1), np.float32)
    calm = np.clip(min(found, key=lambda each: float(each.std())), -_LOUDEST, _LOUDEST)
    calm = calm - calm.mean()
    return np.ascontiguousarray(
        np.block([[calm, calm[:, ::-1]], [calm[::-1], calm[::-1, ::-1]]])[..., None], np.float32
    )
