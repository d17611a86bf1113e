"""sonic-base through the SDK with tiny random weights: lengths, rates, seeds, cancelling, both layouts."""

from __future__ import annotations

import warnings
from dataclasses import replace
from fractions import Fraction

import pytest
import torch

import sonic_core as sonic
from sonic_core import Settings
from sonic_core.clip import open_clip

FACE = (30.0, 30.0, 130.0, 140.0)
pytestmark = pytest.mark.filterwarnings("ignore:The (face|mouth) ")  # the picture is a gradient


@pytest.fixture(scope="module")
def model(tiny_set):
    return loaded(tiny_set)


def loaded(folder, **options):
    with pytest.warns(sonic.SonicWarning, match="sonic-base runs on the processor here, where"):
        model = sonic.load_model("sonic-base", weights=folder, **options)
    assert model.name == "sonic-base"
    return model


@pytest.fixture(scope="module")
def picture():
    y, x = torch.meshgrid(torch.linspace(0, 1, 180), torch.linspace(0, 1, 200), indexing="ij")
    return torch.stack([x, y, ((x - 0.5) ** 2 + (y - 0.5) ** 2).sqrt()])


def sound(seconds, rate=16000):
    moments = torch.arange(round(seconds * rate)) / rate
    return sonic.Audio((0.4 * torch.sin(moments * 900) * torch.sin(moments * 20))[None], rate)


def settings(**options):
    """Settings for a small, blurred clip, without a word about them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Settings(**{"face": FACE, "min_resolution": 128, "inference_steps": 1, "window": 5, **options})


def frames_of(clip):
    return torch.cat(list(clip.read()))


@pytest.mark.parametrize(
    ("seconds", "fps", "length"),
    [(1.0, 25, 25), (1.05, 25, 27), (0.3, 25, 8), (0.3, 24, 8), (0.3, 29.97, 9), (0.2, 60, 12), (0.4, 12.5, 5)],
)
def test_a_clip_has_the_sound_s_length(model, picture, seconds, fps, length):
    given = sound(seconds, 22050)
    clip = model.generate(given, picture, settings=settings(fps=fps))
    assert (clip.length, clip.size) == (length, (128, 128))
    assert clip.fps == (Fraction(30000, 1001) if fps == 29.97 else Fraction(fps))
    assert clip.audio is given
    if seconds < 1:
        assert len(frames_of(clip)) == length


def test_a_duration_cuts_the_sound(model, picture):
    clip = model.generate(sound(3.0), picture, settings=settings(duration=0.4))
    assert (clip.length, clip.audio.duration) == (10, 0.4)


def test_published_ends_a_frame_early(model, picture):
    clip = model.generate(sound(0.5), picture, settings=settings(published=True, window=25))
    assert clip.length == 2 * 6 - 1  # 12 whole ticks of 1/25 s are 6 frames
    assert clip.fps == 25
    assert clip.audio.duration == pytest.approx(11 / 25)
    frames = frames_of(clip)
    assert len(frames) == 11
    longer = model.generate(sound(0.5), picture, settings=settings(window=25))
    assert (longer.length, longer.audio.duration) == (13, 0.5)


def test_the_same_seed_gives_the_same_frames(model, picture):
    chosen = settings()
    clips = [model.generate(sound(0.3), picture, settings=replaced(chosen, seed=seed)) for seed in (0, 0, 2**32)]
    first, second, other = map(frames_of, clips)
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def replaced(chosen, **changes):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return replace(chosen, **changes)


def test_pasting_back_gives_the_whole_picture(model, picture):
    clip = model.generate(sound(0.2), picture, settings=settings(paste_back=True))
    frames = frames_of(clip)
    assert frames.shape[1:] == (3, *picture.shape[1:])
    corner = frames[:, :, :5, -5:]
    assert torch.allclose(corner, picture[:, :5, -5:].expand_as(corner), atol=1e-3)


def test_cancelling_leaves_nothing(model, picture, tmp_path, monkeypatch):
    class EnoughError(Exception):
        pass

    def stop_at(wanted):
        def progress(stage, done, total):
            if stage == wanted and done:
                raise EnoughError

        return progress

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for stage in ("portrait", "look", "listen", "denoise"):
        with pytest.raises(EnoughError):
            model.generate(sound(0.3), picture, settings=settings(), progress=stop_at(stage))
    clip = model.generate(sound(0.3), picture, settings=settings())
    with pytest.raises(EnoughError):
        clip.export(tmp_path / "out.mp4", progress=stop_at("encode"))
    assert not list(tmp_path.iterdir())
    assert open_clip(clip.export(tmp_path / "out.mp4")).length == 8


def test_both_layouts_give_the_same(model, tiny_single_file_set, picture):
    """The folder keeps half precision, so that they agree to that."""
    single = loaded([tiny_single_file_set, tiny_single_file_set / "svd_xt.safetensors"])
    first, second = (
        frames_of(one.generate(sound(0.2), picture, settings=settings(fps=12.5, window=3))) for one in (model, single)
    )
    assert float((first - second).norm() / first.norm()) < 0.02


def test_watching_a_portrait_come_to_life(model, picture):
    class Watcher:
        def __init__(self):
            self.pictures, self.stages = [], []

        def __call__(self, stage, done, total):
            self.stages.append(stage)
            assert 0 <= done <= total

        def show(self, shown):
            self.pictures.append(shown)

    watcher = Watcher()
    model.generate(sound(0.3), picture, settings=settings(), progress=watcher)
    assert list(dict.fromkeys(watcher.stages)) == ["portrait", "look", "listen", "denoise", "frames", "mouth"]
    assert watcher.pictures
    assert all(shown.shape == (3, 16, 16) and 0 <= shown.min() <= shown.max() <= 1 for shown in watcher.pictures)
