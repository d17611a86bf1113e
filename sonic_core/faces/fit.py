"""Fit eyes, nose and mouth inside a place that looks like a face.

Three response maps are computed in an upright patch: one is high on eyes, one under a nose, one on the seam of a mouth.
The points are then chosen together: the combination with the highest sum of responses and of agreement with an average
face that may be turned, nodding or drawn with large eyes. A second round at higher resolution starts from the first.

Source: Felzenszwalb and Huttenlocher, Pictorial Structures for Object Recognition, IJCV 2005.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .windows import Place

Map = NDArray[np.float32]

REACH = 1.9
"""Half the side of the patch, in units of the face."""
WINDOW_UNITS = 2.72
"""Side of the cascade's window on a face, in units."""
EYE_SINK = 0.05
"""How far, in units, an eye's centre lies under the darkest place, which the upper lid shades."""
LIGHT = np.array([0.3, 0.5, 0.2], np.float32)
"""What red, green and blue weigh in the brightness in which mouths and lids are looked for."""
LARGE = 3 * 2_000_000
"""Values of a picture from which it pays to cut before shrinking."""
CANDIDATES = 14
"""Places looked at per eye, nose and mouth."""


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


@dataclass(frozen=True, eq=False)
class Fit:
    """Points found in one place."""

    points: NDArray[np.float64]
    """(4, 2): left-in-picture eye, other eye, under the nose, middle of the mouth, in the picture's pixels."""
    frame: Frame
    quality: float
    """Sum of responses and agreement; good faces reach 3 and more."""


def place_frame(place: Place) -> Frame:
    """Turn the cascade's window into a frame; the window's centre lies 0.27 units under the middle of the eyes."""
    unit = place.size / WINDOW_UNITS
    angle = np.deg2rad(place.tilt)
    return Frame(place.x + 0.27 * unit * np.sin(angle), place.y - 0.27 * unit * np.cos(angle), unit, place.tilt)


def patch(image: NDArray[np.uint8], frame: Frame, pixels: float) -> NDArray[np.float32]:
    """Cut the upright patch around a frame: (s, s, 3) RGB in [0, 1], anti-aliased."""
    side = round(2 * REACH * pixels)
    matrix = frame.matrix(pixels)
    shrink = pixels / frame.unit
    if shrink < 0.6:
        if image.size > LARGE:
            image, matrix = _surroundings(image, matrix, side)
        small = cv2.resize(image, None, fx=shrink * 1.5, fy=shrink * 1.5, interpolation=cv2.INTER_AREA)
        ratio = np.array([small.shape[1] / image.shape[1], small.shape[0] / image.shape[0]])
        matrix = np.column_stack([matrix[:, :2] / ratio, matrix[:, 2] + matrix[:, :2] @ (0.5 / ratio - 0.5)])
        image = np.asarray(small, np.uint8)
    cut = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return (cut / 255).astype(np.float32)


def _surroundings(
    image: NDArray[np.uint8], matrix: NDArray[np.float64], side: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Cut away what lies far outside a patch of ``side`` pixels; return what is left and the map from there."""
    inverse = cv2.invertAffineTransform(matrix)
    corners = np.array([(0, 0), (side, 0), (0, side), (side, side)]) @ inverse[:, :2].T + inverse[:, 2]
    margin = 0.1 * np.ptp(corners, axis=0).max()
    size = image.shape[1], image.shape[0]
    left, top = (int(np.clip(low, 0, most - 1)) for low, most in zip(corners.min(0) - margin, size, strict=True))
    right, bottom = (int(np.clip(high, 1, most)) for high, most in zip(corners.max(0) + margin, size, strict=True))
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    moved = np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ (left, top)])
    return image[top:bottom, left:right], moved


def response_maps(cut: NDArray[np.float32], pixels: float) -> tuple[Map, Map, Map]:
    """Compute how much each pixel looks like an eye, the underside of a nose and a mouth's seam, about 0 to 1 each.

    Args:
        cut: (s, s, 3) RGB patch of an upright face.
        pixels: Length of the face's unit in the patch.
    """
    light = _even(cut @ np.array([0.35, 0.5, 0.15], np.float32), pixels)
    blob = np.maximum(_valley(light, 0.15 * pixels, 0.085 * pixels), 0)
    sideways = cv2.GaussianBlur(
        np.abs(cv2.Sobel(cv2.GaussianBlur(light, (0, 0), 0.025 * pixels), cv2.CV_32F, 1, 0, scale=pixels / 160)),
        (0, 0),
        sigmaX=0.13 * pixels,
        sigmaY=0.08 * pixels,
    )
    eye = np.tanh(blob * 1.1) * 0.6 + np.tanh(sideways * 1.3) * 0.5
    seam = np.maximum(_valley(light, 0.3 * pixels, 0.05 * pixels), 0.85 * _valley(light, 0.3 * pixels, 0.1 * pixels))
    red = cut[..., 0] / (cut.sum(2) + 0.15)
    lips = cv2.GaussianBlur(red, (0, 0), 0.12 * pixels) - cv2.GaussianBlur(red, (0, 0), 0.45 * pixels)
    mouth = np.tanh(np.maximum(seam, 0) * 1.2) * 0.8 + np.tanh(np.maximum(lips, 0) * 30) * 0.35
    nose = np.tanh(np.maximum(_valley(light, 0.14 * pixels, 0.05 * pixels), 0) * 1.2)
    return eye.astype(np.float32), nose.astype(np.float32), mouth.astype(np.float32)


def _even(light: Map, pixels: float) -> Map:
    """Take local brightness and contrast out, so that shadow and paint count alike."""
    mean = cv2.GaussianBlur(light, (0, 0), 0.7 * pixels)
    spread = np.sqrt(np.maximum(cv2.GaussianBlur((light - mean) ** 2, (0, 0), 0.9 * pixels), 0)) + 0.03
    return ((light - mean) / spread).astype(np.float32)


def _valley(light: Map, along: float, across: float) -> Map:
    """How much darker a lying bar is than what lies above it and below it, whichever is darker."""
    bar = cv2.GaussianBlur(light, (0, 0), sigmaX=along, sigmaY=across)
    step = round(2.2 * across)
    padded = np.pad(bar, ((step, step), (0, 0)), mode="edge")
    above, below = padded[: -2 * step], padded[2 * step :]
    return (np.minimum(above, below) * 0.7 + np.maximum(above, below) * 0.3 - bar).astype(np.float32)


def fit(image: NDArray[np.uint8], frame: Frame, rounds: tuple[float, ...] = (32.0, 48.0)) -> Fit:
    """Find the points of the face in ``frame``, coarse to fine.

    Args:
        image: (h, w, 3) RGB.
        frame: Where the face is thought to be.
        rounds: Pixels per unit of each round.
    """
    found = None
    for number, pixels in enumerate(rounds):
        points, quality = _fit_once(patch(image, frame, pixels), pixels, 1.0 if number == 0 else 0.6)
        matrix = frame.matrix(pixels)
        inverse = cv2.invertAffineTransform(matrix)
        points[:2, 1] += EYE_SINK * pixels if number == len(rounds) - 1 else 0
        points = points @ inverse[:, :2].T + inverse[:, 2]
        frame = points_frame(points)
        found = Fit(points, frame, quality)
    assert found is not None  # noqa: S101 (rounds is never empty)
    return found


def four_points(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """Make one point of the mouth's two corners: (4, 2) as ``points_frame`` takes them, from (5, 2)."""
    return np.vstack([points[:3], points[3:].mean(0)])


def points_frame(points: NDArray[np.floating]) -> Frame:
    """Compute the frame of (4, 2) points: eye, eye, nose, mouth."""
    middle, across = points[:2].mean(0), points[1] - points[0]
    unit = max(float(np.hypot(*across)), 0.8 * float(np.hypot(*(points[3] - middle))))
    tilt = float(np.rad2deg(np.arctan2(across[1], across[0])))
    return Frame(float(middle[0]), float(middle[1]), unit, tilt)


def _fit_once(cut: NDArray[np.float32], pixels: float, doubt: float) -> tuple[NDArray[np.float64], float]:
    """Choose the points in one patch; ``doubt`` widens what is expected of the frame."""
    maps = response_maps(cut, pixels)
    side = cut.shape[0]
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    x, y = (columns - REACH * pixels) / pixels, (rows - (REACH - 0.5) * pixels) / pixels
    expected = ((-0.48, 0.0), (0.48, 0.0), (0.0, 0.63), (0.0, 1.08))
    chosen = (maps[0], maps[0], maps[1], maps[2])
    spreads = np.array([(0.2, 0.17), (0.2, 0.17), (0.22, 0.17), (0.22, 0.2)]) * doubt
    lists = []
    for response, (px, py), (sx, sy) in zip(chosen, expected, spreads, strict=True):
        value = response - 0.12 * (((x - px) / sx) ** 2 + ((y - py) / sy) ** 2)
        lists.append(_peaks(value, x, y, max(1, round(0.06 * pixels))))
    points, quality = _combine(lists)
    return points * pixels + (REACH * pixels, (REACH - 0.5) * pixels), quality


def _peaks(value: Map, x: Map, y: Map, radius: int) -> NDArray[np.float64]:
    """List the highest local maxima: x, y, value."""
    top = cv2.dilate(value, np.ones((2 * radius + 1, 2 * radius + 1), np.uint8))
    at = np.flatnonzero((value >= top).ravel())
    at = at[np.argsort(-value.ravel()[at])[:CANDIDATES]]
    return np.stack([x.ravel()[at], y.ravel()[at], value.ravel()[at]], 1).astype(np.float64)


def _combine(lists: list[NDArray[np.float64]]) -> tuple[NDArray[np.float64], float]:
    """Choose one of each list so that responses and mutual agreement are highest."""
    left, right, nose, mouth = lists
    first, second, third = left[:, None, None], right[None, :, None], mouth[None, None, :]
    across = second[..., :2] - first[..., :2]
    distance = np.hypot(across[..., 0], across[..., 1]) + 1e-6
    direction = across / distance[..., None]
    middle = (first[..., :2] + second[..., :2]) / 2
    down = third[..., :2] - middle
    aside = down[..., 0] * direction[..., 0] + down[..., 1] * direction[..., 1]
    below = down[..., 1] * direction[..., 0] - down[..., 0] * direction[..., 1]
    score = first[..., 2] + second[..., 2] + 1.4 * third[..., 2]
    score = score - 0.4 * (np.log(np.maximum(below, 0.05) / (1.08 * distance**0.5)) / 0.17) ** 2
    score -= 0.2 * (np.log(distance / 0.95) / 0.22) ** 2
    score -= 0.2 * (aside / 0.16) ** 2 + 0.2 * (np.degrees(np.arctan2(across[..., 1], across[..., 0])) / 11) ** 2
    score -= 0.3 * np.abs(first[..., 2] - second[..., 2])
    nose_at = middle[..., None, :] + 0.6 * down[..., None, :]
    off = nose[:, :2] - nose_at
    fits = nose[:, 2] * 0.7 - 0.12 * ((off[..., 0] / 0.17) ** 2 + (off[..., 1] / 0.1) ** 2)
    score = score + fits.max(-1)
    a, b, c = np.unravel_index(int(score.argmax()), score.shape)
    n = int(fits[a, b, c].argmax())
    return np.stack([left[a, :2], right[b, :2], nose[n, :2], mouth[c, :2]]), float(score[a, b, c])
