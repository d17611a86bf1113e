"""Some frames of a clip are what they are in the whole, to the bit, and no others are drawn for them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sonic_core import load_model
from sonic_core.cast.speakers import Speaker
from sonic_core.media.parts import Held, part_of
from sonic_core.models.preview.puppet.drawing import Puppet

ASSETS = Path(__file__).resolve().parents[2] / "assets"
SAID = {0: ASSETS / "speech.wav", 1: Speaker(ASSETS / "sounds/english.wav", 0.1)}
KINDS = {
    "crop": {"image": ASSETS / "portrait.png", "audio": ASSETS / "speech.wav"},
    "picture": {"image": ASSETS / "portrait.png", "audio": ASSETS / "speech.wav", "paste_back": True},
    "several": {"image": ASSETS / "pair.jpg", "speakers": SAID},
}


@pytest.fixture(name="drawn")
def drawn_fixture(monkeypatch):
    """Count the frames that are drawn."""
    frame, count = Puppet.frame, []

    def counted(self, pose, out):
        count.append(pose)
        return frame(self, pose, out)

    monkeypatch.setattr(Puppet, "frame", counted)
    return count


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_is_drawn_alone_and_to_the_bit(kind, drawn):
    whole = load_model("sonic-preview").generate(**KINDS[kind], duration=0.4, min_resolution=384)
    frames = list(whole.frames())
    people = len(drawn) // len(frames)
    for first, end in ((0, 3), (3, 7), (7, len(frames))):
        drawn.clear()
        part = list(whole.cut(first, end - first).frames())
        assert len(drawn) == people * (end - first)
        assert all(torch.equal(one, other) for one, other in zip(part, frames[first:end], strict=True))


def numbered(*sizes):
    """Frames of one pixel that tell their numbers, in chunks of so many."""
    return torch.arange(float(sum(sizes))).reshape(-1, 1, 1, 1).split(sizes)


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (2, 2), (4,), (3, 1)])
def test_every_part_of_held_frames_is_what_the_whole_has(sizes):
    held = Held(lambda: iter(numbered(*sizes)), 4, 7)

    def shown(read):
        return torch.cat(list(read())).flatten().tolist()

    whole = shown(held)
    assert whole == [0, 1, 2, 3, 3, 3, 3]
    for first in range(7):
        for end in range(first + 1, 8):
            part = part_of(held, first, end)
            assert shown(part) == whole[first:end]
            assert shown(part_of(part, 0, end - first)) == whole[first:end]
            assert shown(part_of(part, end - first - 1, end - first)) == whole[end - 1 : end]
