"""What is around a portrait's crop: where the picture goes on, heads and hair move in from there."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from PIL import Image

from ....faces.landmarks import segment_person
from ....types import Landmarks, Placement, Portrait
from .grid import Floats, Window

SHARE = 0.18
"""Share of the crop's sides that is kept around it: a head turned and tilted as far as it goes brings in no more."""
MULTIPLE = 16
"""What is kept around is a multiple of so many pixels, and so of a grid's cells."""
_SEEN = 0.6  # share of the crop's sides around it in which the person is looked for: shoulders help


@dataclass(frozen=True, eq=False)
class Canvas:
    """The portrait with what is around it."""

    image: Floats
    """(h, w, 3) RGB in [0, 1]; in ``view`` the portrait's own pixels."""
    landmarks: Landmarks
    """The face in the canvas' pixels."""
    view: Window
    """Rows and columns of the canvas that are the portrait."""
    person: Floats
    """(h, w): share of a person in each pixel, 0 … 1."""


def lay_canvas(portrait: Portrait, landmarks: Landmarks, *, pinned: bool) -> Canvas:
    """Put a portrait on a canvas.

    Args:
        portrait: The crop and where it came from.
        landmarks: The face in its pixels.
        pinned: The crop's border must not move, since it will be put back into the picture.
    """
    crop = np.ascontiguousarray(portrait.image.permute(1, 2, 0).numpy(), np.float32)
    height, width = crop.shape[:2]
    left, top, right, bottom = (0, 0, 0, 0) if pinned else _room(portrait.placement, (height, width))
    size = top + height + bottom, left + width + right
    view = slice(top, top + height), slice(left, left + width)
    image = (
        _cut(portrait.placement, (height, width), (left, top), size) if max(left, top, right, bottom) else crop.copy()
    )
    image[view] = crop
    moved = landmarks.moved((-left, -top), (1.0, 1.0))
    return Canvas(image, moved, view, _find_person(portrait.placement, (height, width), (left, top), size))


def _scales(placement: Placement, crop: tuple[int, int]) -> tuple[float, float]:
    """Return the crop's pixels for each of the picture's, across and down."""
    left, top, right, bottom = placement.box
    return crop[1] / (right - left), crop[0] / (bottom - top)


def _room(placement: Placement, crop: tuple[int, int]) -> tuple[int, int, int, int]:
    """Count the pixels that can be kept to the left, above, to the right and below."""
    high, wide = placement.source.shape[1:]
    left, top, right, bottom = placement.box
    across, down = _scales(placement, crop)
    there = left * across, top * down, (wide - right) * across, (high - bottom) * down
    wanted = SHARE * crop[1], SHARE * crop[0], SHARE * crop[1], SHARE * crop[0]
    first, second, third, fourth = (
        int(min(pixels, most) // MULTIPLE) * MULTIPLE for pixels, most in zip(there, wanted, strict=True)
    )
    return first, second, third, fourth


def _cut(placement: Placement, crop: tuple[int, int], origin: tuple[int, int], size: tuple[int, int]) -> Floats:
    """Cut the canvas out of the picture, enlarged as the crop was: (h, w, 3)."""
    across, down = _scales(placement, crop)
    left, top = placement.box[0] - origin[0] / across, placement.box[1] - origin[1] / down
    box = left, top, left + size[1] / across, top + size[0] / down
    pixels = _picture(placement.source)
    limits = pixels.width, pixels.height, pixels.width, pixels.height
    inside = tuple(min(max(side, 0.0), float(most)) for side, most in zip(box, limits, strict=True))
    resized = pixels.resize(
        (size[1], size[0]), Image.Resampling.LANCZOS, box=(inside[0], inside[1], inside[2], inside[3])
    )
    return np.divide(np.asarray(resized), np.float32(255), dtype=np.float32)


def _find_person(placement: Placement, crop: tuple[int, int], origin: tuple[int, int], size: tuple[int, int]) -> Floats:
    """Look for the person in and around the crop: (h, w) on the canvas."""
    left, top, right, bottom = placement.box
    high, wide = placement.source.shape[1:]
    aside, above = _SEEN * (right - left), _SEEN * (bottom - top)
    x, y = round(max(left - aside, 0)), round(max(top - above, 0))
    end_x, end_y = round(min(right + aside, wide)), round(min(bottom + above, high))
    mask = segment_person(placement.source[:, y:end_y, x:end_x])
    across, down = _scales(placement, crop)
    matrix = np.array(
        [[across, 0, (x - left) * across + origin[0]], [0, down, (y - top) * down + origin[1]]], np.float64
    )
    laid = cv2.warpAffine(mask, matrix, (size[1], size[0]), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(laid, np.float32)


def _picture(source: torch.Tensor) -> Image.Image:
    """Make Pillow's picture of (3, h, w) in [0, 1]."""
    pixels = (source.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    return Image.fromarray(pixels)
