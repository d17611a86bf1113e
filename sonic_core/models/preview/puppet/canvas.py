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
AROUND = 0.5
"""The same where the whole is shown: hair and shoulders go along with the head."""
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
    placement: Placement
    """Where in the picture the frames, which show ``view``, lie."""


def lay_canvas(portrait: Portrait, landmarks: Landmarks) -> Canvas:
    """Put a portrait on a canvas of what is around it, whose border stays where it is; frames show the portrait.

    Args:
        portrait: The crop and where it came from.
        landmarks: The face in its pixels.
    """
    crop = np.ascontiguousarray(portrait.image.permute(1, 2, 0).numpy(), np.float32)
    height, width = crop.shape[:2]
    left, top, right, bottom = _room(portrait.placement, (height, width))
    size = top + height + bottom, left + width + right
    view = slice(top, top + height), slice(left, left + width)
    scales = _scales(portrait.placement, (height, width))
    origin = portrait.placement.box[0] - left / scales[0], portrait.placement.box[1] - top / scales[1]
    image = _cut(portrait.placement, origin, scales, size)
    image[view] = crop
    person = _find_person(portrait.placement, origin, scales, size)
    return Canvas(image, landmarks.moved((-left, -top), (1.0, 1.0)), view, person, portrait.placement)


def lay_wide_canvas(portrait: Portrait, landmarks: Landmarks) -> Canvas:
    """Put a portrait with hair and shoulders on a canvas that is shown whole, to be put back into its picture.

    It is no larger than it is in the picture, where more pixels would be lost again, nor than its room.

    Args:
        portrait: The crop and where it came from.
        landmarks: The face in its pixels.
    """
    placement = portrait.placement
    crop = portrait.image.shape[1], portrait.image.shape[2]
    (across, down), (left, top, right, bottom) = _scales(placement, crop), placement.box
    room = placement.room or (0, 0, placement.source.shape[2], placement.source.shape[1])
    aside, above = round(AROUND * (right - left)), round(AROUND * (bottom - top))
    box = (max(left - aside, room[0]), max(top - above, room[1]),
           min(right + aside, room[2]), min(bottom + above, room[3]))  # fmt: skip
    size = tuple(
        max(round(side * min(scale, 1.0)), 1) for side, scale in ((box[3] - box[1], down), (box[2] - box[0], across))
    )
    scales = size[1] / (box[2] - box[0]), size[0] / (box[3] - box[1])
    origin = float(box[0]), float(box[1])
    image = _cut(placement, origin, scales, (size[0], size[1]))
    moved = landmarks.moved(((box[0] - left) * across, (box[1] - top) * down), (scales[0] / across, scales[1] / down))
    person = _find_person(placement, origin, scales, (size[0], size[1]))
    return Canvas(image, moved, (slice(0, size[0]), slice(0, size[1])), person, Placement(placement.source, box))


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


def _cut(
    placement: Placement, origin: tuple[float, float], scales: tuple[float, float], size: tuple[int, int]
) -> Floats:
    """Cut a canvas that begins at ``origin`` (x, y) out of the picture and bring it to ``size``: (h, w, 3)."""
    box = *origin, origin[0] + size[1] / scales[0], origin[1] + size[0] / scales[1]
    pixels = _picture(placement.source)
    limits = pixels.width, pixels.height, pixels.width, pixels.height
    left, top, right, bottom = (min(max(side, 0.0), float(most)) for side, most in zip(box, limits, strict=True))
    resized = pixels.resize((size[1], size[0]), Image.Resampling.LANCZOS, box=(left, top, right, bottom))
    return np.divide(np.asarray(resized), np.float32(255), dtype=np.float32)


def _find_person(
    placement: Placement, origin: tuple[float, float], scales: tuple[float, float], size: tuple[int, int]
) -> Floats:
    """Look for the person in and around the crop: (h, w) on the canvas."""
    left, top, right, bottom = placement.box
    high, wide = placement.source.shape[1:]
    aside, above = _SEEN * (right - left), _SEEN * (bottom - top)
    x, y = round(max(left - aside, 0)), round(max(top - above, 0))
    end_x, end_y = round(min(right + aside, wide)), round(min(bottom + above, high))
    mask = segment_person(placement.source[:, y:end_y, x:end_x])
    (across, down), (begin_x, begin_y) = scales, origin
    matrix = np.array([[across, 0, (x - begin_x) * across], [0, down, (y - begin_y) * down]], np.float64)
    laid = cv2.warpAffine(mask, matrix, (size[1], size[0]), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(laid, np.float32)


def _picture(source: torch.Tensor) -> Image.Image:
    """Make Pillow's picture of (3, h, w) in [0, 1]."""
    pixels = (source.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    return Image.fromarray(pixels)
