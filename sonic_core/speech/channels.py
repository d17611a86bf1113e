"""Which of a sound's channels carry the voice: channels that are silent or each other's opposite are noticed."""

from __future__ import annotations

from typing import NamedTuple

import torch

from ..media.mixing import mix
from ..types import Audio

SILENT = 1e-4
"""Share of full scale: what never exceeds it is silence."""

_BLOCK = 20  # s
_CANCELLED = 0.03  # of the channels' mean power is what a sum of theirs keeps at least; of unlike ones it keeps a half
_DEAF = 3e-5  # of the louder channel's power: −45 dB, as from a lead that is not plugged in


class Ear(NamedTuple):
    """How to listen to a sound with several channels."""

    weights: torch.Tensor
    """(1, channels): the sum that is listened to."""
    peak: float
    """Largest magnitude of any sample, 0 for none."""
    remark: str = ""
    """What is wrong with the channels, in a sentence; empty where nothing is."""


def choose_ear(audio: Audio) -> Ear:
    """Find how to listen: to the mean of all channels, but where they cancel each other to their difference."""
    channels, count = audio.samples.shape
    peak, products = 0.0, torch.zeros(channels, channels)
    for start in range(0, count, _BLOCK * audio.rate):
        part = audio.samples[:, start : start + _BLOCK * audio.rate]
        peak = max(peak, float(part.abs().max()))
        products += part @ part.T
        audio.rest()
    weights = mix(channels, 1, surround=audio.surround) if channels > 1 else torch.ones(1, 1)
    power = products.diagonal()
    if channels == 1 or peak < SILENT:
        return Ear(weights, peak)
    kept = float((weights @ products @ weights.T)[0, 0] / (weights.square().sum() * power.max()))
    if kept < _CANCELLED:
        weights = torch.zeros(1, channels)
        first, second = power.topk(2).indices.tolist()
        weights[0, first], weights[0, second] = 0.5, -0.5
        return Ear(weights, peak, _OPPOSITE)
    if channels == 2 and float(power.min()) < _DEAF * float(power.max()):
        heard = int(power.argmax())
        weights = torch.zeros(1, 2)
        weights[0, heard] = 1.0
        return Ear(weights, peak, _ONE_SIDED.format(("left", "right")[1 - heard], ("left", "right")[heard]))
    return Ear(weights, peak)


_OPPOSITE = (
    "The sound's channels are each other's opposite and cancel out where they are mixed: the mouth follows their "
    "difference, but on one loudspeaker nothing will be heard; invert one channel of the sound."
)
_ONE_SIDED = "The sound's {} channel is silent: the mouth follows the {} one."
