"""A setting's words, and a format's, live once: pages are made from the tables, and no code lists them by hand."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from sonic_core import Settings
from sonic_core.cli.main import main
from sonic_core.media.formats import FORMATS
from sonic_core.models.registry import MODELS
from sonic_core.settings import RANGES, SETTINGS
from tests.tables import ROOT, pages

CODE = sorted(path for room in ("sonic_core", "nodes", "web/js") for path in (ROOT / room).rglob("*.[pj][ys]"))
FORMATS_TABLE, SETTINGS_TABLE = ROOT / "sonic_core/media/formats.py", ROOT / "sonic_core/settings.py"
FEW = 3
"""Formats that a file may name: what is handled in its own way."""
LONG = 24
"""Letters from which on the beginning of a sentence is a setting's own."""
OTHER_FLAGS = {
    ("sonic_core/cli/video.py", "--fps"),
    ("sonic_core/learn/lipreading/commands.py", "--seed"),
    ("sonic_core/learn/sync/commands.py", "--seed"),
}
"""Flags of other commands that are called like a setting's."""


def formats_listed(text: str) -> list[str]:
    """Name the formats that a file lists, if it names more than a few."""
    named = [name for name in FORMATS if re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w-])", text)]
    return named if len(named) > FEW else []


def words_repeated(text: str) -> list[str]:
    """List what a file says again of settings: sentences, reasons, ranges."""
    flat = re.sub(r'"\s*\n\s*f?"', "", text).lower()  # texts over several lines
    sentences = [sentence for one in SETTINGS.values() for sentence in re.split(r"[.;] ", one.words.help.lower())]
    said = [begun for begun in (re.split(r"[,:.](?: |$)", sentence)[0] for sentence in sentences) if len(begun) >= LONG]
    said += [reason for limits in RANGES.values() for reason in (limits.below, limits.above)]
    repeated = [sentence for sentence in said if sentence and sentence in flat]
    for name, limits in RANGES.items():
        for least, most in ((limits.least, limits.most), (limits.advised_least, limits.advised_most)):
            pair = rf"\b{re.escape(name)}\b.{{0,80}}\b{least:g}(?:\.0)?\b\D{{1,6}}\b{most:g}(?:\.0)?\b"
            repeated += re.findall(pair, flat)
    return repeated


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", pages(), ids=relative)
def test_pages_say_what_the_tables_say(path):
    """Write them anew with ``python -m tests.tables``."""
    text = path.read_text(encoding="utf-8")
    assert pages()[path](text) == text
    assert "`mp4-h264`: plays everywhere." in text or "| `expand_ratio` | `--expand-ratio` | 0.2 | 0.1–0.3 |" in text


@pytest.mark.parametrize("path", CODE, ids=relative)
def test_nothing_is_listed_by_hand(path):
    text = path.read_text(encoding="utf-8")
    assert path == FORMATS_TABLE or formats_listed(text) == []
    assert path == SETTINGS_TABLE or words_repeated(text) == []
    flags = {one.flag for one in SETTINGS.values() if f'"{one.flag}"' in text}
    assert {(relative(path), flag) for flag in flags} <= OTHER_FLAGS


@pytest.mark.parametrize(
    "text",
    [
        'HELP = "mp4-h264, webm-vp9, webp or gif"',
        'const KINDS = { "mp4-h264": 1, webp: 2, gif: 3, png16: 4 };',
    ],
)
def test_a_list_of_formats_is_found(text):
    assert formats_listed(text)


@pytest.mark.parametrize(
    "text",
    [
        'tip = "Shorter side of the animated crop in pixels."',
        '"expand_ratio": Range(0.0, 3.0)',
        '"expand_ratio (advised: 0.1 to 0.3)"',
        'why = "the face loses detail"',
    ],
)
def test_a_setting_that_is_told_again_is_found(text):
    assert words_repeated(text)


def test_every_setting_has_its_words():
    assert set(SETTINGS) == {field.name for field in fields(Settings)} - {"direction"}
    for one in SETTINGS.values():
        assert one.words.help.endswith(".")
        assert not one.default or one.kind is not bool or one.words.otherwise.endswith(".")
    assert list(SETTINGS)[-len(MODELS[0].heeds) :] == [name for name in SETTINGS if name in MODELS[0].heeds]


def test_the_command_line_tells_every_setting_and_format(capsys):
    with pytest.raises(SystemExit):
        main(["generate", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for one in SETTINGS.values():
        assert f" {one.flag} " in shown
        assert (one.words.otherwise if one.default is True else one.words.help) in shown
    assert "Default: 512; advised 384 to 1024." in shown
    assert all(re.search(rf"{name}[, ;]", shown) for name in FORMATS)
