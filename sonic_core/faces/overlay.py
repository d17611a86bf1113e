"""Draw on a picture what will happen to it: which face speaks, what is cut out, and what counts as the face.

Lines and letters are drawn larger on a layer of their own and laid over the picture, so that they are smooth and the
picture stays sharp; a dark rim keeps them readable on every background.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from ..media.pixels import as_bytes, resize_bytes
from ..types import Box, Face, Point, Portrait
from .crop import move_face

LEAST_SIDE, MOST_SIDE = 384, 768
"""Longer side in pixels of what is drawn; smaller pictures are enlarged, so that the words on them can be read."""

_FINE = 3
"""Factor by which lines and letters are drawn larger."""
_SAME = 0.95
"""Common share of two boxes from which they are one face."""
_FACE, _CROP, _OTHER, _ALARM = (96, 214, 148), (255, 255, 255), (214, 220, 230), (250, 190, 92)
_STEPS = [size * 10**power for power in range(1, 6) for size in (1, 2, 5)]
"""Pixels between the marks of a ruler, of which there are at most eight."""
_RIM, _LABEL, _INK = (12, 14, 18, 120), (16, 18, 23, 205), (240, 242, 246)
_SHADE, _TINT = 0.5, 0.16
"""Brightness that is left outside of the crop, and strength of the mask's colour."""

Colour = tuple[int, int, int]


def draw_crop(portrait: Portrait, faces: Sequence[Face] = ()) -> torch.Tensor:
    """Draw a portrait's way: the whole picture, its crop, the face in it and the mask over the face.

    Args:
        portrait: What was prepared.
        faces: All faces of the picture, the largest first, in its pixels; their numbers are what ``face_index`` takes.

    Returns:
        (3, h, w) RGB in [0, 1], its longer side between ``LEAST_SIDE`` and ``MOST_SIDE``.
    """
    canvas = _Canvas(portrait.placement.source)
    crop, face = portrait.placement.box, _in_picture(portrait)
    canvas.shade(crop)
    canvas.tint(crop, portrait.mask)
    for index, other in enumerate(faces):
        if not _same(face.box, other.box):
            canvas.frame(other.box, _OTHER, 1)
            canvas.label(str(index), other.box, _OTHER)
    canvas.corners(crop, _CROP)
    canvas.frame(face.box, _FACE, 2)
    if len(faces) > 1:
        mine = next((str(index) for index, other in enumerate(faces) if _same(face.box, other.box)), "")
        canvas.label(mine, face.box, _FACE)
    for point in face.points:
        canvas.dot(point, _FACE)
    height, width = portrait.image.shape[-2:]
    canvas.label(f"{width} x {height}", crop, _CROP, below=True)
    return canvas.finished()


def draw_search(image: torch.Tensor, caption: str = "No face found", faces: Sequence[Face] = ()) -> torch.Tensor:
    """Draw a picture of which no face could be taken, with what helps to point at one: a ruler in its pixels.

    Args:
        image: The picture that was searched, (3, h, w) RGB in [0, 1].
        caption: A few words, and perhaps a longer line below; ASCII, as everything that is written here.
        faces: Faces that are there but were not asked for, the largest first.

    Returns:
        (3, h, w) RGB in [0, 1], as ``draw_crop`` gives.
    """
    canvas = _Canvas(image)
    canvas.shade()
    canvas.rulers(_OTHER)
    for index, face in enumerate(faces):
        canvas.frame(face.box, _FACE, 2)
        canvas.label(str(index), face.box, _FACE)
    canvas.caption(caption, _ALARM)
    return canvas.finished()


def draw_roles(image: torch.Tensor, faces: Sequence[tuple[Face, str, bool]]) -> torch.Tensor:
    """Draw on a picture what its faces do.

    Args:
        image: (3, h, w) RGB in [0, 1].
        faces: Of each: the face in its pixels, a word or two, and whether it stands out; the last is drawn on top.

    Returns:
        (3, h, w) RGB in [0, 1], as ``draw_crop`` gives.
    """
    canvas = _Canvas(image)
    for face, words, strong in faces:
        colour = _FACE if strong else _OTHER
        canvas.frame(face.box, colour, 2 if strong else 1)
        canvas.label(words, face.box, colour)
    return canvas.finished()


def _in_picture(portrait: Portrait) -> Face:
    """Express the face in the full picture's pixels."""
    left, top, right, bottom = portrait.placement.box
    height, width = portrait.image.shape[-2:]
    scale = (right - left) / width, (bottom - top) / height
    return move_face(portrait.face, (-left / scale[0], -top / scale[1]), scale)


def _same(box: Box, other: Box) -> bool:
    """Say whether two boxes mean one face."""
    across = min(box[2], other[2]) - max(box[0], other[0])
    down = min(box[3], other[3]) - max(box[1], other[1])
    larger = max((one[2] - one[0]) * (one[3] - one[1]) for one in (box, other))
    return max(across, 0) * max(down, 0) >= _SAME * larger


class _Canvas:
    """A picture at the size at which it is shown, and a finer layer to draw on; places are the original's pixels."""

    def __init__(self, image: torch.Tensor) -> None:
        high, wide = image.shape[-2:]
        self.scale = min(max(high, wide, LEAST_SIDE), MOST_SIDE) / max(high, wide)
        size = max(1, round(wide * self.scale)), max(1, round(high * self.scale))
        self.pixels = resize_bytes(as_bytes(image), (size[1], size[0])).astype(np.float32) / 255
        self.layer = Image.new("RGBA", (size[0] * _FINE, size[1] * _FINE))
        self.pen = ImageDraw.Draw(self.layer)
        self.unit = max(size) * _FINE / 384
        """The width of a fine line on the layer."""

    def shade(self, inside: Box | None = None) -> None:
        """Darken all that lies outside of a box."""
        bright = np.full(self.pixels.shape[:2], _SHADE, np.float32)
        if inside is not None:
            left, top, right, bottom = (round(side * self.scale) for side in inside)
            bright[top:bottom, left:right] = 1
        self.pixels *= bright[..., None]

    def tint(self, box: Box, mask: torch.Tensor) -> None:
        """Colour the part of a box that ``mask`` (1, h, w) covers."""
        left, top, right, bottom = (round(side * self.scale) for side in box)
        part = self.pixels[top:bottom, left:right]
        share = Image.fromarray(mask[0].detach().cpu().float().numpy()).resize(part.shape[1::-1])
        share = _TINT * np.asarray(share)[..., None]
        part[:] = part * (1 - share) + np.array(_FACE, np.float32) / 255 * share

    def frame(self, box: Box, colour: Colour, thick: float) -> None:
        """Draw a box's outline."""
        left, top, right, bottom = self._at(box)
        self._line([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], colour, thick)

    def corners(self, box: Box, colour: Colour) -> None:
        """Draw a box as a camera shows its frame: a thin outline with strong corners."""
        self.frame(box, colour, 1)
        left, top, right, bottom = self._at(box)
        arm = min(right - left, bottom - top) / 8
        for x, y, across, down in (
            (left, top, arm, arm), (right, top, -arm, arm), (right, bottom, -arm, -arm), (left, bottom, arm, -arm)
        ):  # fmt: skip
            self._line([(x + across, y), (x, y), (x, y + down)], colour, 3)

    def dot(self, point: Point, colour: Colour) -> None:
        """Mark a point."""
        x, y = (place * self.scale * _FINE for place in point)
        for radius, fill in ((3.2 * self.unit, _RIM), (2.2 * self.unit, colour)):
            self.pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)

    def label(self, text: str, box: Box, colour: Colour, *, below: bool = False) -> None:
        """Write a few characters above a box's left corner or below its middle; inside where there is no room."""
        left, top, right, bottom = self._at(box)
        font = ImageFont.load_default(round(13 * self.unit))
        width, high, gap = self.pen.textlength(text, font) + 10 * self.unit, 18 * self.unit, 3 * self.unit
        x = (left + right - width) / 2 if below else left
        y = bottom + gap if below else top - gap - high
        if y < 0 or y + high > self.layer.height:
            y = bottom - gap - high if below else top + gap
        x = min(max(x, 0), max(self.layer.width - width, 0))
        self.pen.rounded_rectangle((x, y, x + width, y + high), 5 * self.unit, _LABEL)
        self.pen.text((x + width / 2, y + high / 2), text, colour, font, anchor="mm")

    def caption(self, text: str, colour: Colour) -> None:
        """Write across the lower edge, the first line large, each as large as fits."""
        width, height = self.layer.size
        bottom = height
        for index, line in reversed(list(enumerate(text.splitlines()))):
            size = (11 if index else 19) * self.unit
            size *= min(1, 0.94 * width / self.pen.textlength(line, ImageFont.load_default(size)))
            self.pen.rectangle((0, bottom - 1.7 * size, width, bottom - 1), _LABEL)
            spot = (width / 2, bottom - 0.85 * size)
            self.pen.text(spot, line, _INK if index else colour, ImageFont.load_default(size), anchor="mm")
            bottom -= round(1.7 * size)

    def rulers(self, colour: Colour) -> None:
        """Count the picture's pixels along its upper and left edge."""
        size = [side / self.scale / _FINE for side in self.layer.size]
        step = next(step for step in _STEPS if max(size) <= 8 * step)
        font, far, gap = ImageFont.load_default(9 * self.unit), 5 * self.unit, 7 * self.unit
        for axis, ends in enumerate(size):
            for count in range(1, math.ceil(ends / step)):
                place = count * step * self.scale * _FINE
                begin, end, words = (
                    ((0, place), (far, place), (gap, place)) if axis else ((place, 0), (place, far), (place, gap))
                )
                self._line([begin, end], colour, 1)
                self.pen.text(words, str(count * step), colour, font, "lm" if axis else "mt")

    def finished(self) -> torch.Tensor:
        """Lay the drawing over the picture."""
        layer = np.asarray(self.layer.reduce(_FINE), np.float32) / 255
        pixels = self.pixels * (1 - layer[..., 3:]) + layer[..., :3] * layer[..., 3:]
        return torch.from_numpy(pixels).permute(2, 0, 1).clamp(0, 1).contiguous()

    def _at(self, box: Box) -> Box:
        """Find a box on the layer, where its outline can still be seen."""
        left, top, right, bottom = (side * self.scale * _FINE for side in box)
        width, height, rim = *self.layer.size, 1.5 * self.unit
        return max(left, rim), max(top, rim), min(right, width - rim), min(bottom, height - rim)

    def _line(self, ends: Sequence[Point], colour: Colour, thick: float) -> None:
        for extra, fill in ((1.4, _RIM), (0, colour)):
            self.pen.line(ends, fill, max(1, round((thick + extra) * self.unit)), joint="curve")
