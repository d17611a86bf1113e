"""A folder of sounds: which files, in which order, under which names; and nothing from outside the inputs."""

from __future__ import annotations

import inspect
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.nodes.conftest import ROOT, FolderPaths

SAMPLES = ["chinese.wav", "english.wav", "spanish.wav"]


@pytest.fixture
def inputs(folders: FolderPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An inputs folder of the test's own."""
    monkeypatch.setattr(folders, "home", tmp_path)
    (tmp_path / "input").mkdir()
    return tmp_path / "input"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What the node says while it runs, on a host that is not there."""
    said: list[str] = []
    canvas = SimpleNamespace(client_id="me", send_sync=lambda _event, what, _client: said.append(what["message"]))
    bar = SimpleNamespace(update_absolute=lambda *_: None)
    for name, module in {
        "comfy": ModuleType("comfy"),
        "comfy.model_management": SimpleNamespace(throw_exception_if_processing_interrupted=lambda: None),
        "comfy.utils": SimpleNamespace(ProgressBar=lambda *_, **__: bar),
        "server": SimpleNamespace(PromptServer=SimpleNamespace(instance=canvas)),
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    return said


@pytest.fixture
def node(pack: ModuleType) -> Any:
    return pack.NODE_CLASS_MAPPINGS["SonicLoadAudioFolder"]


def speech(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(ROOT / "assets/sounds/english.wav", path))


def test_the_samples_are_laid_ready_and_never_overwritten(host: ModuleType, inputs: Path) -> None:
    host.folders._lay_samples(ROOT / "assets", inputs)
    assert sorted(file.name for file in (inputs / "sonic_samples").iterdir()) == SAMPLES
    assert host.input_folders() == ["sonic_samples"]
    (inputs / "sonic_samples/english.wav").write_bytes(b"mine")
    host.folders._lay_samples(ROOT / "assets", inputs)
    assert (inputs / "sonic_samples/english.wav").read_bytes() == b"mine"


def test_every_sound_comes_with_its_length_and_its_name(node: Any, host: ModuleType, inputs: Path, told: list) -> None:
    host.folders._lay_samples(ROOT / "assets", inputs)
    sounds, seconds, names = node().load("sonic_samples", "*", "sonic/batch/", "1")
    assert names == ["sonic/batch/chinese", "sonic/batch/english", "sonic/batch/spanish"]
    for sound, length in zip(sounds, seconds, strict=True):
        assert sound["sample_rate"] == 22050
        assert sound["waveform"].shape == (1, 1, round(length * 22050))
        assert 2 < length < 2.5
        assert 0.5 < float(sound["waveform"].abs().max()) <= 1
    assert node.OUTPUT_IS_LIST == (True, True, True)
    assert told == []


def test_files_are_chosen_by_pattern_and_sorted_by_their_numbers(host: ModuleType, inputs: Path) -> None:
    for name in ("take 10.wav", "take 2.mp3", "Take 1.wav", "notes.txt", "film.mp4", ".hidden.wav", "inner/a.wav"):
        (inputs / "voices" / name).parent.mkdir(parents=True, exist_ok=True)
        (inputs / "voices" / name).touch()
    listed = lambda pattern: [path.name for path in host.sound_files("voices", pattern)]  # noqa: E731
    assert listed("*") == ["film.mp4", "Take 1.wav", "take 2.mp3", "take 10.wav"]
    assert listed("take ?.*") == ["take 2.mp3"]
    assert listed("*[!4].wav") == ["Take 1.wav", "take 10.wav"]
    assert [path.name for path in host.sound_files("voices/inner")] == ["a.wav"]


@pytest.mark.parametrize("folder", ["..", "../outside", "/etc", "voices/../../outside"])
def test_no_folder_leads_out_of_the_inputs(node: Any, inputs: Path, folder: str) -> None:
    speech(inputs.parent / "outside/a.wav")
    assert "leads out of the inputs folder" in str(node.VALIDATE_INPUTS(folder))
    assert node.IS_CHANGED(folder, "*") == ""
    with pytest.raises(Exception, match="leads out"):
        node().load(folder, "*", "sonic/", None)


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("pattern", ["../*", "../outside/a.wav", "*/a.wav"])
def test_no_pattern_leads_out_of_the_folder(node: Any, inputs: Path, pattern: str) -> None:
    speech(inputs / "outside/a.wav")
    speech(inputs / "voices/b.wav")
    with pytest.raises(Exception, match="No sound or video in"):
        node().load("voices", pattern, "sonic/", None)


def test_what_is_not_there_is_said_in_a_sentence_before_anything_runs(node: Any, inputs: Path) -> None:
    speech(inputs / "voices/a.wav")
    assert node.VALIDATE_INPUTS("voices") is True
    assert node.VALIDATE_INPUTS(folder=None) is True, "what is linked is not known yet"
    assert "There is no folder 'gone'" in str(node.VALIDATE_INPUTS("gone"))
    for pattern, words in [("*.mp3", r"called like '\*\.mp3'"), ("", "pattern is empty")]:
        with pytest.raises(Exception, match=words):
            node().load("voices", pattern, "sonic/", None)


def test_a_complaint_is_told_of_the_field_that_is_wrong(pack: ModuleType) -> None:
    """The host tells what VALIDATE_INPUTS says of every input that is named there, one by one."""
    for name, node in pack.NODE_CLASS_MAPPINGS.items():
        check = getattr(node, "VALIDATE_INPUTS", None)
        assert check is None or len(inspect.getfullargspec(check).args) <= 2, name


def test_it_runs_again_when_a_file_comes_goes_or_changes(node: Any, inputs: Path) -> None:
    first = speech(inputs / "voices/a.wav")
    marks = [node.IS_CHANGED("voices", "*", filename_prefix="x")]
    second = speech(inputs / "voices/b.wav")
    marks.append(node.IS_CHANGED("voices", "*"))
    os.utime(first, ns=(1, 1))
    marks.append(node.IS_CHANGED("voices", "*"))
    assert len(set(marks)) == 3
    assert all(isinstance(mark, str) for mark in marks)
    assert node.IS_CHANGED("voices", "*") == marks[2], "and not when nothing has"
    assert node.IS_CHANGED("voices", None) == marks[2], "a linked pattern may be any"
    second.unlink()
    assert node.IS_CHANGED("voices", "*") not in marks
    assert node.IS_CHANGED(folder=None, pattern=None) == node.IS_CHANGED("gone", "*") == ""


def test_what_has_no_sound_is_left_out_and_named(node: Any, inputs: Path, told: list) -> None:
    speech(inputs / "voices/a.wav")
    (inputs / "voices/b.wav").write_text("not a sound")
    _, _, names = node().load("voices", "*", "x_", "1")
    assert names == ["x_a"]
    assert len(told) == 1
    assert "b.wav is left out: " in told[0]
    (inputs / "voices/a.wav").unlink()
    with pytest.raises(Exception, match="None of the 1 files in "):
        node().load("voices", "*", "x_", "1")


@pytest.mark.parametrize("prefix", ["a\0b", "../", "/etc/"])
def test_names_that_no_file_can_have_are_refused_before_a_sound_is_read(
    node: Any, inputs: Path, told: list, prefix: str
) -> None:
    speech(inputs / "voices/a.wav").write_text("not a sound")
    with pytest.raises(Exception, match="filename_prefix must"):
        node().load("voices", "*", prefix, "1")
    assert told == [], "nothing was read"


def test_names_outside_the_outputs_are_refused_before_anything_is_read(node: Any, inputs: Path) -> None:
    speech(inputs / "voices/a.wav")
    with pytest.raises(Exception, match="filename_prefix must name files inside the outputs folder"):
        node().load("voices", "*", "../../", None)


def test_a_name_from_another_node_takes_the_place_of_the_one_chosen(
    pack: ModuleType, node: Any, inputs: Path, told: list
) -> None:
    speech(inputs / "voices/a.wav")
    speech(inputs / "others/b.wav")
    _, _, names = node().load("voices", "*", "x_", path="others", unique_id="1")
    assert names == ["x_b"]
    with pytest.raises(Exception, match="leads out of the inputs folder"):
        node().load("voices", "*", "x_", path="../others")
    one = pack.NODE_CLASS_MAPPINGS["SonicLoadAudio"]
    _, seconds = one().load("gone.wav", 0.0, 1.0, path="others/b.wav")
    assert seconds == 1.0
    with pytest.raises(Exception, match="leads out of the inputs folder"):
        one().load("others/b.wav", 0.0, 1.0, path="../others/b.wav")
    for described in (node.INPUT_TYPES(), one.INPUT_TYPES()):
        kind, options = described["optional"]["path"]
        assert (kind, options["forceInput"]) == ("STRING", True), "a socket, which no older workflow has"
