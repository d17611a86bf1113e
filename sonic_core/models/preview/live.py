"""The pose in every frame while the sound is still coming: what is known a moment later replaces what was guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from fractions import Fraction
from math import ceil

import numpy as np

from ...curves import CURVE_RATE, least_jerk
from ...direction import SCALES
from ...settings import Settings
from ...speech.live import Passage, listen
from ...speech.prosody import Prosody
from ...types import Audio
from .gestures import STILL, Gestures, gesture_curves
from .posing import Bounded, gesture_fields, led_fields, mouth_fields, poses_of, scale_at
from .puppet.pose import Pose

_ACT = (
    20.0  # s for which gestures are drawn at a time: with all of a long sound each step would cost more than the last
)
_LEAD, _FADE = 2.0, 1.0  # s that they begin earlier, unseen, and for which those before them go on, fading

_QUICKLY, _SLOWLY = 0.1, 0.5  # s within which lips, lids and eyes reach what is known by now; and head and brows
_SLOW = frozenset({"yaw", "pitch", "roll", "sway_x", "sway_y", "brows"})

_EXACT = 6  # digits of a count of frames: what lies beyond is rounding

Fields = dict[str, np.ndarray]


def live_poses(
    audio: Audio, settings: Settings, length: int, fps: Fraction, *, seed: int, bounded: Bounded | None = None
) -> Iterator[list[Pose]]:
    """Say how the portrait is posed, some frames at a time, as soon as enough of the sound has come.

    Args:
        audio: The sound, as of ``speech.live.listen``.
        settings: As of ``posing.poses``.
        length: Frames.
        fps: Frames per second.
        seed: As of ``posing.mixed_seed``.
        bounded: As of ``posing.poses``.
    """
    voice, line, first = _Voice(seed), _Line(), 0
    for passage in listen(audio):
        last = min(ceil(round(passage.settled * float(fps), _EXACT)), length)
        known = _reader(passage, voice, settings, bounded)
        if first < last:
            times = np.arange(first, last) / float(fps)
            yield poses_of(line.go_on(times, known))
        first = last
        if last == length:
            return


def _reader(
    passage: Passage, voice: _Voice, settings: Settings, bounded: Bounded | None
) -> Callable[[np.ndarray], Fields]:
    """Read the pose's fields at any moments near a passage's, as they are known with it."""
    led = settings.direction
    moves = settings.motion_scale > 0 or (led is not None and "motion_scale" in led)
    acts = voice.hear(passage) if moves else None

    def read(times: np.ndarray) -> Fields:
        lively, moving = (scale_at(name, settings, times) for name in SCALES)
        found = mouth_fields(passage.speech.motion.at(times - passage.begin), lively)
        if acts is not None:
            found |= gesture_fields(acts(times), moving, bounded, led_fields(led, times))
        elif led:
            found |= gesture_fields(STILL.at(times), 0.0, bounded, led_fields(led, times))
        return found

    return read


class _Line:
    """Movements that go on where they were: what is known better by now is reached within a moment, not at once."""

    def __init__(self) -> None:
        self.last: tuple[float, Fields] | None = None
        """The last moment, and the pose in it."""

    def go_on(self, times: np.ndarray, known: Callable[[np.ndarray], Fields]) -> Fields:
        """Tell the fields at the next ``times`` (m,), by what is known of them and of the last moment."""
        found = known(times)
        if self.last is not None:
            moment, shown = self.last
            meant = known(np.array([moment]))
            for name, values in found.items():
                rest = 1 - least_jerk((times - moment) / (_SLOWLY if name in _SLOW else _QUICKLY))
                found[name] = values + (shown[name] - meant[name]) * rest
            if "blink" in found:
                found["blink"] = np.clip(found["blink"], 0, 1)
        self.last = (float(times[-1]), {name: values[-1:] for name, values in found.items()})
        return found


class _Voice:
    """How a voice went up to now, and the gestures that go with it, drawn an act at a time."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.origin = 0.0
        """Second of the sound at which ``past`` begins."""
        self.past = np.zeros((3, 0))
        """(3, n) speaking, loudness and tone of what is settled, as of ``Prosody``."""

    def hear(self, passage: Passage) -> Callable[[np.ndarray], Gestures]:
        """Learn of a passage; answer how to read the gestures around it."""
        prosody = passage.speech.prosody
        curves = np.stack([prosody.speaking, prosody.loudness, prosody.tone])
        start, settled = (round((moment - passage.begin) * CURVE_RATE) for moment in (passage.start, passage.settled))
        self.past = np.concatenate([self.past, curves[:, start:settled]], axis=1)
        act = int(passage.start / _ACT)
        acts = [one for one in (act - 1, act) if one >= 0 and passage.start < (one + 1) * _ACT + _FADE]
        self._forget(_beginning(acts[0]))
        known = np.concatenate([self.past, curves[:, settled:]], axis=1)
        drawn = [self._draw(one, known) for one in acts]
        if len(drawn) == 1:
            return drawn[0]
        earlier, later = drawn

        def read(times: np.ndarray) -> Gestures:
            part = least_jerk((times - act * _ACT) / _FADE)
            one, other = earlier(times), later(times)
            names = [field.name for field in fields(Gestures)]
            return Gestures(
                **{name: getattr(one, name) + (getattr(other, name) - getattr(one, name)) * part for name in names}
            )

        return read

    def _draw(self, act: int, known: np.ndarray) -> Callable[[np.ndarray], Gestures]:
        begin = _beginning(act)
        prosody = Prosody(*known[:, round((begin - self.origin) * CURVE_RATE) :])
        gestures = gesture_curves(prosody, self.seed + act, coming=True)
        return lambda times: gestures.at(times - begin)

    def _forget(self, moment: float) -> None:
        """Let go of what lies before a moment."""
        gone = max(0, round((moment - self.origin) * CURVE_RATE))
        self.past, self.origin = self.past[:, gone:], max(self.origin, moment)


def _beginning(act: int) -> float:
    """Tell the second of the sound at which an act's gestures begin."""
    return max(0.0, act * _ACT - _LEAD)
