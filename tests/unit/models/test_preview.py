"""sonic-preview on the bundled portrait: it speaks when there is speech, rests when there is none, and no more."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from sonic_core import Audio, Settings, load_model
from sonic_core.media.audio import read_audio
from sonic_core.media.image import read_image
from sonic_core.models.preview.anatomy import measure_anatomy
from sonic_core.models.preview.drawing import Drawing
from sonic_core.models.preview.pose import Pose
from sonic_core.models.preview.speech import CURVE_RATE, speech_curves
from sonic_core.pipeline import prepare_portrait

ASSETS = Path(__file__).resolve().parents[3] / "assets"
SETTINGS = Settings(min_resolution=384)


@pytest.fixture(scope="module")
def portrait():
    return prepare_portrait(read_image(ASSETS / "portrait.png"), SETTINGS)


@pytest.fixture(scope="module")
def speech():
    return read_audio(ASSETS / "speech.wav")


def tone(seconds: float, level: float, rate: int = 16_000) -> torch.Tensor:
    """A vowel-like hum: harmonics of 140 Hz."""
    time = torch.arange(int(seconds * rate)) / rate
    return level * sum(torch.sin(2 * torch.pi * 140 * k * time) / k for k in range(1, 20))[None]


def clip_of(portrait, audio, **options):
    model = load_model("sonic-preview").model
    settings = Settings(min_resolution=384, **options)
    return model.animate(model.prepare(portrait, audio, settings), settings)


def test_the_mouth_opens_with_speech_and_shuts_in_silence():
    silence = torch.zeros(1, 16_000)
    opening = speech_curves(Audio(torch.cat([silence, tone(1.0, 0.2), silence], 1), 16_000)).opening
    assert opening[int(1.3 * CURVE_RATE) : int(1.7 * CURVE_RATE)].min() > 0.3
    assert opening[: int(0.8 * CURVE_RATE)].max() < 0.02
    assert opening[int(2.2 * CURVE_RATE) :].max() < 0.02


def test_silence_and_near_silence_move_nothing():
    for samples in (torch.zeros(1, 16_000), 1e-5 * torch.randn(1, 16_000)):
        assert speech_curves(Audio(samples, 16_000)).opening.max() == 0


def test_opening_does_not_depend_on_how_loud_the_recording_is(speech):
    loud, soft = speech_curves(speech), speech_curves(Audio(speech.samples * 0.1, speech.rate))
    assert np.abs(loud.opening - soft.opening).max() < 0.1


def test_opening_follows_the_sound_without_lag(speech):
    curve = speech_curves(speech).opening
    samples = speech.samples[0].numpy()
    hop = speech.rate // CURVE_RATE
    energy = np.log([np.mean(samples[i : i + hop] ** 2) + 1e-6 for i in range(0, len(samples) - hop, hop)])
    energy = np.convolve(energy, np.hanning(9) / np.hanning(9).sum(), "same")
    times = np.arange(0, speech.duration - 0.1, 0.01)
    frames = np.interp(times * CURVE_RATE, np.arange(len(curve)), curve)[: len(energy)]
    lags = {
        lag: np.corrcoef(np.roll(frames, -lag)[50:-50], energy[: len(frames)][50:-50])[0, 1] for lag in range(-10, 11)
    }
    best = max(lags, key=lags.__getitem__)
    assert lags[best] > 0.6
    assert abs(best) <= 3  # hundredths of a second


@pytest.fixture(scope="module")
def drawing(portrait):
    return Drawing(np.ascontiguousarray(portrait.image.permute(1, 2, 0).numpy()), measure_anatomy(portrait))


def places(drawing: Drawing, pose: Pose) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel of the frame comes from."""
    x, y = drawing.head.undo(pose)
    drawing.eyes.undo(x, y, pose)
    drawing.lips.undo(x, y, pose)
    return x, y


def test_at_rest_the_frame_is_the_portrait(drawing):
    x, y = places(drawing, Pose(rest=1.0))
    assert np.allclose(x, drawing.head.x, atol=1e-3)
    assert np.allclose(y, drawing.head.y, atol=1e-3)
    assert np.array_equal(drawing.frame(Pose(rest=1.0)), drawing.image)


@pytest.mark.parametrize(
    "pose", [{"opening": 30.0}, {"yaw": 1.2, "pitch": 1.2}, {"blink": 1.0}, {"rounding": 1.0}, {"brows": 1.0}]
)
def test_nothing_moves_at_the_edge_of_the_crop(drawing, pose):
    x, y = places(drawing, Pose(**pose))
    changes = np.abs(x - drawing.head.x), np.abs(y - drawing.head.y)
    assert max(change.max() for change in changes) > 0.5
    for change in changes:
        assert max(change[0].max(), change[-1].max(), change[:, 0].max(), change[:, -1].max()) < 0.05


@pytest.mark.parametrize("pose", [{"jaw": 1.0, "yaw": 1.0}, {"rounding": 1.0}, {"lower": -1.0}, {"rest": 1.0}])
def test_maps_never_fold_over(drawing, pose):
    """Going down a column the source never runs backwards but between the lips, where other things are painted."""
    whole = Pose(opening=0.24 * drawing.lips.anatomy.unit, **pose)
    x, y = drawing.head.undo(whole)
    gap = drawing.lips.undo(x, y, whole)
    for place in (x, y):
        place[gap.rows, gap.columns][(gap.below > -1) & (gap.below < gap.height + 1)] = np.nan
    assert np.nanmin(np.diff(y, axis=0)) > 0.05
    assert np.nanmin(np.diff(x, axis=1)) > 0.05


def test_the_gap_is_as_high_as_asked(drawing):
    x, y = drawing.head.undo(Pose())
    gap = drawing.lips.undo(x, y, Pose(opening=12.0))
    assert gap.height.max() == pytest.approx(12.0, rel=0.03)


def test_a_clip_has_the_sounds_length_and_reads_the_same_twice(portrait, speech):
    short = Audio(speech.samples[:, : int(1.03 * speech.rate)], speech.rate)
    clip = clip_of(portrait, short)
    first, second = torch.cat(list(clip.read())), torch.cat(list(clip.read()))
    assert len(first) == clip.length == 26
    assert torch.equal(first, second)
    assert first.min() >= 0
    assert first.max() <= 1
    assert clip.audio is short


def test_the_asked_duration_counts_the_frames_even_where_the_sound_ends_within_the_last(portrait, speech):
    short = Audio(speech.samples[:, : speech.rate], speech.rate)
    assert clip_of(portrait, short, duration=1.03).length == 26


def test_scales_drive_what_they_name(portrait, speech):
    part = Audio(speech.samples[:, : 2 * speech.rate], speech.rate)
    still = torch.cat(list(clip_of(portrait, part, dynamic_scale=0.5, motion_scale=0.0).read()))
    lively = torch.cat(list(clip_of(portrait, part, dynamic_scale=1.2, motion_scale=0.0).read()))
    eyes = slice(0, int(portrait.face.points[0][1] + 0.4 * portrait.face.eye_distance))
    assert torch.equal(still[:, :, eyes], still[:1, :, eyes].expand_as(still[:, :, eyes]))
    assert (lively - portrait.image).abs().mean() > 1.3 * (still - portrait.image).abs().mean()
    moved = torch.cat(list(clip_of(portrait, part, motion_scale=1.0).read()))
    assert (moved[:, :, eyes] - portrait.image[:, eyes]).abs().max() > 0.02


def test_any_frame_rate_shows_the_same_moments(portrait, speech):
    part = Audio(speech.samples[:, : speech.rate], speech.rate)
    slow, fast = clip_of(portrait, part, fps=25), clip_of(portrait, part, fps=50)
    assert (slow.length, fast.length) == (25, 50)
    assert fast.fps == Fraction(50)
    for index, (one, two) in enumerate(zip(slow.frames(), list(fast.frames())[::2], strict=True)):
        assert torch.allclose(one, two, atol=1e-4), index
