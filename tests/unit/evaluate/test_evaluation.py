"""One pass over a talking clip becomes a report; known damage moves its own measure and hardly any other."""

from __future__ import annotations

import warnings
import weakref
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.evaluate_parts.damage import DAMAGES, Take
from sonic_core import Audio, Clip, Settings, SonicWarning, evaluate_clip, read_audio
from sonic_core.evaluate.evaluation import report
from sonic_core.evaluate.portrait import Still
from sonic_core.evaluate.posing.sitter import Sitter
from sonic_core.evaluate.report import MEASURES
from sonic_core.evaluate.watching import MOMENTS, Watch, frames_at
from sonic_core.faces.embedded import EmbeddedFinder
from sonic_core.media.image import read_image
from sonic_core.types import ignore_progress

ASSETS = Path(__file__).resolve().parents[3] / "assets"
SPREAD = {
    "offset": 2.0, "correlation": 0.012, "mouth": 0.0035, "yaw": 0.11, "pitch": 0.22, "roll": 0.12, "brows": 0.0011,
    "gaze": 0.35, "flicker": 0.011, "warping": 0.03, "identity": 0.076, "sharpness": 0.01, "changed": 0.72,
}  # fmt: skip
"""How far a measure spreads without damage, in its own unit: ``python benchmarks/evaluate.py``."""
ENOUGH = 5
SHOWN = ("mouth frozen", "half the mouth", "flicker", "blur", "another face")


@pytest.fixture(scope="module")
def portrait():
    return read_image(ASSETS / "portrait.png")


@pytest.fixture(scope="module")
def take():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SonicWarning)
        settings = Settings(min_resolution=192, seed=1)
    sound = read_audio(ASSETS / "speech.wav", duration=3.4)
    other = read_audio(ASSETS / "speech.wav", start=4.0, duration=3.4)
    made = Take.of(Sitter(ASSETS / "portrait.png", settings, sound), other)
    held = list(made.clip.frames())
    return replace(made, clip=replace(made.clip, read=lambda: (frame[None] for frame in held)))


def watched(clip, portrait):
    watch = Watch(clip, Still.of(portrait), None, EmbeddedFinder())
    watch.read(ignore_progress)
    return watch


@pytest.fixture(scope="module")
def clean_watch(take, portrait):
    return watched(take.clip, portrait)


@pytest.fixture(scope="module")
def clean(take, clean_watch):
    return report(clean_watch, take.clip)


def moved(clean, damaged):
    """Say by how many spreads each measure moved."""
    pairs = {name: (clean.values[name], damaged.values[name]) for name in SPREAD}
    return {
        name: (after - before) / SPREAD[name]
        for name, (before, after) in pairs.items()
        if before is not None and after is not None
    }


def test_a_report_says_every_measure_or_why_not(clean):
    assert {name for name, value in clean.values.items() if value is None} == set(clean.missing)
    assert "no reference was given" in clean.missing.values()
    assert all(np.isfinite(value) for value in clean.values.values() if value is not None)
    assert clean.seen == 1 and clean.cuts == 0
    assert len(clean.moments) == MOMENTS and clean.moments[0].picture.startswith(b"\xff\xd8")


def test_a_clip_that_is_right_scores_so(clean):
    assert clean.correlation > 0.7
    assert clean.closures >= 3 and clean.closures_kept == 100
    assert clean.identity < 1.5
    assert clean.sharpness == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("damage", [one for one in DAMAGES if one.name in SHOWN], ids=lambda one: one.name)
def test_damage_to_the_picture_moves_its_own_measure(take, portrait, clean, damage):
    made = damage.make(take)
    by = moved(clean, report(watched(made, portrait), made))
    own = [name for name in damage.own if name in by]
    assert own
    assert all(abs(by[name]) >= ENOUGH for name in own), by
    others = {name: shift for name, shift in by.items() if name not in (*damage.own, *damage.also)}
    assert max(map(abs, others.values())) < min(abs(by[name]) for name in own), others


@pytest.mark.parametrize("late", [0.02, 0.04, 0.08, 0.16])
def test_a_late_sound_moves_the_offset_and_nothing_else(take, clean_watch, clean, late):
    by = moved(clean, report(clean_watch, take.late(late)))
    assert by.pop("offset") * SPREAD["offset"] == pytest.approx(1000 * late, abs=10)
    assert max(map(abs, by.values())) < ENOUGH


def test_a_wrong_sound_is_heard(take, clean_watch, clean):
    wrong = report(clean_watch, take.heard(take.other))
    assert clean.correlation - wrong.correlation >= ENOUGH * SPREAD["correlation"]
    assert wrong.confidence < 0.9 < clean.confidence
    assert wrong.mouth == clean.mouth


def shortened(clip, length):
    def read():
        for number, frame in enumerate(clip.frames()):
            if number == length:
                return
            yield frame[None]

    audio = Audio(clip.audio.samples[:, : int(length / clip.fps * clip.audio.rate)], clip.audio.rate)
    return replace(clip, read=read, length=length, audio=audio)


def test_a_reference_that_is_the_clip_itself_leaves_nothing_to_wish_for(take):
    clip = shortened(take.clip, 20)
    found = evaluate_clip(clip, reference=clip, finder=EmbeddedFinder())
    assert found.reference is not None
    assert found.psnr == 100 and found.ssim == pytest.approx(1) and found.changed == 0
    assert (found.mouth_ratio, found.head_ratio, found.brows_ratio) == pytest.approx((1, 1, 1))
    assert found.identity == pytest.approx(0, abs=1e-9)
    assert all(not found.beyond_reference(name) for name in MEASURES)
    assert found.beyond_reference("mouth") == 0 and found.beyond_reference("sharpness") is None


def grey(length, seen=None):
    def read():
        for _ in range(length):
            frame = torch.full((1, 3, 64, 80), 0.5)
            if seen is not None:
                seen.append(weakref.ref(frame))
            yield frame

    return Clip(read, Fraction(25), length, (64, 80), None)


def test_a_clip_without_face_and_sound_is_told_so():
    found = evaluate_clip(grey(30), finder=EmbeddedFinder())
    assert found.seen == 0 and found.mouth is None and found.offset is None
    assert found.missing["mouth"] == "a face was read in 0 of 30 frames"
    assert found.missing["offset"] == "the video has no sound"
    assert found.flicker == pytest.approx(0, abs=1e-6)


def test_no_more_than_a_few_frames_are_in_memory():
    frames, most = [], []

    def count(stage, done, total):
        most.append(sum(one() is not None for one in frames))

    evaluate_clip(grey(120, frames), reference=grey(120, frames), finder=EmbeddedFinder(), progress=count)
    assert len(frames) == 360
    assert max(most) <= 12


def test_frames_of_another_rate_are_compared_at_equal_times():
    fast = Clip(
        lambda: (torch.full((1, 3, 4, 4), number / 100) for number in range(50)), Fraction(50), 50, (4, 4), None
    )
    numbers = [round(float(frame[0, 0, 0]) * 100) for frame in frames_at(fast, Fraction(25)) if frame is not None]
    assert numbers == list(range(0, 50, 2))
    slow = [round(float(frame[0, 0, 0]) * 100) for frame in frames_at(fast, Fraction(100)) if frame is not None]
    assert len(slow) == 99 and slow[:5] == [0, 1, 1, 2, 2]


def test_what_progress_raises_ends_it():
    def stop(stage, done, total):
        assert (stage, total) == ("evaluate", 30)
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_clip(grey(30), finder=EmbeddedFinder(), progress=stop)
