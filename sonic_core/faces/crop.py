"""Cut a face out of a picture at the size that a model works at.

The numbers are those of the published preprocessing, to the last bit, so that published weights see what they were
trained on.
"""

from __future__ import annotations

import torch

from ..errors import InputError
from ..media.pixels import resize_lanczos
from ..settings import Settings
from ..types import Box, Face, Placement, Point, Portrait

MULTIPLE = 64
"""Both sides of a working picture are multiples of this: the VAE halves it three times, the UNet three times more."""
MASK_AREA = 1.1
"""How much larger than the face box the face mask is."""
LEAST_CROP = 16
"""Pixels below which a crop is no picture any more."""


def crop_box(size: tuple[int, int], box: Box, ratio: float) -> tuple[int, int, int, int]:
    """Return the square, in whole pixels, that holds a face and its surroundings.

    The box grows by ``ratio`` of its width on the left and right and of its height above and below and is clipped to
    the picture; the answer is the largest square inside, as near to the face's centre as the clipped box allows.

    Args:
        size: Height and width of the picture in pixels.
        box: The face, (left, top, right, bottom) in pixels.
        ratio: Share of the box that is kept on each side, ≥ 0.

    Source: the published preprocessing; its rounding is Python's, half to even.

    >>> crop_box((542, 187), (128.64, 315.39, 176.91, 367.45), 0.0)
    (129, 317, 177, 366)
    """
    height, width = size
    left, top, right, bottom = box
    across, down = right - left, bottom - top
    grown_left, grown_top = max(left - ratio * across, 0), max(top - ratio * down, 0)
    grown_right, grown_bottom = min(right + ratio * across, width), min(bottom + ratio * down, height)
    side = min(grown_right - grown_left, grown_bottom - grown_top)
    x = min(max((left + right) / 2 - side / 2, grown_left), grown_right - side)
    y = min(max((top + bottom) / 2 - side / 2, grown_top), grown_bottom - side)
    return round(x), round(y), round(x + side), round(y + side)


def working_size(size: tuple[int, int], min_resolution: int) -> tuple[int, int]:
    """Return height and width of the working picture: the shorter side near ``min_resolution``, both multiples of 64.

    A crop that is square but for the rounding of its corners gives a square: where ``min_resolution`` lies between two
    multiples, a single pixel would otherwise make one side a whole multiple longer than the other.

    >>> working_size((150, 310), 64)
    (64, 128)
    >>> working_size((200, 201), 416)
    (384, 384)
    """
    if abs(size[0] - size[1]) <= 1:
        size = (min(size), min(size))
    scale = min_resolution / min(size)
    height, width = (max(1, round(side * scale / MULTIPLE)) * MULTIPLE for side in size)
    return height, width


def face_mask(size: tuple[int, int], box: Box, area: float = MASK_AREA) -> torch.Tensor:
    """Draw the face box, scaled by ``area`` about its centre: 1 inside, 0 outside.

    Args:
        size: Height and width of the mask in pixels.
        box: The face, (left, top, right, bottom) in pixels.
        area: Factor on the box's sides.

    Returns:
        (1, h, w) float32.

    Source: the published preprocessing, whose centre and half sides are integer divisions.
    """
    height, width = size
    left, top, right, bottom = box
    x, y = (left + right) // 2, (top + bottom) // 2
    half_width, half_height = (right - left) * area // 2, (bottom - top) * area // 2
    mask = torch.zeros(1, height, width)
    rows = slice(int(max(y - half_height, 0)), int(min(y + half_height, height)))
    columns = slice(int(max(x - half_width, 0)), int(min(x + half_width, width)))
    mask[:, rows, columns] = 1
    return mask


def crop_portrait(image: torch.Tensor, face: Face, settings: Settings) -> Portrait:
    """Cut ``face`` out of ``image`` and bring the crop to working size.

    Args:
        image: The full picture, (3, H, W), RGB in [0, 1].
        face: The face in the picture's pixels.
        settings: ``expand_ratio`` and ``min_resolution`` count.

    Raises:
        InputError: The face is too small to be cut out.
    """
    image = image.detach().cpu().float()
    height, width = image.shape[-2:]
    box = crop_box((height, width), face.box, settings.expand_ratio)
    left, top, right, bottom = box
    if right - left < LEAST_CROP or bottom - top < LEAST_CROP:
        raise InputError(
            f"The crop around the face would be {right - left}×{bottom - top} pixels; "
            f"at least {LEAST_CROP}×{LEAST_CROP} are needed: use a larger picture or a larger face box."
        )
    source_size = (bottom - top, right - left)
    size = working_size(source_size, settings.min_resolution)
    moved = move_face(face, (left, top), (1.0, 1.0))
    mask = resize_lanczos(face_mask(source_size, moved.box), size)
    cropped = resize_lanczos(image[:, top:bottom, left:right], size)
    scale = size[1] / source_size[1], size[0] / source_size[0]
    return Portrait(cropped, move_face(moved, (0, 0), scale), mask, Placement(image, box))


def move_face(face: Face, origin: Point, scale: Point) -> Face:
    """Express ``face`` in the pixels of a crop that begins at ``origin`` and is scaled by ``scale`` (both x, y)."""

    def move(x: float, y: float) -> Point:
        return (x - origin[0]) * scale[0], (y - origin[1]) * scale[1]

    left, top, right, bottom = face.box
    eye, other_eye, nose, corner, other_corner = (move(*point) for point in face.points)
    points = eye, other_eye, nose, corner, other_corner
    landmarks = None if face.landmarks is None else face.landmarks.moved(origin, scale)
    return Face((*move(left, top), *move(right, bottom)), points, face.score, landmarks)
