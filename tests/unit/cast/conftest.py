"""A group: the bundled portrait, the same mirrored and smaller beside it, and a third time far away."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import sonic_core as sonic
from sonic_core.media.audio import read_audio

ASSETS = Path(__file__).resolve().parents[3] / "assets"
FAR = 80
"""Pixels of the far one: 10 between the eyes."""


@pytest.fixture(scope="package")
def group():
    """(3, 288, 648): face 0 on the left, 1 in the middle, 2 far away on the right."""
    picture = sonic.read_image(ASSETS / "portrait.png")[None]
    first, second, third = (
        torch.nn.functional.interpolate(picture, (side, side), mode="area")[0] for side in (288, 256, FAR)
    )
    made = torch.full((3, 288, 648), 0.5)
    made[:, :, :288] = first
    made[:, 32:, 288:544] = second.flip(2)
    made[:, 20 : 20 + FAR, 552 : 552 + FAR] = third
    return made


@pytest.fixture(scope="session")
def preview():
    return sonic.load_model("sonic-preview")


def said(name, start, seconds):
    """Read a part of a sound of the bundled ones."""
    return read_audio(ASSETS / name, start=start, duration=seconds)


@pytest.fixture(scope="package")
def english():
    return said("speech.wav", 2.0, 1.2)


@pytest.fixture(scope="package")
def chinese():
    return said("sounds/chinese.wav", 0.5, 1.2)
