"""Several people on the canvas: who says what goes from node to node, and PreData makes all of them ready."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from sonic_core.media.image import read_image
from tests.nodes.conftest import ROOT
from tests.nodes.test_portrait import NUMBERS, Canvas, canvas, errors_of, model, node_of, seen, sound

__all__ = ["canvas", "model"]


@pytest.fixture(scope="module")
def both() -> torch.Tensor:
    """The bundled portrait, and it mirrored and smaller beside it, as the host has pictures."""
    picture = read_image(ROOT / "assets/portrait.png")[None]
    first, second = (torch.nn.functional.interpolate(picture, (side, side), mode="area")[0] for side in (320, 296))
    made = torch.full((3, 320, 640), 0.5)
    made[:, :, :320] = first
    made[:, 12:308, 332:628] = second.flip(2)
    return made.permute(1, 2, 0)[None]


def speaker(pack: ModuleType, **given: Any) -> Any:
    return pack.NODE_CLASS_MAPPINGS["SonicSpeaker"]().add(**{"audio": sound(), "begin": 0.0, **given})[0]


def test_speakers_are_chained(pack: ModuleType) -> None:
    first = speaker(pack, face_index=1)
    second = speaker(pack, face_index=3, begin=0.5, speakers=first)
    assert [(number, one.begin) for number, one in second.items()] == [(1, 0.0), (3, 0.5)]
    assert list(first) == [1]
    with pytest.raises(errors_of(pack).SettingsError, match="Face 3 has two sounds"):
        speaker(pack, face_index=3, speakers=second)


def test_all_are_made_ready_and_shown_and_the_sampler_makes_the_whole_picture(
    pack: ModuleType, canvas: Canvas, model: Any, both: torch.Tensor, tmp_path: Path
) -> None:
    others, predata = speaker(pack, face_index=1, begin=0.2), node_of(pack)
    answer = predata.prepare(model, both, sound(), **NUMBERS, speakers=others, unique_id="6")
    prepared, crop = answer["result"]
    assert [part.member.number for part in prepared.conditions.parts] == [0, 1]
    assert crop.shape[1:] == (384, 384, 3)
    picture = seen(answer, tmp_path)
    assert picture.shape == (3, 320, 640)
    assert (picture - both[0].permute(2, 0, 1)).abs().max() > 0.3
    assert canvas.warnings == []
    staged = model.animate(prepared.conditions, prepared.settings, stages=())
    assert (staged.clip.size, staged.clip.length) == ((320, 640), 15)
    again = predata.prepare(model, both, sound(), **NUMBERS, speakers=others, unique_id="6")
    assert again["ui"]["images"] == [], "nothing is shown twice in a run"


def test_who_is_not_there_is_told_and_all_who_are_shown(
    pack: ModuleType, canvas: Canvas, model: Any, both: torch.Tensor
) -> None:
    errors = errors_of(pack)
    with pytest.raises(errors.FaceNotFoundError, match="Face 4 should speak, but 2 faces were found"):
        node_of(pack).prepare(model, both, sound(), **NUMBERS, speakers=speaker(pack, face_index=4), unique_id="6")
    assert len(canvas.outputs) == 1, "the picture that was searched"
    with pytest.raises(errors.SettingsError, match="Face 0 has two sounds"):
        node_of(pack).prepare(model, both, sound(), **NUMBERS, speakers=speaker(pack, face_index=0), unique_id="6")
    with pytest.raises(errors.SettingsError, match="leave those out"):
        node_of(pack).prepare(
            model, both, sound(), **NUMBERS, face_box="1,2,30,40", speakers=speaker(pack, face_index=1)
        )
