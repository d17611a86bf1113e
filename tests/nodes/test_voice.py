"""A voice on the canvas: it is made clear by one node, and the lips follow it while the sound is heard."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
import torch

from sonic_core.media.audio import read_audio
from sonic_core.media.image import read_image
from sonic_core.speech.voice.denoisers import DENOISERS
from tests.nodes.conftest import ROOT
from tests.nodes.test_portrait import NUMBERS, Canvas, canvas, errors_of, model, node_of, sound
from tests.unit.speech.voice.conftest import RATE, dialogue, other, speech

__all__ = ["canvas", "dialogue", "model", "other", "speech"]


@pytest.fixture(scope="module")
def portrait() -> torch.Tensor:
    return read_image(ROOT / "assets/portrait.png").permute(1, 2, 0)[None]


def given(audio: Any) -> dict[str, Any]:
    return {"waveform": audio.samples[None], "sample_rate": audio.rate}


def test_one_of_two_voices_is_left_and_who_speaks_is_told(pack: ModuleType, canvas: Canvas, dialogue: Any) -> None:
    node = pack.NODE_CLASS_MAPPINGS["SonicVoice"]()
    voice, told = node.clear(given(dialogue), clean=False, speaker_voice=2, unique_id="3")
    assert voice["waveform"].shape == (1, *dialogue.samples.shape)
    assert voice["sample_rate"] == RATE
    assert not voice["waveform"][0, 0, RATE : 3 * RATE].any()
    assert told.splitlines()[0].endswith("voice 1")
    assert "voice 2 for" in told.splitlines()[-1]
    with pytest.raises(errors_of(pack).InputError, match="got 9"):
        node.clear(given(dialogue), clean=False, speaker_voice=9, unique_id="3")


def test_what_is_not_installed_is_said_in_a_sentence(
    pack: ModuleType, canvas: Canvas, dialogue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in DENOISERS.values():
        monkeypatch.setitem(sys.modules, one.package, None)  # as if it were not installed
    with pytest.raises(errors_of(pack).SettingsError, match="not installed on this machine: pip install"):
        pack.NODE_CLASS_MAPPINGS["SonicVoice"]().clear(given(dialogue), clean=True, speaker_voice=0)


def test_the_lips_follow_one_sound_and_the_video_carries_another(
    pack: ModuleType, canvas: Canvas, model: Any, portrait: torch.Tensor
) -> None:
    english = read_audio(ROOT / "assets/sounds/english.wav")
    carried, track = sound(0.6), given(english)
    answer = node_of(pack).prepare(model, portrait, carried, **NUMBERS, lips=track, unique_id="6")
    prepared = answer["result"][0]
    assert torch.equal(prepared.conditions.audio.samples, english.samples[:, : round(0.6 * english.rate)])
    clip = model.animate(prepared.conditions, prepared.settings, stages=()).clip
    assert torch.equal(clip.audio.samples, carried["waveform"][0])
    with pytest.raises(errors_of(pack).SettingsError, match="lips is for one"):
        node_of(pack).prepare(model, portrait, carried, **NUMBERS, lips=track, speakers={1: None}, unique_id="6")
