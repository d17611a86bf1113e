"""Heads nod to songs: on every beat, whatever lies between beats, and not to speech without a word about it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sonic_core import CHANNELS, InputError, SettingsError, SonicWarning, follow_beat
from sonic_core.types import Audio

ASSETS = Path(__file__).resolve().parents[3] / "assets"
RATE = 24_000
FIRST = 0.13  # s


def song(tempo: float, seconds: float = 24.0, channels: int = 1) -> Audio:
    """Drum on every beat, deep and bright in turn, softly between two, over chords that change with the bar."""
    chance = np.random.default_rng(int(tempo))
    count = round(seconds * RATE)
    made, moments = 0.02 * chance.standard_normal(count), np.arange(count) / RATE
    step = 60 / tempo
    decay = np.arange(round(0.15 * RATE)) / RATE
    for number in range(int((seconds - 1) / step)):
        deep = 0.6 * np.sin(2 * np.pi * 60 * decay) * np.exp(-25 * decay)
        bright = 0.3 * chance.standard_normal(len(decay)) * np.exp(-30 * decay)
        soft = 0.15 * chance.standard_normal(len(decay)) * np.exp(-60 * decay)
        for late, drum in ((0.0, bright if number % 2 else deep), (0.5, soft)):
            first = round((FIRST + (number + late) * step) * RATE)
            made[first : first + len(drum)] += drum
    for bar in range(int(seconds / step / 4) + 1):
        ends = (np.array([bar, bar + 1]) * 4 * step * RATE).astype(int)
        deepest = 110 * 2 ** (chance.integers(0, 8) / 12)
        for part in (1, 1.5, 2, 2.5):
            made[slice(*ends)] += 0.08 * np.sin(2 * np.pi * deepest * part * moments[slice(*ends)])
    return Audio(torch.from_numpy(made.astype(np.float32)).repeat(channels, 1), RATE)


def nods(direction) -> np.ndarray:
    """When the head is lowest, in seconds."""
    curve = direction.curve("head_pitch")
    return np.array([at for at, value in zip(curve.seconds, curve.values, strict=True) if value < -1])


@pytest.mark.parametrize(("tempo", "nodded"), [(70, 70), (95, 95), (120, 120), (150, 75), (176, 88)])
def test_a_head_nods_on_the_beat_or_on_every_other_one(tempo, nodded):
    found = nods(follow_beat(song(tempo)))
    beats = FIRST + np.arange(100) * 60 / tempo
    assert np.abs(found[:, None] - beats).min(1).max() < 0.03
    assert 60 / np.mean(np.diff(found[found < 22])) == pytest.approx(nodded, rel=0.02)
    assert len(found) > 0.9 * nodded * 22 / 60


def test_the_head_begins_as_it_is_comes_back_and_goes_as_far_as_it_is_told():
    plain, twice = follow_beat(song(95, channels=2)), follow_beat(song(95), scale=2.0)
    assert [name for name, _ in plain.curves] == ["head_pitch", "head_roll"]
    for name, curve in plain.curves:
        assert (curve.seconds[0], curve.values[0], curve.values[-1]) == (0.0, 0.0, 0.0)
        assert 1 < max(np.abs(curve.values)) < CHANNELS[name].most / 4
        assert np.allclose(twice.curve(name).values, 2 * np.array(curve.values))
    rolled = np.array([one for one in plain.curve("head_roll").values if one])
    assert (rolled[:-1] * rolled[1:] < 0).all()  # one side after the other
    assert not np.any(follow_beat(song(95), scale=0.0).curve("head_pitch").values)


def test_a_long_song_is_heard_in_parts_as_in_one(monkeypatch):
    whole = follow_beat(song(110, 30.0))
    monkeypatch.setattr("sonic_core.speech.beat._BLOCK", 100)
    parts = follow_beat(song(110, 30.0))
    assert parts.curve("head_pitch").seconds == whole.curve("head_pitch").seconds
    assert np.allclose(parts.curve("head_pitch").values, whole.curve("head_pitch").values, atol=1e-3)


def test_what_has_no_steady_beat_is_told():
    with pytest.warns(SonicWarning, match="No steady beat was heard"):
        follow_beat(ASSETS / "speech.wav")
    with pytest.raises(InputError, match="No beat was heard in the song"):
        follow_beat(Audio(torch.zeros(1, 3 * RATE), RATE))
    with pytest.raises(SettingsError, match="scaled by 0 to 4; got -1"):
        follow_beat(song(95), scale=-1)


def test_a_librosa_that_lacks_what_it_needs_is_told(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "librosa"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "librosa.beat", None)
    with pytest.raises(SettingsError, match="pip install librosa, or leave the beat out"):
        follow_beat(song(95))
