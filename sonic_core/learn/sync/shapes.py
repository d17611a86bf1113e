"""From the product's own motion to what a mesh sees of it: a ridge regression on a few clips that are drawn for it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, SonicWarning
from ...media.audio import read_audio
from ...pipeline import load_model
from ...speech import Speech
from ...sync.lip_shape import LIP_CURVES
from ...sync.mouth import MouthMotion, mouth_motion
from ...sync.network import FRAME_RATE
from ...sync.views import Curve, at_frame_rate, without_trend
from .pieces import MOVED, moved_curves

DRAWN = 256
"""Pixels of the shorter side of clips that are drawn to be looked at."""
_PULL = 0.02
"""Share of the motion's own variance by which slopes are pulled towards 0."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class DrawnClip:
    """What the product meant a mouth to do, and what a mesh saw of it."""

    meant: NDArray[np.float64]
    """(``MOVED``, n) at ``FRAME_RATE``."""
    shown: Curve
    """(curves, n)."""


def draw(portrait: Path, sounds: Sequence[Path]) -> list[DrawnClip]:
    """Let a portrait say some sounds, and look at it.

    Raises:
        InputError: There is no sound.
    """
    if not sounds:
        raise InputError("Expected at least one sound that a portrait can say, got none; name a folder that has some.")
    model, clips = load_model("sonic-preview"), []
    for path in sounds:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SonicWarning)  # it is small on purpose
            clip = model.generate(path, portrait, min_resolution=DRAWN)
        motion = mouth_motion(clip)
        speech = Speech.of(read_audio(path))
        clips.append(DrawnClip(moved_curves(speech.motion, clip.length, float(clip.fps)), shown_curves(motion)))
        _log.info("%s: %d frames drawn and looked at", path.name, clip.length)
    return clips


def shown_curves(motion: MouthMotion) -> Curve:
    """Read what was seen of a mouth at ``FRAME_RATE``."""
    return at_frame_rate(motion.signals, motion.seen, float(motion.fps))[0]


def fit_slopes(clips: Sequence[DrawnClip]) -> NDArray[np.float64]:
    """Fit the slopes (curves, ``MOVED``) that make of the motion what was seen, and say how well they do."""
    meant = np.concatenate([without_trend(clip.meant) for clip in clips], axis=1)
    shown = np.concatenate([without_trend(clip.shown[:, : clip.meant.shape[1]]) for clip in clips], axis=1)
    square = meant @ meant.T
    square += _PULL * np.diag(np.diag(square)) + 1e-9 * np.eye(len(MOVED))
    slopes = np.linalg.solve(square, meant @ shown.T).T
    explained = 1 - (shown - slopes @ meant).var(1) / (shown.var(1) + 1e-12)
    told = ", ".join(f"{name} {share:.2f}" for name, share in zip(LIP_CURVES, explained, strict=True))
    _log.info(
        "share of a mesh's curves that the motion explains, %d frames at %d: %s", meant.shape[1], FRAME_RATE, told
    )
    return slopes
