"""What nodes tell the canvas and ask it while they run, and what they refuse before."""

from __future__ import annotations

import math
import re
import sys
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from sonic_core.settings import RANGES
from tests.nodes.conftest import ROOT, FolderPaths


def described(pack: ModuleType, node: str) -> dict[str, Any]:
    asked = pack.NODE_CLASS_MAPPINGS[node].INPUT_TYPES()
    return {**asked["required"], **asked.get("optional", {})}


def errors_of(pack: ModuleType) -> ModuleType:
    return import_module(f"{pack.__name__}.sonic_core.errors")


def test_every_advised_range_reaches_the_canvas(pack: ModuleType) -> None:
    found = set()
    for node in pack.NODE_CLASS_MAPPINGS:
        for name, (_, options) in described(pack, node).items():
            advised = options.get("advised")
            if advised is None:
                continue
            found.add(name)
            assert set(advised) == {"least", "most", "below", "above"}
            assert options["min"] <= advised["least"] <= options["default"] <= advised["most"] <= options["max"], name
            assert advised["below"] or advised["above"], name
            if name in RANGES:
                limits = RANGES[name]
                given = (limits.advised_least, limits.advised_most, limits.below, limits.above)
                assert tuple(advised[word] for word in ("least", "most", "below", "above")) == given
    assert found >= set(RANGES) | {"max_offset", "strength"}


def test_what_no_clip_can_be_made_with_is_refused_before_anything_is_prepared(pack: ModuleType) -> None:
    check = pack.NODE_CLASS_MAPPINGS["SonicSampler"]().check_lazy_status
    others = {"model": object(), "conditions": None, "unique_id": "7", "paste_back": True}
    assert check(**others, window=25, window_overlap=24) == ["conditions"]
    for chosen, words in [
        ({"window": 25, "window_overlap": 25}, "window_overlap must be below window, 25; got 25."),
        ({"window": 1, "window_overlap": 0}, "window must be between 2 and 128, got 1"),
        ({"fps": math.nan}, "fps must be between 1 and 240, got nan"),
        ({"dynamic_scale": math.nan}, "dynamic_scale must be between 0 and 4, got nan"),
    ]:
        with pytest.raises(errors_of(pack).SettingsError, match=re.escape(words)):
            check(**others, **chosen)
    assert described(pack, "SonicSampler")["conditions"][1]["lazy"], "else the host prepares first"


def test_what_nothing_can_be_repaired_with_is_refused_before_the_video_is_made(pack: ModuleType) -> None:
    refine, smooth = (
        pack.NODE_CLASS_MAPPINGS[name]().check_lazy_status for name in ("LipSyncRefine", "TemporalSmooth")
    )
    sound = {"waveform": torch.zeros(1, 1, 100), "sample_rate": 16000}
    assert refine(video=None, max_offset=0.05, force=False, audio=sound) == ["video"]
    assert smooth(video=None, strength=1.0, method="ema", unique_id="5") == ["video"]
    with pytest.raises(errors_of(pack).SettingsError, match="max_offset must be"):
        refine(max_offset=math.nan)
    with pytest.raises(errors_of(pack).InputError, match="audio holds a sound of no length"):
        refine(max_offset=0.05, audio={"waveform": torch.zeros(1, 1, 0), "sample_rate": 16000})
    with pytest.raises(errors_of(pack).SettingsError, match="strength of smoothing"):
        smooth(strength=math.nan, method="ema")
    assert all(described(pack, name)["video"][1]["lazy"] for name in ("LipSyncRefine", "TemporalSmooth"))


def test_checking_says_nothing_of_what_is_advised(pack: ModuleType, recwarn: pytest.WarningsRecorder) -> None:
    assert pack.NODE_CLASS_MAPPINGS["SonicSampler"]().check_lazy_status(window=2, window_overlap=1) == ["conditions"]
    assert not recwarn.list


class Watcher:
    """A progress report that keeps what it is shown."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, int, int]] = []
        self.pictures: list[torch.Tensor] = []

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.reports.append((stage, done, total))

    def show(self, picture: torch.Tensor) -> None:
        self.pictures.append(picture.clone())


@pytest.fixture
def folder(folders: FolderPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(folders, "home", tmp_path)
    video = type("VideoFromFile", (), {"__init__": lambda self, path: setattr(self, "path", path)})
    monkeypatch.setitem(sys.modules, "comfy_api", ModuleType("comfy_api"))
    api = SimpleNamespace(InputImpl=SimpleNamespace(VideoFromFile=video))
    monkeypatch.setitem(sys.modules, "comfy_api.latest", api)
    return tmp_path / "temp"


@pytest.mark.parametrize("show", [True, False])
def test_frames_are_shown_while_they_are_made(
    pack: ModuleType, host: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch, show: bool
) -> None:
    clip_module = sys.modules.get(f"{pack.__name__}.sonic_core.clip") or __import__("sonic_core.clip").clip
    host.own_video.video_class.cache_clear()
    monkeypatch.setattr(host.video, "GLIMPSE", 0.0)
    shades = torch.linspace(0, 1, 9)
    clip = clip_module.Clip(
        lambda: (torch.full((1, 3, 32, 48), float(shade)) for shade in shades), Fraction(25), 9, (32, 48), None
    )
    watcher = Watcher()
    video = host.video_of(clip, watcher, show=show)
    host.own_video.video_class.cache_clear()
    assert Path(video.path).is_file()
    assert watcher.reports == [("encode", done, 9) for done in range(1, 10)]
    assert len(watcher.pictures) == (9 if show else 0)
    if show:
        assert watcher.pictures[0].shape == (3, 32, 48)
        levels = [float(picture.mean()) for picture in watcher.pictures]
        assert levels == sorted(levels)
        assert levels[-1] == 1.0


def test_cancel_is_heard_between_two_layers(host: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def throw() -> None:
        asked.append(1)
        if len(asked) == 3:
            raise InterruptedError

    management = SimpleNamespace(
        get_torch_device=lambda: torch.device("cpu"),
        unet_offload_device=lambda: torch.device("cpu"),
        load_models_gpu=lambda *_, **__: None,
        throw_exception_if_processing_interrupted=throw,
    )
    patcher = type("ModelPatcher", (), {"__init__": lambda self, model, **_: setattr(self, "model", model),
                                        "model_size": lambda _: 0})  # fmt: skip
    for name, module in {
        "comfy": ModuleType("comfy"),
        "comfy.model_management": management,
        "comfy.model_patcher": SimpleNamespace(ModelPatcher=patcher),
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    blocks = [nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(3)]
    network = nn.Sequential(*blocks)
    keeper = host.HostKeeper()
    for _ in range(2):
        keeper.bring(network)
    passed = []
    for block in blocks:
        block.register_forward_hook(lambda *_: passed.append(1))
    with pytest.raises(InterruptedError):
        network(torch.zeros(1, 4))
    assert len(passed) == 1, "the whole, then a block, then the next one was stopped"
    assert len(network(torch.zeros(1, 4))) == 1


def test_a_waveform_is_read_once_per_state_of_the_file(host: ModuleType, folder: Path) -> None:
    inputs = folder.parent / "input"
    inputs.mkdir()
    sound = inputs / "a.wav"
    sound.write_bytes((ROOT / "assets/sounds/english.wav").read_bytes())
    made = host.routes._waveform("a.wav", "50")
    assert (made["rate"], made["channels"], len(made["peaks"])) == (22050, 1, 50)
    assert made["seconds"] == pytest.approx(2.367, abs=0.001)
    assert all(-1 <= low <= high <= 1 for low, high in made["peaks"])
    assert host.routes._waveform("a.wav", "50") is made
    sound.write_bytes((ROOT / "assets/sounds/spanish.wav").read_bytes())
    assert host.routes._waveform("a.wav", "50")["seconds"] == pytest.approx(2.452, abs=0.001)


@pytest.mark.parametrize(
    ("name", "count", "words"),
    [("../a.wav", "10", "leads out"), ("/etc/passwd", "10", "leads out"), ("no.wav", "10", "no file no.wav"),
     ("", "10", "no file"), ("a.wav", "many", "whole number"), ("a.wav", "0", "parts of a waveform")],
)  # fmt: skip
def test_no_waveform_of_what_is_not_among_the_inputs(
    host: ModuleType, folder: Path, name: str, count: str, words: str
) -> None:
    (folder.parent / "input").mkdir()
    for place in ("a.wav", "input/a.wav"):
        (folder.parent / place).write_bytes((ROOT / "assets/sounds/english.wav").read_bytes())
    assert words in str(host.problem(host.routes._waveform, name, count))
