"""What the host finds when it opens the door."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.host.harness import WIDGETS, misfits
from tests.host.prompts import TITLES
from tests.nodes.conftest import ROOT, FolderPaths
from tests.parity.make_weights import write_set

IDS = {"SonicTalkingPortrait", "SonicModelLoader", "SonicLoadAudio", "SonicVoice", "SonicSpeaker", "SONIC_PreData",
       "SonicSampler", "LipSyncRefine", "TemporalSmooth", "VideoCombine"}  # fmt: skip
CORE: dict[str, Any] = {
    "LoadImage": {
        "input": {"required": {"image": (["sonic_sample_portrait.png", "sonic_sample_pair.jpg"],)}},
        "output": ["IMAGE", "MASK"],
    },
    "LoadVideo": {"input": {"required": {"file": (["sonic_sample_video.mp4"],)}}, "output": ["VIDEO"]},
}
"""The host's own nodes that the workflows use."""


def described(pack: ModuleType) -> dict[str, Any]:
    """Describe every node as the host's /object_info does."""
    ours = {
        name: {"input": node.INPUT_TYPES(), "output": node.RETURN_TYPES}
        for name, node in pack.NODE_CLASS_MAPPINGS.items()
    }
    return CORE | ours


def test_the_nodes_and_their_names_are_there(pack: ModuleType) -> None:
    assert set(pack.NODE_CLASS_MAPPINGS) >= IDS
    assert set(pack.NODE_DISPLAY_NAME_MAPPINGS) == set(pack.NODE_CLASS_MAPPINGS)
    assert (ROOT / pack.WEB_DIRECTORY / "js").is_dir()


def test_every_input_has_a_parameter_and_a_tooltip(pack: ModuleType) -> None:
    for name, node in pack.NODE_CLASS_MAPPINGS.items():
        inputs = node.INPUT_TYPES()
        parameters = inspect.signature(getattr(node, node.FUNCTION)).parameters
        open_ended = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
        for group in inputs.values():
            assert open_ended or set(group) <= set(parameters), name
        for key, (_, options) in {**inputs["required"], **inputs.get("optional", {})}.items():
            assert options["tooltip"].endswith((".", "…")), f"{name}.{key}"
        assert node.CATEGORY.startswith("Sonic/")
        assert len(node.RETURN_TYPES) == len(node.RETURN_NAMES) == len(node.OUTPUT_TOOLTIPS)


def test_defaults_are_the_engines(pack: ModuleType) -> None:
    from sonic_core.settings import RANGES, Settings

    defaults = {field.name: field.default for field in fields(Settings)}
    for node in ("SONIC_PreData", "SonicSampler"):
        inputs = described(pack)[node]["input"]
        for name, (_, options) in {**inputs["required"], **inputs["optional"]}.items():
            if name in defaults and name not in ("duration", "direction"):
                assert options["default"] == defaults[name], name
            if name in RANGES:
                assert (options["min"], options["max"]) == (RANGES[name].least, RANGES[name].most)


@pytest.mark.parametrize("path", sorted((ROOT / "workflows").glob("*.json")), ids=lambda path: path.stem)
def test_workflows_fit_the_nodes(pack: ModuleType, folders: FolderPaths, path: Path) -> None:
    for name in ("speech", "spanish"):
        (folders.home / f"input/sonic_sample_{name}.wav").touch()
    workflow = json.loads(path.read_text(encoding="utf-8"))
    assert misfits(workflow, described(pack)) == []
    assert path.with_suffix(".jpg").read_bytes()[:2] == b"\xff\xd8"


@pytest.mark.parametrize("path", sorted((ROOT / "assets/prompts").glob("*.json")), ids=lambda path: path.stem)
def test_prompts_say_what_their_workflows_say(pack: ModuleType, path: Path) -> None:
    prompt = json.loads(path.read_text(encoding="utf-8"))
    workflow = json.loads((ROOT / f"workflows/{TITLES[path.stem]}.json").read_text(encoding="utf-8"))
    drawn = {str(node["id"]): node for node in workflow["nodes"] if not node["type"].endswith("Note")}
    assert {key: node["type"] for key, node in drawn.items()} == {
        key: node["class_type"] for key, node in prompt.items()
    }
    links = {(str(goal), drawn[str(goal)]["inputs"][port]["name"]): [str(a), slot]
             for _, a, slot, goal, port, _ in workflow["links"]}  # fmt: skip
    for key, node in prompt.items():
        given = node["inputs"]
        assert {name: value for name, value in given.items() if isinstance(value, list)} == {
            name: link for (goal, name), link in links.items() if goal == key
        }
        plain = [value for value in given.values() if not isinstance(value, list)]
        linked = [name for goal, name in links if goal == key and name not in _plugs(pack, node["class_type"])]
        shown = [value for value in drawn[key]["widgets_values"] if value not in ("fixed", "image", None, "")]
        assert plain == shown[len(linked) :]  # a linked widget comes first in its node, and keeps a value of its own


def _plugs(pack: ModuleType, kind: str) -> set[str]:
    """Name the inputs of a node that have no widget."""
    inputs = described(pack)[kind]["input"]
    every = {**inputs["required"], **inputs.get("optional", {})}
    return {
        name
        for name, (kind, options) in every.items()
        if isinstance(kind, str) and (kind not in WIDGETS or options.get("forceInput"))
    }


def test_only_one_folder_is_taken_for_templates() -> None:
    names = ("example_workflows", "example", "examples", "workflow")
    assert [name for name in names if (ROOT / name).exists()] == []


def test_the_models_folders_are_registered(pack: ModuleType, folders: FolderPaths, host: ModuleType) -> None:
    assert str(folders.home / "models/sonic") in folders.folder_names_and_paths["sonic"][0]
    assert ".onnx" in folders.folder_names_and_paths["insightface"][1]
    for folder in ("models/sonic", "models/insightface", "ckpt"):
        assert folders.home / folder in host.search_path().host


def test_every_node_looks_for_a_finder_where_the_host_keeps_models(
    folders: FolderPaths, host: ModuleType, empty_place: None
) -> None:
    """A node that runs before any loader has, too."""
    assert host.face_finder(host.search_path()).name == "embedded"
    file = folders.home / "models/sonic/yoloface_v5m.pt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"not one")
    with pytest.raises(Exception, match=r"yoloface_v5m\.pt is not a TorchScript file"):
        host.face_finder(host.search_path())
    file.unlink()
    file.parent.rmdir()


def test_checkpoints_are_offered_and_named_ones_found(folders: FolderPaths, host: ModuleType) -> None:
    (folders.home / "ckpt/video").mkdir(parents=True)
    for name in ("video/svd_xt.safetensors", "other.ckpt"):
        (folders.home / "ckpt" / name).touch()
    assert host.checkpoint_files() == ["auto", "video/svd_xt.safetensors"]
    assert host.checkpoint_path("auto") == ()
    assert host.checkpoint_path("video/svd_xt.safetensors") == (folders.home / "ckpt/video/svd_xt.safetensors",)
    said = host.problem(host.checkpoint_path, "nowhere.safetensors")
    assert (
        said
        == f"There is no file nowhere.safetensors in {folders.home}/ckpt: put it there, or choose another one or auto."
    )


def test_loras_are_offered_and_reach_the_model(
    pack: ModuleType, folders: FolderPaths, host: ModuleType, tmp_path: Path
) -> None:
    loader, loras = pack.NODE_CLASS_MAPPINGS["SonicModelLoader"], folders.home / "loras/people"
    loras.mkdir(parents=True)
    for name in ("me.safetensors", "notes.txt"):
        (loras / name).touch()
    assert host.lora_files() == ["none", "people/me.safetensors"]
    assert host.lora_path("none") == ()
    with pytest.raises(Exception, match=r"no file you\.safetensors.* choose another one or none"):
        host.lora_path("you.safetensors")
    write_set(tmp_path, tiny=True, single_file=True)
    sonic = folders.home / "models/sonic"
    sonic.parent.mkdir(exist_ok=True)
    sonic.symlink_to(tmp_path)
    try:
        assert loader.IS_CHANGED("auto", lora="people/me.safetensors") != loader.IS_CHANGED("auto") != ""
    finally:
        sonic.unlink()


def test_the_loader_runs_again_when_weights_have_changed(
    pack: ModuleType, folders: FolderPaths, tmp_path: Path
) -> None:
    loader, sonic = pack.NODE_CLASS_MAPPINGS["SonicModelLoader"], folders.home / "models/sonic"
    assert loader.IS_CHANGED("sonic-preview") == loader.IS_CHANGED("sonic-base") == ""
    write_set(tmp_path, tiny=True, single_file=True)
    sonic.parent.mkdir(exist_ok=True)
    sonic.symlink_to(tmp_path)
    before = loader.IS_CHANGED("auto", svd_checkpoint="auto", precision="fp16")
    assert before == loader.IS_CHANGED("sonic-base") != ""
    (tmp_path / "Sonic/unet.pth").touch()
    assert loader.IS_CHANGED("auto") != before
    sonic.unlink()
    assert loader.IS_CHANGED("auto") == ""


def test_samples_are_laid_ready_and_never_overwritten(pack: ModuleType, host: ModuleType, tmp_path: Path) -> None:
    assets, inputs = tmp_path / "assets", tmp_path / "input"
    assets.mkdir()
    (assets / "portrait.png").write_bytes(b"new")
    host.folders._lay_samples(assets, inputs)
    assert [file.name for file in inputs.iterdir()] == ["sonic_sample_portrait.png"]
    (inputs / "sonic_sample_portrait.png").write_bytes(b"mine")
    host.folders._lay_samples(assets, inputs)
    assert (inputs / "sonic_sample_portrait.png").read_bytes() == b"mine"
    (tmp_path / "a file").touch()
    host.folders._lay_samples(assets, tmp_path / "a file")


def test_the_door_imports_nothing_heavy() -> None:
    """The host waits for every pack: no torch, no OpenCV, no PyAV before a node runs."""
    code = f"""
import importlib.util, sys, tempfile
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from tests.nodes.conftest import FolderPaths
before = set(sys.modules)
sys.modules["folder_paths"] = FolderPaths(Path(tempfile.mkdtemp()))
door, rooms = {str(ROOT / "__init__.py")!r}, [{str(ROOT)!r}]
spec = importlib.util.spec_from_file_location("pack", door, submodule_search_locations=rooms)
sys.modules["pack"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(*sorted({{name.split(".")[0] for name in set(sys.modules) - before}}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "cv2", "av", "librosa", "skimage", "diffusers", "insightface", "numpy", "PIL"}
    assert set(done.stdout.split()) & heavy == set()


def test_what_takes_a_video_and_shows_a_picture_says_so_to_the_canvas(pack: ModuleType) -> None:
    """Else the newest canvas takes the picture for a video, which fails to load."""
    script = (ROOT / "web/js/sonic.js").read_text(encoding="utf-8")
    said = set(re.findall(r'"(\w+)"', re.findall(r"SHOW_PICTURES = \[([^\]]*)\]", script)[0]))
    taking = {
        name
        for name, node in pack.NODE_CLASS_MAPPINGS.items()
        for kind in node.INPUT_TYPES().values()
        for given in kind.values()
        if "VIDEO" in str(given[0]).split(",")
    }
    assert said == taking - {"VideoCombine"}
