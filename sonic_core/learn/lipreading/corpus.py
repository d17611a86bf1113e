"""Stored clips → training batches, roughened anew each time in the mel domain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage, signal

from ...speech.mel import BANDS, scale_of, standardise
from ...speech.network import CHANNELS
from ...speech.spectrum import LEVEL_RATE, RATE
from .articulation import PAUSE
from .coarticulation import Script, draw_targets
from .dataset import levels_of
from .roughening import noise

CROP = int(4.8 * LEVEL_RATE)
"""Levels in a crop."""
_RESTING = np.array([*PAUSE.target, 0, 0], np.float16)


@dataclass(frozen=True)
class SpokenClip:
    """One stored clip of n mel levels."""

    clean: np.ndarray
    """(n, bands) float16, dB."""
    rough: np.ndarray
    """The same, worn by rooms, microphones and codecs."""
    targets: np.ndarray
    """(n, channels + 2) float16: see ``draw_targets``."""


def read_clips(paths: list[Path]) -> list[SpokenClip]:
    """Read all clips of some stored batches and draw their targets."""
    clips = []
    for path in paths:
        with np.load(path) as stored:
            data = {name: stored[name] for name in ("clean", "rough", "lengths", "symbols", "closures")}
        ends = np.cumsum(data["lengths"])
        for index, (start, end) in enumerate(zip(ends - data["lengths"], ends, strict=True)):
            sounds, closures = (data[name][data[name][:, 0] == index][:, 1:] for name in ("symbols", "closures"))
            clean = data["clean"][start:end]
            targets = draw_targets(Script(sounds, closures), clean).astype(np.float16)
            clips.append(SpokenClip(clean, data["rough"][start:end], targets))
    return clips


def make_noises(count: int, seconds: float = 12.0, seed: int = 4) -> np.ndarray:
    """Invent backgrounds as mel power relative to their mean: (count, n, bands) float32."""
    random = np.random.default_rng(seed)
    levels = np.stack([levels_of(noise(int(seconds * RATE), random)) for _ in range(count)])
    power = 10 ** (levels.astype(np.float32) / 10)
    return power / power.mean((1, 2), keepdims=True)


class Roughener:
    """Draws clips and roughens their levels."""

    def __init__(self, clips: list[SpokenClip], noises: np.ndarray, seed: int) -> None:
        self.clips, self.noises, self.random = clips, noises, np.random.default_rng(seed)

    def batch(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw levels (size, CROP, bands) and targets (size, channels + 2, CROP / 2), float32."""
        levels = np.zeros((size, CROP, BANDS), np.float32)
        targets = np.zeros((size, len(CHANNELS) + 2, CROP // 2), np.float32)
        for row in range(size):
            clip = self.drawn()
            heard, aims = self.roughened(clip), clip.targets
            spoken = standardise(heard, scale_of(heard))
            if self.random.random() < 0.6:
                spoken, aims = self._drawled(spoken, aims)
            start = 2 * int(self.random.integers(0, max(1, (len(spoken) - CROP) // 2)))
            part, aim = spoken[start : start + CROP], aims[start : start + CROP : 2]
            levels[row, : len(part)] = self._masked(part)
            targets[row, :, : len(aim)] = aim.T
        return levels, targets

    def drawn(self) -> SpokenClip:
        """Draw a clip; some are followed or led by a long pause, a few have nobody speaking in them."""
        random = self.random
        clip = self.clips[int(random.integers(len(self.clips)))]
        if random.random() < 0.05:
            first = int(random.integers(0, self.noises.shape[1] - 2 * CROP))
            noise = self.noises[int(random.integers(len(self.noises)))][first : first + 2 * CROP]
            levels = (10 * np.log10(noise + 1e-9) - 30).astype(np.float16)
            return SpokenClip(levels, levels, np.tile(_RESTING, (len(levels), 1)))
        if random.random() < 0.2:
            before, after = (int(random.integers(0, 400)) * int(random.random() < 0.6) for _ in range(2))
            around = ((before, after), (0, 0))
            clean, rough = (np.pad(levels, around, constant_values=-110) for levels in (clip.clean, clip.rough))
            still = [np.tile(_RESTING, (count, 1)) for count in (before, after)]
            return SpokenClip(clean, rough, np.concatenate([still[0], clip.targets, still[1]]))
        return clip

    def roughened(self, clip: SpokenClip) -> np.ndarray:
        """Return a new version of a clip's levels in dB, (n, bands) float32."""
        random = self.random
        levels = (clip.rough if random.random() < 0.7 else clip.clean).astype(np.float32)
        if random.random() < 0.5:
            levels = _warped(levels, random.uniform(0.93, 1.07), random.uniform(-1.2, 1.2))
        if random.random() < 0.3:
            levels = ndimage.gaussian_filter1d(levels, random.uniform(0.4, 1.2), axis=1)
        power = 10 ** (levels / 10)
        if random.random() < 0.2:
            power = _smeared(power, random.uniform(0.3, 0.85))
        if random.random() < 0.85:
            power = power + self._background(power)
        levels = 10 * np.log10(power + 1e-11)
        if random.random() < 0.4:
            levels = levels + self._drift(len(levels))
        return levels

    def _background(self, power: np.ndarray) -> np.ndarray:
        """Draw what is heard behind (n, bands): other voices, or an invented noise; loud in almost half of all."""
        random, count = self.random, len(power)
        if random.random() < 0.25:
            added = np.zeros_like(power)
            for _ in range(int(random.integers(1, 5))):
                other = self.clips[int(random.integers(len(self.clips)))].rough[:count].astype(np.float32)
                added[: len(other)] += 10 ** (other / 10)
        else:
            source = self.noises[int(random.integers(len(self.noises)))]
            first = int(random.integers(0, len(source) - count)) if len(source) > count else 0
            added = np.resize(source[first : first + count], power.shape)
        total = power.sum(1)
        loud = total[total > np.percentile(total, 95) * 1e-3].mean()
        below = random.uniform(-2, 12 if random.random() < 0.45 else 32)
        return added * (loud / (added.sum(1).mean() + 1e-12)) * 10 ** (-below / 10)

    def _drawled(self, levels: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Let time run slower here and faster there, as people's does: 0.75 … 1.7 times as long."""
        random, count = self.random, len(levels)
        knots = random.standard_normal(count // int(random.integers(25, 90)) + 4) * random.uniform(0, 0.35)
        pace = np.asarray(ndimage.zoom(knots, count / len(knots), order=1)) + random.uniform(-0.1, 0.3)
        slower = np.exp(np.clip(pace, -0.29, 0.53))
        slower = np.resize(slower, count)
        moment = np.concatenate([[0.0], np.cumsum(slower)[:-1]])
        place = np.interp(np.arange(int(moment[-1]) + 1), moment, np.arange(count))
        below = np.minimum(place.astype(int), count - 2)
        part = (place - below)[:, None].astype(np.float32)
        aims = targets[below] * (1 - part) + targets[below + 1] * part
        aims[:, -1] = targets[np.round(place).astype(int), -1]
        return levels[below] * (1 - part) + levels[below + 1] * part, aims

    def _drift(self, count: int) -> np.ndarray:
        """Slow changes of gain and colour in dB, (count, bands)."""
        random = self.random
        knots = random.standard_normal((count // 80 + 4, 4)) * random.uniform(0, 4)
        rough = np.asarray(ndimage.zoom(knots, (count / (len(knots) - 3), BANDS / 4), order=1))[:count]
        return np.pad(rough, ((0, count - len(rough)), (0, BANDS - rough.shape[1])), mode="edge")

    def _masked(self, levels: np.ndarray) -> np.ndarray:
        """Add grain and blank out some bands and moments of (n, bands)."""
        random = self.random
        levels = levels + random.standard_normal(levels.shape).astype(np.float32) * random.uniform(0, 0.25)
        if random.random() < 0.3:
            band = int(random.integers(0, BANDS - 6))
            levels[:, band : band + int(random.integers(1, 7))] = 0
        if random.random() < 0.2:
            first = int(random.integers(0, max(1, len(levels) - 8)))
            levels[first : first + int(random.integers(2, 8))] = 0
        return levels


def _warped(levels: np.ndarray, stretch: float, shift: float) -> np.ndarray:
    """Stretch and shift along the bands, linearly interpolated."""
    place = np.clip((np.arange(BANDS) - BANDS / 2) * stretch + BANDS / 2 + shift, 0, BANDS - 1.001)
    below = place.astype(int)
    part = (place - below).astype(np.float32)
    return levels[:, below] * (1 - part) + levels[:, below + 1] * part


def _smeared(power: np.ndarray, keep: float) -> np.ndarray:
    """Let every band ring on, ``keep`` of its power from frame to frame, as a room does."""
    tail = np.asarray(signal.lfilter([1 - keep], [1, -keep], power, axis=0))
    return 0.5 * power + 0.5 * tail
