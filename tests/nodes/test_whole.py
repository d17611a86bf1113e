"""The one node that does the whole: as the three do it, and no more often than it must."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from sonic_core.media.image import read_image
from tests.nodes.conftest import ROOT, FolderPaths
from tests.nodes.test_portrait import Canvas, errors_of, sound
from tests.parity.make_weights import write_set

NAMES = ("SonicModelLoader", "SONIC_PreData", "SonicSampler")
CHOSEN: dict[str, Any] = {
    "duration": 0.2, "min_resolution": 128, "dynamic_scale": 1.2, "motion_scale": 0.5, "seed": 7, "paste_back": True,
    "face_index": 0, "face_box": "", "inference_steps": 10, "quality": "exact",
}  # fmt: skip


class Host(Canvas):
    """The host's server, and how far it was told the work is."""

    def __init__(self) -> None:
        super().__init__()
        self.bars: list[tuple[str, int, int]] = []
        self.cancel_after = 1 << 30

    def throw_exception_if_processing_interrupted(self) -> None:
        if len(self.bars) >= self.cancel_after:
            raise InterruptedError

    def get_torch_device(self) -> torch.device:
        return torch.device("cpu")

    def unet_dtype(self, **_: object) -> torch.dtype:
        return torch.float32

    def bar(self, _total: int, node_id: str) -> SimpleNamespace:
        move = lambda done, total=0, preview=None: self.bars.append((node_id, done, total))  # noqa: E731
        return SimpleNamespace(update_absolute=move, current=0)


@pytest.fixture
def canvas(pack: ModuleType, folders: FolderPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """The modules of the host that the node looks up while it runs."""
    canvas = Host()
    video = type("VideoFromFile", (), {"__init__": lambda self, path: setattr(self, "path", path)})
    modules = {
        "comfy": ModuleType("comfy"),
        "comfy_api": ModuleType("comfy_api"),
        "comfy_api.latest": SimpleNamespace(InputImpl=SimpleNamespace(VideoFromFile=video)),
        "comfy.cli_args": SimpleNamespace(args=SimpleNamespace(preview_method=SimpleNamespace(value="none"))),
        "comfy.model_management": canvas,
        "comfy.utils": SimpleNamespace(ProgressBar=canvas.bar),
        "server": SimpleNamespace(PromptServer=SimpleNamespace(instance=canvas)),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(folders, "home", tmp_path)
    monkeypatch.setattr(folders, "folder_names_and_paths", {
        name: ([str(tmp_path / "models" / name)], set()) for name in ("sonic", "insightface", "checkpoints")
    })  # fmt: skip
    host = import_module(f"{pack.__name__}.nodes.host")
    host.own_video.video_class.cache_clear()
    yield canvas
    host.own_video.video_class.cache_clear()


@pytest.fixture(scope="module")
def portrait() -> torch.Tensor:
    """The bundled portrait as the host has pictures, its face small enough to be warned of."""
    picture = read_image(ROOT / "assets/portrait.png")[None]
    return torch.nn.functional.interpolate(picture, (200, 200), mode="area").permute(0, 2, 3, 1)


def node_of(pack: ModuleType) -> Any:
    return pack.NODE_CLASS_MAPPINGS["SonicTalkingPortrait"]()


def frames_of(host: ModuleType, video: Any) -> torch.Tensor:
    return torch.cat(list(host.clip_of(video).read()))


def test_it_makes_what_the_engine_makes_at_its_door(
    pack: ModuleType, host: ModuleType, canvas: Host, portrait: torch.Tensor
) -> None:
    sonic = import_module(f"{pack.__name__}.sonic_core")
    ((video,),) = node_of(pack).talk(portrait, sound(), model_name="sonic-preview", unique_id="4", **CHOSEN)["result"]
    assert {node for node, _, _ in canvas.bars} == {"4"}
    warnings.simplefilter("ignore", sonic.SonicWarning)
    settings = sonic.Settings(**{name: value for name, value in CHOSEN.items() if name != "face_box"})
    job = sonic.Job(portrait[0].permute(2, 0, 1), host.sound_of(sound()), settings, "sonic-preview")
    made, wanted = frames_of(host, video), torch.cat(list(sonic.run(job).clip.read()))
    assert made.shape == (5, 3, 200, 200)
    assert float((made - wanted).abs().max()) <= 0.5 / 255 + 1e-6, "beyond what 8 bits cost"
    assert float((made[0] - made[-1]).abs().max()) > 0.02, "nothing moves"


def test_it_makes_what_the_three_nodes_make_one_after_the_other(
    pack: ModuleType, host: ModuleType, canvas: Host, portrait: torch.Tensor
) -> None:
    chosen = CHOSEN | {"paste_back": False}
    ((one,),) = node_of(pack).talk(portrait, sound(), model_name="sonic-preview", unique_id="4", **chosen)["result"]
    loader, prepare, sampler = (pack.NODE_CLASS_MAPPINGS[name]() for name in NAMES)
    (model,) = loader.load("sonic-preview")
    told = []
    for described in (prepare.INPUT_TYPES(), sampler.INPUT_TYPES()):
        asked = {**described["required"], **described["optional"]}
        told.append({name: value for name, value in chosen.items() if name in asked})
    prepared, _ = prepare.prepare(model, portrait, sound(), expand_ratio=0.2, **told[0])["result"]
    (three,) = sampler.sample(model, prepared, fps=25.0, **told[1])
    assert torch.equal(frames_of(host, one), frames_of(host, three))


def test_each_picture_of_a_batch_becomes_a_video(
    pack: ModuleType, host: ModuleType, canvas: Host, portrait: torch.Tensor
) -> None:
    several = torch.cat([portrait, portrait.flip(2), portrait])
    node = node_of(pack)
    answer = node.talk(several, sound(), model_name="sonic-preview", unique_id="4", **CHOSEN)
    (videos,) = answer["result"]
    first, mirrored, last = (frames_of(host, video) for video in videos)
    assert node.OUTPUT_IS_LIST == (True,)
    assert torch.equal(first, last)
    assert float((first[0] - mirrored[0].flip(2)).abs().mean()) < 0.02 < float((first - mirrored).abs().mean())
    assert len(answer["ui"]["images"]) == 3
    assert not [said for said in canvas.warnings if "only the first" in said]


def test_its_inputs_are_those_of_the_three_nodes_in_their_words(pack: ModuleType) -> None:
    known: dict[str, Any] = {}
    for name in NAMES:
        described = pack.NODE_CLASS_MAPPINGS[name].INPUT_TYPES()
        known |= {**described["required"], **described["optional"]}
    described = node_of(pack).INPUT_TYPES()
    ours = {**described["required"], **described["optional"]}
    different = {name for name, one in ours.items() if one != known[name]}
    assert different == {"image", "paste_back"}
    assert ours["paste_back"][1] == known["paste_back"][1] | {"default": True}
    assert ours["model_name"][1]["default"] == "auto"


def test_its_warnings_are_said_once_and_its_picture_is_shown(
    pack: ModuleType, canvas: Host, portrait: torch.Tensor, tmp_path: Path
) -> None:
    answer = node_of(pack).talk(portrait, sound(), model_name="auto", unique_id="4", **CHOSEN)
    assert len(canvas.warnings) == len(set(canvas.warnings)) == 2
    assert any(said.startswith("The face is small") for said in canvas.warnings)
    assert any("the face loses detail" in said for said in canvas.warnings)
    (file,) = answer["ui"]["images"]
    assert read_image(tmp_path / "temp" / file["filename"]).shape == (3, 384, 384)


def test_without_a_face_it_shows_what_was_searched(pack: ModuleType, canvas: Host) -> None:
    with pytest.raises(errors_of(pack).FaceNotFoundError, match="face_box"):
        meadow = torch.full((1, 480, 640, 3), 0.4)
        node_of(pack).talk(meadow, sound(), model_name="sonic-preview", unique_id="4", **CHOSEN)
    (told,) = canvas.outputs
    assert told["node"] == "4"
    assert len(told["output"]["images"]) == 1


def test_a_box_that_is_none_is_refused_before_it_runs(pack: ModuleType) -> None:
    check = node_of(pack).VALIDATE_INPUTS
    assert check(face_box="1,2") == "face_box must be empty, or left,top,right,bottom in the picture's pixels such " \
                                    "as 120,80,360,340; got '1,2'."  # fmt: skip
    assert check(face_box=None) is check(face_box="") is check() is True


def test_cancelling_leaves_nothing(pack: ModuleType, canvas: Host, portrait: torch.Tensor, tmp_path: Path) -> None:
    node = node_of(pack)
    node.talk(portrait, sound(), model_name="sonic-preview", unique_id="4", **CHOSEN)
    before = set((tmp_path / "temp").glob("*.mkv"))
    canvas.cancel_after = len(canvas.bars) - 2
    canvas.bars.clear()
    with pytest.raises(InterruptedError):
        node.talk(portrait, sound(), model_name="sonic-preview", unique_id="4", **CHOSEN | {"seed": 8})
    assert set((tmp_path / "temp").glob("*.mkv")) <= before


def test_the_model_is_kept_until_its_weights_change(pack: ModuleType, canvas: Host, tmp_path: Path) -> None:
    node = node_of(pack)
    first = node._model("auto", None)
    assert first.name == "sonic-preview"
    assert node._model("auto", None) is first
    assert node.IS_CHANGED("auto", seed=1) == ""
    write_set(tmp_path / "models", tiny=True, single_file=True)
    (tmp_path / "models/Sonic").rename(tmp_path / "models/sonic")
    (tmp_path / "models/checkpoints").mkdir()
    for name, place in {"whisper-tiny": "sonic", "RIFE": "sonic", "svd_xt.safetensors": "checkpoints"}.items():
        (tmp_path / "models" / name).rename(tmp_path / "models" / place / name)
    assert node.IS_CHANGED("auto") != ""
    second = node._model("auto", None)
    assert second.name == "sonic-base"
    assert node._model("auto", None) is second
    assert node._model("sonic-preview", None).name == "sonic-preview"
    assert node.IS_CHANGED(None) == "", "what is linked is not known yet"
