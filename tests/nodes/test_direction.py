"""A face is directed on the canvas: what is written on the node reaches the sampler, and is drawn."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from sonic_core.media.image import read_image
from sonic_core.speech.beat import follow_beat
from tests.nodes.conftest import ROOT
from tests.nodes.test_own_video import VideoFromFile
from tests.nodes.test_portrait import NUMBERS, Canvas, canvas, errors_of, model, node_of, seen, sound
from tests.unit.speech.test_beat import song

__all__ = ["canvas", "model"]

EMPTY = dict.fromkeys(
    ("head_yaw", "head_pitch", "head_roll", "gaze_x", "gaze_y", "blinks", "smile", "sad", "surprise", "anger",
     "dynamic_scale", "motion_scale"),
    "",
)  # fmt: skip


@pytest.fixture
def videos(host: ModuleType, canvas: Canvas, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The host's room, with what it knows of videos."""
    latest = SimpleNamespace(InputImpl=SimpleNamespace(VideoFromFile=VideoFromFile))
    util = SimpleNamespace(VideoComponents=SimpleNamespace)
    for name, module in {"comfy_api": ModuleType("comfy_api"), "comfy_api.latest": latest}.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "comfy_api.latest._util", util)
    args = SimpleNamespace(preview_method=SimpleNamespace(value="none"))
    monkeypatch.setitem(sys.modules, "comfy.cli_args", SimpleNamespace(args=args))
    host.own_video.video_class.cache_clear()
    return host


def directed(pack: ModuleType, **given: Any) -> dict[str, Any]:
    return pack.NODE_CLASS_MAPPINGS["SonicDirection"]().direct(**{**EMPTY, "unique_id": "9", **given})


def test_what_is_written_is_read_and_drawn(pack: ModuleType, canvas: Canvas, tmp_path: Path) -> None:
    answer = directed(pack, smile="0:0, 1:.7", blinks="1, 2", head_yaw=" 5 ")
    (direction,) = answer["result"]
    assert [name for name, _ in direction.curves] == ["blink", "head_yaw", "smile"]
    drawn, nothing = seen(answer, tmp_path), seen(directed(pack), tmp_path)
    assert drawn.shape[0] == 3 and drawn.shape[1] > nothing.shape[1] and drawn.std() > 0.05
    assert not directed(pack)["result"][0]


def test_nodes_are_chained_for_several_faces(pack: ModuleType, canvas: Canvas) -> None:
    (first,) = directed(pack, smile=".2", sad=".1")["result"]
    (both,) = directed(pack, smile=".9", face_index=1, direction=first)["result"]
    assert both.for_face(1).curve("smile").values == (0.9,)
    assert both.for_face(0) == first
    (again,) = directed(pack, smile=".3", direction=first)["result"]
    assert (again.curve("smile").values, again.curve("sad").values) == ((0.3,), (0.1,))


def test_a_head_follows_a_video_unless_it_is_written_otherwise(
    pack: ModuleType, canvas: Canvas, videos: ModuleType, talking: Any
) -> None:
    core = import_module(f"{pack.__name__}.sonic_core")
    frames = list(talking.cut(0, 6).frames())
    clip = core.Clip(lambda: (frame[None] for frame in frames), talking.fps, 6, talking.size, None)
    video = videos.video_of(clip, lambda *_: None)
    (made,) = directed(pack, pose_video=video, pose_scale=2.0, pose_longer="hold", head_roll="0")["result"]
    assert made.curve("head_roll").values == (0.0,)
    assert len(made.curve("head_yaw").values) == 6 and not made.curve("head_yaw").bounces


def test_a_head_nods_to_a_song_unless_it_is_written_otherwise(pack: ModuleType, canvas: Canvas) -> None:
    heard = song(120, 8.0)
    given = {"waveform": heard.samples[None], "sample_rate": heard.rate}
    (made,) = directed(pack, beat_audio=given, beat_scale=0.5, head_roll="1")["result"]
    assert made.curve("head_roll").values == (1.0,)
    expected = follow_beat(heard, scale=0.5).curve("head_pitch")
    assert made.curve("head_pitch").seconds == expected.seconds
    assert np.allclose(made.curve("head_pitch").values, expected.values, atol=1e-4)


def test_what_is_no_curve_is_refused_by_name(pack: ModuleType, canvas: Canvas) -> None:
    with pytest.raises(errors_of(pack).SettingsError, match="smile: Keyframes go forward in time"):
        directed(pack, smile="1:0, 0:1")


def test_the_sampler_makes_what_is_directed(pack: ModuleType, canvas: Canvas, model: Any, videos: ModuleType) -> None:
    picture = read_image(ROOT / "assets/portrait.png").permute(1, 2, 0)[None]
    (prepared, _) = node_of(pack).prepare(model, picture, sound(), **NUMBERS, unique_id="6")["result"]
    sampler = pack.NODE_CLASS_MAPPINGS["SonicSampler"]()
    chosen = {"inference_steps": 25, "dynamic_scale": 1.0, "motion_scale": 0.0, "seed": 1, "fps": 25.0}

    def made(**more: Any) -> torch.Tensor:
        (video,) = sampler.sample(model, prepared, **chosen, paste_back=False, **more)
        return next(iter(video.clip().frames()))

    plain, (smiling,) = made(), directed(pack, smile="1")["result"]
    assert torch.equal(made(direction=None), plain)
    slow = SimpleNamespace(name="sonic-base", model=SimpleNamespace(directs=("dynamic_scale", "motion_scale")))
    with pytest.raises(errors_of(pack).SettingsError, match="sonic-base can be directed by dynamic_scale and motion"):
        sampler.check_lazy_status(model=slow, direction=smiling)
    assert sampler.check_lazy_status(model=model, direction=smiling) == ["conditions"]
    assert (made(direction=smiling) - plain).abs().max() > 0.1
