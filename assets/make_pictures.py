"""Make ``icon.png`` and ``banner.png`` beside this file: what registries of ComfyUI nodes show of the pack.

    python assets/make_pictures.py

Both are drawn from the samples: the bundled portrait, and bars as high as the bundled speech is loud.
"""

from __future__ import annotations

import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ASSETS = Path(__file__).resolve().parent
FINE = 4
"""Pixels drawn per pixel kept, each way, so that edges come out smooth."""
DUSK = ((14, 17, 38), (45, 33, 92))
"""The ground, from its upper left to its lower right corner."""
SOUND = ((70, 208, 255), (176, 132, 255), (255, 118, 92))
"""The sound, from its beginning to its end."""
WHITE, MIST = (255, 255, 255), (190, 194, 222)
FACE = (171, 20, 603, 452)
"""The head in the portrait: left, top, right, bottom."""

Colour = tuple[int, int, int]


def blend(colours: Sequence[Colour], share: np.ndarray) -> np.ndarray:
    """Go through ``colours`` from first to last as ``share`` (…) goes from 0 to 1, giving (…, 3) bytes."""
    stops = np.linspace(0, 1, len(colours))
    mixed = [np.interp(share, stops, channel) for channel in zip(*colours, strict=True)]
    return np.stack(mixed, axis=-1).round().astype(np.uint8)


def ground(width: int, height: int) -> Image.Image:
    """Fill a picture with dusk."""
    across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return Image.fromarray(blend(DUSK, (across + down) / 2))


def loudness(count: int, begin: float = 0.35, seconds: float = 3.6) -> np.ndarray:
    """Measure how loud the speech is in ``count`` parts of its time: 0.08 to 1."""
    with wave.open(str(ASSETS / "speech.wav")) as speech:
        rate = speech.getframerate()
        speech.setpos(int(begin * rate))
        samples = np.frombuffer(speech.readframes(int(seconds * rate)), np.int16) / 32768
    loud = np.array([np.sqrt(np.mean(part**2)) for part in np.array_split(samples, count)])
    return 0.08 + 0.92 * np.sqrt(loud / loud.max())


def draw_bars(canvas: Image.Image, heights: Sequence[float], box: tuple[float, float, float, float]) -> None:
    """Draw rounded bars, centred in the height of ``box`` and filling its width; a bar is as wide as the gap."""
    left, top, right, bottom = box
    wide = (right - left) / (2 * len(heights) - 1)
    brush, colours = ImageDraw.Draw(canvas), blend(SOUND, np.linspace(0, 1, len(heights)))
    for number, (height, colour) in enumerate(zip(heights, colours, strict=True)):
        half = max(height * (bottom - top), wide) / 2
        x, y = left + 2 * number * wide, (top + bottom) / 2
        brush.rounded_rectangle((x, y - half, x + wide, y + half), wide / 2, fill=tuple(colour.tolist()))


def draw_face(canvas: Image.Image, centre: tuple[float, float], radius: float, ring: float) -> None:
    """Draw the head in a circle with a ring of the sound's colours around it."""
    whole, inner = round(2 * (radius + ring)), round(2 * radius)
    colours = Image.fromarray(blend(SOUND, np.linspace(0, 1, whole)[None].repeat(whole, 0)))
    head = Image.open(ASSETS / "portrait.png").convert("RGB").crop(FACE)
    for picture, size in ((colours, whole), (head.resize((inner, inner), Image.Resampling.LANCZOS), inner)):
        canvas.paste(picture, (round(centre[0] - size / 2), round(centre[1] - size / 2)), disc(size))


def disc(size: int) -> Image.Image:
    """Draw the mask of a disc that fills a square."""
    mask = Image.new("L", (size, size))
    ImageDraw.Draw(mask).ellipse((0, 0, size - 1, size - 1), fill=255)
    return mask


def icon() -> Image.Image:
    """Draw the head and its sound: 400 × 400, told apart at 64."""
    size = 400 * FINE
    canvas = ground(size, size)
    draw_face(canvas, (size / 2, 0.4 * size), 0.31 * size, 0.024 * size)
    draw_bars(canvas, (0.35, 0.75, 0.5, 1.0, 0.6, 0.85, 0.35), (0.14 * size, 0.75 * size, 0.86 * size, 0.94 * size))
    corners = Image.new("L", (size, size))
    ImageDraw.Draw(corners).rounded_rectangle((0, 0, size - 1, size - 1), 0.2 * size, fill=255)
    canvas.putalpha(corners)
    return canvas.resize((400, 400), Image.Resampling.LANCZOS)


def banner() -> Image.Image:
    """Draw the speech that reaches the portrait, and what this is called: 1260 × 540."""
    width, height = 1260 * FINE, 540 * FINE
    canvas = ground(width, height)
    draw_bars(canvas, loudness(44).tolist(), (0.065 * width, 0.60 * height, 0.60 * width, 0.88 * height))
    draw_face(canvas, (0.79 * width, 0.5 * height), 0.36 * height, 0.014 * height)
    brush = ImageDraw.Draw(canvas)
    brush.text((0.06 * width, 0.15 * height), "Sonic Portrait", WHITE, ImageFont.load_default(0.165 * height))
    line = "One portrait and one sound become a talking video."
    brush.text((0.065 * width, 0.375 * height), line, MIST, ImageFont.load_default(0.051 * height))
    return canvas.resize((1260, 540), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    icon().save(ASSETS / "icon.png", optimize=True)
    banner().save(ASSETS / "banner.png", optimize=True)
