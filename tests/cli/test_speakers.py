"""Several people of a picture on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from sonic_core import open_clip
from sonic_core.cli.main import main

ASSETS = Path(__file__).resolve().parents[2] / "assets"


def test_each_of_two_says_a_sound_of_its_own(tmp_path, capsys):
    one = Image.open(ASSETS / "portrait.png").convert("RGB")
    both = Image.new("RGB", (640, 320))
    both.paste(one.resize((320, 320)), (0, 0))
    both.paste(one.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((300, 300)), (330, 10))
    both.save(tmp_path / "both.png")
    flags = ["--image", str(tmp_path / "both.png"), "--output", str(tmp_path / "o.mp4"), "--duration", "0.6"]
    speakers = ["--speaker", f"0={ASSETS / 'speech.wav'}", "--speaker", f"1={ASSETS / 'sounds/chinese.wav'}@0.2"]
    assert main(["generate", *flags, *speakers, "--model", "sonic-preview", "--json"]) == 0
    shown = capsys.readouterr()
    told = json.loads(shown.out)
    assert told["faces"] == {"0": "speaks", "1": "speaks"}
    assert (told["frames"], told["size"]) == (15, [320, 640])
    assert "cast: faces 0 and 1 speak." in shown.err
    clip = open_clip(tmp_path / "o.mp4")
    assert clip.size == (320, 640)
    assert np.abs(clip.audio.samples.numpy()).max() > 0.05
