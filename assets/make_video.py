"""Make ``video.mp4`` beside this file: the sample that *Talking video repair* repairs.

    python assets/make_video.py [OUTPUT.mp4]

The bundled portrait says the bundled speech by sonic-preview; then the faults are put in: the sound comes 40 ms late,
and the picture shakes and flickers a little, as from a hand-held camera under a bad lamp.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

ASSETS = Path(__file__).resolve().parent
sys.path.insert(0, str(ASSETS.parent))

from sonic_core import load_model  # noqa: E402 - this file runs without the project being installed
from sonic_core.clip import Clip  # noqa: E402
from sonic_core.media.mixing import shift  # noqa: E402

LATE = 0.040
"""Seconds by which the sound is late."""
SHAKE, FLICKER = 0.5, 0.008
"""Deviations of the picture's place, in pixels, and of its light, as a share; from frame to frame at random."""


def spoilt(clip: Clip) -> Clip:
    """Put the faults into a clip."""

    def read() -> Iterator[torch.Tensor]:
        chance = np.random.default_rng(0)
        for frame in clip.frames():
            pixels = frame.permute(1, 2, 0).numpy()
            (right, down), light = chance.normal(0, SHAKE, 2), 1 + chance.normal(0, FLICKER)
            move = np.array([[1, 0, right], [0, 1, down]])
            moved = cv2.warpAffine(pixels, move, pixels.shape[1::-1], None, cv2.INTER_CUBIC, cv2.BORDER_REFLECT_101)
            yield torch.from_numpy(moved * np.float32(light)).clamp(0, 1).permute(2, 0, 1)[None]

    return replace(clip, read=read, audio=clip.audio and shift(clip.audio, LATE))


if __name__ == "__main__":
    goal = Path(sys.argv[1]) if len(sys.argv) > 1 else ASSETS / "video.mp4"
    clip = load_model("sonic-preview").generate(ASSETS / "speech.wav", ASSETS / "portrait.png", min_resolution=384)
    spoilt(clip).export(goal, crf=26)
