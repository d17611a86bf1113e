"""What puts a video right: sound that is moved in step with the mouth, and frames that are steadied."""

from __future__ import annotations

from fractions import Fraction
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

import sonic_core as sonic
from sonic_core.media.mixing import shift
from tests.nodes.conftest import ROOT
from tests.nodes.test_whole import Host, canvas, frames_of

__all__ = ["canvas"]

LENGTH = 110
LATE = 0.04


class VideoFromComponents:
    """The host's video of pictures in memory, which counts how often it is asked for them."""

    def __init__(self, images: torch.Tensor, audio: dict[str, Any] | None) -> None:
        self.images, self.audio, self.asked = images, audio, 0

    def get_components(self) -> SimpleNamespace:
        self.asked += 1
        return SimpleNamespace(images=self.images, audio=self.audio, frame_rate=Fraction(25))


@pytest.fixture(scope="module")
def talk() -> tuple[torch.Tensor, sonic.Audio]:
    """The beginning of the bundled video, as the host has pictures, and its sound."""
    clip = sonic.open_clip(ROOT / "assets/video.mp4").cut(0, LENGTH)
    assert clip.audio is not None
    frames = torch.stack([frame[:, ::2, ::2] for frame in clip.frames()])
    small = sonic.Clip(lambda: iter([frames]), clip.fps, LENGTH, (192, 192), clip.audio)
    in_step = shift(clip.audio, -sonic.measure_sync(small).offset)
    return frames.permute(0, 2, 3, 1).contiguous(), in_step


def wave(audio: sonic.Audio) -> dict[str, Any]:
    return {"waveform": audio.samples[None], "sample_rate": audio.rate}


def refined(pack: ModuleType, video: Any, max_offset: float = 0.05, force: bool = False, audio: Any = None) -> Any:
    return pack.NODE_CLASS_MAPPINGS["LipSyncRefine"]().refine(video, max_offset, force, audio, "7")


def steadied(pack: ModuleType, video: Any, strength: float = 1.0, method: str = "flow") -> Any:
    (made,) = pack.NODE_CLASS_MAPPINGS["TemporalSmooth"]().smooth(video, strength, method, "8")
    return made


def test_a_late_sound_is_moved_and_the_curve_is_shown(
    pack: ModuleType, host: ModuleType, canvas: Host, talk: tuple[torch.Tensor, sonic.Audio], tmp_path: Path
) -> None:
    images, audio = talk
    answer = refined(pack, VideoFromComponents(images, wave(shift(audio, LATE))))
    video, offset, confidence, curve = answer["result"]
    assert offset == pytest.approx(LATE, abs=0.012) and confidence >= 0.99
    moved = host.clip_of(video)
    assert (moved.length, moved.size, moved.fps) == (LENGTH, (192, 192), 25)
    assert float((frames_of(host, video) - images.permute(0, 3, 1, 2)).abs().max()) < 1e-6, "no frame is touched"
    late, (samples,) = round((LATE - offset) * audio.rate), moved.audio.samples[:1]
    ours, theirs = samples[8000:40000], audio.samples[0, 8000 - late : 40000 - late]
    assert float(torch.corrcoef(torch.stack([ours, theirs]))[0, 1]) > 0.99
    assert curve.ndim == 4 and curve.shape[-1] == 3
    assert (tmp_path / "temp" / answer["ui"]["images"][0]["filename"]).is_file()
    assert canvas.bars and {node for node, _, _ in canvas.bars} == {"7"}


def test_what_is_too_far_off_is_left_alone_unless_it_is_forced(
    pack: ModuleType, host: ModuleType, canvas: Host, talk: tuple[torch.Tensor, sonic.Audio]
) -> None:
    images, audio = talk
    video = VideoFromComponents(images, wave(shift(audio, 0.16)))
    kept, offset, _, _ = refined(pack, video)["result"]
    assert kept is video, "the very video that came in"
    assert offset == pytest.approx(0.16, abs=0.012)
    forced, _, _, _ = refined(pack, video, force=True)["result"]
    assert forced is not video and not torch.equal(host.clip_of(forced).audio.samples, shift(audio, 0.16).samples)


def test_a_linked_sound_takes_the_place_of_the_videos_own(
    pack: ModuleType, host: ModuleType, canvas: Host, talk: tuple[torch.Tensor, sonic.Audio]
) -> None:
    images, audio = talk
    video, offset, _, _ = refined(pack, VideoFromComponents(images, None), audio=wave(audio))["result"]
    assert abs(offset) < 0.02
    assert host.clip_of(video).audio.samples.shape[1] == pytest.approx(LENGTH / 25 * audio.rate, rel=0.05)


def test_what_cannot_be_measured_goes_on_as_it_is_and_says_so(
    pack: ModuleType, host: ModuleType, canvas: Host, talk: tuple[torch.Tensor, sonic.Audio]
) -> None:
    images, audio = talk
    silent = VideoFromComponents(images[:10], None)
    video, offset, confidence, curve = refined(pack, silent)["result"]
    assert video is silent and (offset, confidence) == (0.0, 0.0) and curve.shape[-1] == 3
    assert any("Nothing was measured or changed" in said for said in canvas.warnings)
    faceless = VideoFromComponents(torch.full((10, 64, 64, 3), 0.5), None)
    video, *_ = refined(pack, faceless, audio=wave(audio))["result"]
    assert host.clip_of(video).audio is not None, "the linked sound is under it all the same"


def test_what_nothing_can_be_measured_with_is_refused_before_a_video_is_made(pack: ModuleType, canvas: Host) -> None:
    node, errors = pack.NODE_CLASS_MAPPINGS["LipSyncRefine"], import_module(f"{pack.__name__}.sonic_core.errors")
    described = node.INPUT_TYPES()["required"]
    assert described["video"][1]["lazy"] and described["max_offset"][1]["default"] == sonic.Align.max_offset
    asked = {"max_offset": 0.05, "force": False, "video": None, "unique_id": "7"}
    assert node().check_lazy_status(**asked) == ["video"]
    with pytest.raises(errors.SettingsError, match="max_offset must be 0 to"):
        node().check_lazy_status(**asked | {"max_offset": 3.0})
    for audio, words in (
        ({}, "audio must be a sound as Load Audio gives it"),
        ({"waveform": torch.zeros(1, 1, 0), "sample_rate": 16000}, "a sound of no length"),
        ({"waveform": torch.zeros(2, 1, 9), "sample_rate": 16000}, "audio must hold one sound"),
    ):
        with pytest.raises(errors.InputError, match=words):
            node().check_lazy_status(**asked, audio=audio)


def test_shake_is_taken_out_and_nothing_where_nothing_is_asked(
    pack: ModuleType, host: ModuleType, canvas: Host, talk: tuple[torch.Tensor, sonic.Audio]
) -> None:
    images, audio = talk
    chance = torch.Generator().manual_seed(0)
    gains = 1 + 0.05 * torch.randn(30, 1, 1, 1, generator=chance)
    shaking = VideoFromComponents((images[:30] * gains).clamp(0, 1), wave(audio))
    steady = steadied(pack, shaking)
    before, after = (frames_of(host, one).mean((1, 2, 3)).diff().abs().mean() for one in (shaking, steady))
    assert after < 0.5 * before
    assert host.clip_of(steady).audio is not None
    assert {node for node, _, _ in canvas.bars} == {"8"}
    assert steadied(pack, shaking, strength=0.0) is shaking


def test_how_it_is_steadied_is_checked_before_the_video_is_made(pack: ModuleType, canvas: Host) -> None:
    node, errors = pack.NODE_CLASS_MAPPINGS["TemporalSmooth"], import_module(f"{pack.__name__}.sonic_core.errors")
    described = node.INPUT_TYPES()["required"]
    assert described["video"][1]["lazy"] and described["method"][0] == list(sonic.Smooth.methods)
    assert node().check_lazy_status(strength=1.0, method="flow", video=None) == ["video"]
    for wrong in ({"strength": 9.0, "method": "flow"}, {"strength": 1.0, "method": "glue"}):
        with pytest.raises(errors.SettingsError):
            node().check_lazy_status(**wrong, video=None)


def test_a_cancelled_run_leaves_no_video(
    pack: ModuleType, canvas: Host, talk: tuple[torch.Tensor, sonic.Audio], tmp_path: Path
) -> None:
    images, audio = talk
    canvas.cancel_after = 3
    with pytest.raises(InterruptedError):
        steadied(pack, VideoFromComponents(images[:20], wave(audio)))
    with pytest.raises(InterruptedError):
        refined(pack, VideoFromComponents(images[:20], wave(audio)))
    assert not list(tmp_path.rglob("*.mkv"))
