"""The bundled prompts, each made short and small by the same few words."""

from __future__ import annotations

import json
import wave
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from sonic_core.clip import Clip, open_clip
from sonic_core.media.audio import read_audio
from tests.host.harness import ROOT

NAMES = sorted(path.stem for path in (ROOT / "assets/prompts").glob("*.json"))
"""All prompts; each is a template too."""
TITLES = {name: name.replace("_", " ").capitalize() for name in NAMES}
"""Prompt → what its template is called: the canvas shows the file's name to people."""
SECONDS = 1.0
"""How long what is made of them is."""
BRIEF = {
    "SONIC_PreData": {"min_resolution": 128},
    "SonicSampler": {"inference_steps": 1, "window": 14, "fps": 12.5},
}
"""Class → inputs that keep a run short."""

Prompt = dict[str, dict[str, Any]]


def bundled(name: str) -> Prompt:
    """Read a prompt as it is shipped."""
    return json.loads((ROOT / f"assets/prompts/{name}.json").read_text(encoding="utf-8"))


def workflow_of(name: str) -> dict[str, Any]:
    """Read the template of the same name."""
    return json.loads((ROOT / f"workflows/{TITLES[name]}.json").read_text(encoding="utf-8"))


def nodes_of(prompt: Prompt, kind: str) -> list[str]:
    """List the nodes of a class."""
    return [node for node, made in prompt.items() if made["class_type"] == kind]


def brief_changes(prompt: Prompt) -> dict[str, Any]:
    """Name the inputs to change, ``node.input`` → value, for a run that is short."""
    return {
        f"{node}.{name}": value
        for kind, inputs in BRIEF.items()
        for node in nodes_of(prompt, kind)
        for name, value in inputs.items()
    }


def expected(prompt: Prompt) -> tuple[int, tuple[int, int]]:
    """Say how many frames of which size (width, height) a brief run has: the video's, the portrait's or the crop's."""
    samplers = nodes_of(prompt, "SonicSampler")
    if nodes_of(prompt, "LoadVideo"):
        return 25, (192, 192)
    whole = prompt[samplers[0]]["inputs"]["paste_back"]
    return 13, (768, 768) if whole else (128, 128)


def short_sound(folder: Path, name: str = "short.wav", start: float = 0.3) -> Path:
    """Cut a second of the bundled speech."""
    with wave.open(str(ROOT / "assets/speech.wav")) as whole, wave.open(str(folder / name), "wb") as part:
        part.setparams(whole.getparams())
        whole.setpos(int(start * whole.getframerate()))
        part.writeframes(whole.readframes(int(SECONDS * whole.getframerate())))
    return folder / name


def short_video(folder: Path) -> Path:
    """Cut a small second of the bundled video."""
    whole = ROOT / "assets/video.mp4"
    frames = torch.stack(list(islice(open_clip(whole).frames(), 25)))[..., ::2, ::2].contiguous()
    made = Clip(lambda: iter([frames]), Fraction(25), 25, (192, 192), read_audio(whole, duration=SECONDS))
    made.export(folder / "short.mp4")
    return folder / "short.mp4"
