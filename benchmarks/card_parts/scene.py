"""A portrait, a sound and settings that every clip of the benchmark is made of."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch

from sonic_core.faces.crop import crop_portrait
from sonic_core.settings import Settings
from sonic_core.types import Audio, Face, Portrait

from .bench import Bench

RATE = 16000
"""Samples of the sound in a second."""


def portrait(side: int) -> Portrait:
    """Make a picture with something like a face in its middle, cut to ``side`` pixels."""
    full = 2 * side
    y, x = torch.meshgrid(torch.linspace(0, 1, full), torch.linspace(0, 1, full), indexing="ij")
    image = torch.stack([x, y, ((x - 0.5) ** 2 + (y - 0.5) ** 2).sqrt()])
    places = ((0.42, 0.42), (0.58, 0.42), (0.5, 0.5), (0.44, 0.6), (0.56, 0.6))
    a, b, c, d, e = ((full * across, full * down) for across, down in places)
    face = Face((0.3 * full, 0.3 * full, 0.7 * full, 0.7 * full), (a, b, c, d, e), 1.0)
    return crop_portrait(image, face, settings(side))


def sound(seconds: float) -> Audio:
    """Make something that swells like speech."""
    moments = torch.arange(round(seconds * RATE)) / RATE
    return Audio((0.4 * torch.sin(moments * 900) * torch.sin(moments * 20))[None], RATE)


def settings(
    side: int, *, quality: str = "exact", stream: bool = False, more: Mapping[str, Any] | None = None
) -> Settings:
    """Make settings for squares of ``side`` pixels, without a word about them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Settings(min_resolution=side, quality=quality, stream=stream, **(more or {}))


def small(bench: Bench) -> dict[str, Any]:
    """Return what makes a rehearsal's clip short: few steps over small windows."""
    return {"inference_steps": 2, "window": bench.frames, "window_shift": 3} if bench.rehearse else {}
