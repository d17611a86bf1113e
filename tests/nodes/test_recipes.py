"""What is added in one file of the engine is there at every door."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import torch

from sonic_core import Audio
from sonic_core.cli.main import main
from sonic_core.clip import Clip, open_clip
from sonic_core.media import formats
from tests.nodes.english import english
from tests.tables import pages

NEW = replace(
    formats.FORMATS["mp4-h264"], name="mov-h264", title="MOV H.264", about="for older editors", suffix=".mov",
    container="mov",
)  # fmt: skip


def test_a_format_that_is_added_to_the_table_is_offered_everywhere(
    pack: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    of_the_pack = import_module(f"{pack.__name__}.sonic_core.media.formats")
    for table in (formats.FORMATS, of_the_pack.FORMATS):
        monkeypatch.setitem(table, NEW.name, NEW)

    pictures, silence = torch.zeros(5, 3, 64, 64), Audio(torch.zeros(1, 3200), 16000)
    clip = Clip(lambda: iter([pictures]), Fraction(25), 5, (64, 64), silence)
    assert open_clip(clip.export(tmp_path / "a.mov", format=NEW.name)).length == 5

    with pytest.raises(SystemExit):
        main(["generate", "--help"])
    assert NEW.name in capsys.readouterr().out

    inputs = pack.NODE_CLASS_MAPPINGS["VideoCombine"].INPUT_TYPES()
    assert inputs["optional"]["format"][0][-1] == NEW.name
    assert "15 to 23 for H.264 and H.264" in inputs["required"]["crf"][1]["tooltip"]
    assert "mov-h264: for older editors." in english(pack)["VideoCombine"]["inputs"]["format"]["tooltip"]

    told = [written(path.read_text(encoding="utf-8")) for path, written in pages().items()]
    assert sum("`mov-h264`: for older editors." in page for page in told) == 2


def test_every_format_has_chinese_words() -> None:
    for page in ("locales/zh/nodeDefs.json", "web/docs/VideoCombine/zh.md"):
        text = (Path(__file__).resolve().parents[2] / page).read_text(encoding="utf-8")
        assert [name for name in formats.FORMATS if not re.search(rf"\b{name}\b", text)] == []
