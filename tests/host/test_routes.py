"""What the canvas asks the pack over a real host's server."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.parse
import wave
from pathlib import Path
from typing import Any

import pytest

import sonic_core
from tests.host.conftest import HOSTS
from tests.host.harness import PACK, ROOT, Comfy, beside, choices_of, needed_python

RIVAL = """
class Rival:
    CATEGORY, FUNCTION, RETURN_TYPES = "rival", "run", ()
    @classmethod
    def INPUT_TYPES(cls): return {"required": {}}
    def run(self): return ()
NODE_CLASS_MAPPINGS = {"SONIC_PreData": Rival}
"""
"""A pack that has a node of our name."""


def refusal(comfy: Comfy, path: str) -> str:
    with pytest.raises(urllib.error.HTTPError) as caught:
        comfy.ask(path)
    with caught.value as answer:
        assert answer.code == 400
        return json.loads(answer.read())["message"]


def test_a_waveform_is_drawn_of_what_the_node_shows(comfy: Comfy) -> None:
    outline = comfy.read("/sonic/waveform?audio=sonic_sample_speech.wav&count=200")
    with wave.open(str(comfy.home / "input/sonic_sample_speech.wav")) as file:
        assert (outline["rate"], outline["channels"]) == (file.getframerate(), file.getnchannels())
        assert outline["seconds"] == file.getnframes() / file.getframerate()
    assert len(outline["peaks"]) == 200
    assert all(-1 <= low <= high <= 1 for low, high in outline["peaks"])
    assert max(high for _, high in outline["peaks"]) > 0.1
    assert len(comfy.read("/api/sonic/waveform?audio=sonic_sample_video.mp4")["peaks"]) == 600
    assert comfy.read("/sonic/waveform?audio=sonic_samples/english.wav&count=1")["seconds"] > 2
    shutil.copy(comfy.home / "input/sonic_sample_speech.wav", comfy.home / "output/made.wav")
    made = comfy.read("/sonic/waveform?" + urllib.parse.urlencode({"audio": "made.wav [output]"}))
    assert made["seconds"] == outline["seconds"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"audio": "../secret.wav"}, "leads out"),
        ({"audio": "/etc/passwd"}, "leads out"),
        ({"audio": "sonic_sample_portrait.png"}, "no sound in"),
        ({"audio": "absent.wav"}, "There is no file absent.wav"),
        ({}, "There is no file"),
        ({"audio": "sonic_sample_speech.wav", "count": "1e9"}, "whole number"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(comfy: Comfy, asked: dict[str, str], words: str) -> None:
    (comfy.home / "secret.wav").write_bytes((comfy.home / "input/sonic_sample_speech.wav").read_bytes())
    said = refusal(comfy, "/sonic/waveform?" + urllib.parse.urlencode(asked))
    assert words in said
    assert "\n" not in said


def test_every_sound_of_a_folder_becomes_a_video_of_its_name(comfy: Comfy, prompt: dict[str, Any]) -> None:
    choice = {"folder": "sonic_samples", "pattern": "*ish.wav", "filename_prefix": "folder/"}
    prompt["4"] = {"class_type": "SonicLoadAudioFolder", "inputs": choice}
    prompt["8"]["inputs"]["filename_prefix"] = ["4", 2]
    prompt["6"]["inputs"]["duration"] = 0.4
    run = comfy.run(prompt)
    assert run.complaint == ""
    made = sorted(file.name for file in (comfy.home / "output/folder").iterdir())
    assert made == ["english_00001_.mp4", "spanish_00001_.mp4"]
    assert comfy.run(prompt).cached == set(prompt)
    prompt["4"]["inputs"]["folder"] = "gone"
    assert "There is no folder 'gone'" in comfy.run(prompt).complaint


def test_alone_there_is_no_conflict(comfy: Comfy) -> None:
    assert comfy.read("/sonic/pack") == {"version": sonic_core.__version__, "conflicts": [], "formats": []}


@pytest.fixture(params=HOSTS or [None], ids=lambda path: path.name if path else "no host")
def checkout(request: pytest.FixtureRequest) -> Path:
    needed_python(request.param)
    return request.param


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_another_pack_with_a_node_of_our_name_is_told(checkout: Path, tmp_path: Path, first: bool) -> None:
    rival = tmp_path / "packs/Rival.Pack"
    rival.mkdir(parents=True)
    (rival / "__init__.py").write_text(RIVAL)
    with beside(checkout, tmp_path, first=first) as host:
        log = host.log
        (said,) = host.read("/sonic/pack")["conflicts"]
        owner = host.read("/object_info/SONIC_PreData")["SONIC_PreData"]["python_module"]
        assert host.log.count(said["message"]) == log.count(said["message"]) == 1, "told before anybody asks, and once"
    assert owner == (f"custom_nodes.{PACK}" if first else "custom_nodes.Rival.Pack")
    assert (said["id"], said["ours"], said["pack"]) == ("SONIC_PreData", first, "Rival.Pack")


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_a_second_copy_of_the_pack_is_told(checkout: Path, tmp_path: Path, first: bool) -> None:
    (tmp_path / "packs").mkdir()
    (tmp_path / "packs/copy").symlink_to(ROOT)
    with beside(checkout, tmp_path, first=first) as host:
        (said,) = host.read("/sonic/pack")["conflicts"]
        assert len(host.read("/sonic/waveform?audio=sonic_sample_speech.wav&count=3")["peaks"]) == 3
        assert "IMPORT FAILED" not in host.log
    assert "SonicModelLoader, " in said["id"]
    assert said["pack"] == (PACK if first else "copy")
    assert not said["ours"], "the first copy answers, and the second one has the nodes"


def test_formats_of_a_users_file_are_offered_and_bad_ones_told(comfy: Comfy) -> None:
    file = comfy.home / "user/sonic_formats.json"
    file.write_text('[{"name": "mp4-small", "like": "mp4-h264", "crf": 40}, {"name": "no"}]', encoding="utf-8")
    try:
        offered = comfy.read("/object_info/VideoCombine")["VideoCombine"]["input"]["optional"]["format"]
        assert "mp4-small" in (choices_of(*offered) or [])
        assert "Format 2 in" in comfy.read("/sonic/pack")["formats"][0]
    finally:
        file.unlink()
    assert comfy.read("/sonic/pack")["formats"] == []
