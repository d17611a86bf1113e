"""A talking person in a larger picture, and what they shall say instead."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

import sonic_core as sonic
from sonic_core import Audio, Clip

RATE = Fraction(25)
HIGH, WIDE, TOP, LEFT = 448, 640, 40, 150
"""A picture, and where a talking head of 384 pixels lies in it."""


def clip_of(frames, audio=None):
    return Clip(lambda: (frame[None] for frame in frames), RATE, len(frames), tuple(frames[0].shape[1:]), audio)


@pytest.fixture(scope="module")
def frames(talking):
    """Frames 25 to 85 of the bundled clip, which speaks, in a larger picture of noise; bytes, as files have them."""
    noise = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, HIGH, WIDE)).astype(np.float32)) / 255
    shown = []
    for frame in talking.cut(25, 60).frames():
        whole = noise.clone()
        whole[:, TOP : TOP + 384, LEFT : LEFT + 384] = (frame * 255).round() / 255
        shown.append(whole)
    return shown


@pytest.fixture(scope="module")
def sound(talking):
    """Speech that the mouth of ``frames`` does not say: what is heard four seconds later."""
    rate = talking.audio.rate
    return Audio(talking.audio.samples[:, 4 * rate : round(6.4 * rate)], rate)


@pytest.fixture(scope="module")
def model():
    return sonic.load_model("sonic-preview")
