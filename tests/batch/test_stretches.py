"""One voice's stretches become files and rows that ``batch`` reads."""

from __future__ import annotations

import numpy as np
import pytest

from sonic_core import InputError, MediaError, hear_voices, read_audio, read_manifest
from sonic_core.batch.stretches import MANIFEST, find_stretches, write_stretches
from tests.unit.speech.voice.conftest import ASSETS, RATE, dialogue, other, speech

__all__ = ["dialogue", "other", "speech"]


def test_a_stretch_has_nothing_of_anybody_else(dialogue):
    voices = hear_voices(dialogue)
    spans = find_stretches(voices, 1)
    assert len(spans) == 2
    for span in spans:
        assert not [one for one in voices.turns if one.voice == 2 and one.end > span.start and one.start < span.end]
    assert find_stretches(voices, 3) == []


def test_stretches_are_files_and_a_list_for_a_batch(tmp_path, dialogue):
    voices = hear_voices(dialogue)
    made = write_stretches(dialogue, voices, tmp_path / "one", voice=2, image=ASSETS / "portrait.png")
    assert [path.name for path in made] == ["voice-2-001.wav", "voice-2-002.wav"]
    for path, span in zip(made, find_stretches(voices, 2), strict=True):
        samples = dialogue.samples[:, round(span.start * RATE) : round(span.end * RATE)].numpy()
        np.testing.assert_allclose(read_audio(path).samples.numpy(), samples, atol=1e-6)
    read = read_manifest(tmp_path / "one" / MANIFEST, tmp_path / "videos")
    assert read.faults == []
    assert [(row.id, row.audio) for row in read.rows] == [(path.stem, path) for path in made]


def test_without_a_portrait_the_list_says_what_is_missing(tmp_path, dialogue):
    write_stretches(dialogue, hear_voices(dialogue), tmp_path / "one", voice=1)
    read = read_manifest(tmp_path / "one" / MANIFEST, tmp_path / "videos")
    assert {fault.column for fault in read.faults} == {"image"}


def test_nothing_is_left_where_there_is_no_stretch_or_something_is_there(tmp_path, dialogue):
    voices = hear_voices(dialogue)
    with pytest.raises(InputError, match="of voice 9; there is none"):
        write_stretches(dialogue, voices, tmp_path / "one", voice=9)
    with pytest.raises(MediaError, match="exists"):
        write_stretches(dialogue, voices, tmp_path, voice=1)
    assert list(tmp_path.iterdir()) == []
