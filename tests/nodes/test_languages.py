"""What people read at the canvas: every node in both languages, and its help pages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

from sonic_core.settings import RANGES
from tests.nodes.conftest import ROOT
from tests.nodes.english import FILE, english, inputs_of

DOCS = ROOT / "web/docs"
PAGES = {"en": ("{id}.md", "images/{id}.png"), "zh": ("{id}/zh.md", "images/{id}.zh.png")}
"""Where the host looks for a node's help, and the picture that it shows."""
HEADINGS = {
    "en": ["Inputs", "Outputs", "Try this", "When something goes wrong", "Goes well with"],
    "zh": ["输入", "输出", "试一试", "遇到问题", "搭配节点"],
}
LARGEST = 150_000
"""Bytes that a picture may have."""
CHINESE = re.compile(r"[\u4e00-\u9fff]")
NUMBER = re.compile(r"\d+(?:\.\d+)?")
WRITTEN = re.compile(r"`([a-z]+(?:_[a-z]+)+)`")
"""What a page writes as the name of something: words joined by underscores."""
TEMPLATE = re.compile(r"(?:template|模板|[Rr]un) \*([^*]+)\*")
"""What a page names as a template."""
languages = pytest.mark.parametrize("language", PAGES)


def read(language: str, name: str = "nodeDefs") -> dict[str, Any]:
    return json.loads((ROOT / f"locales/{language}/{name}.json").read_text(encoding="utf-8"))


def sentences(words: Mapping[str, Any]) -> Iterator[str]:
    """List every text of a file of words."""
    for value in words.values():
        yield from sentences(value) if isinstance(value, Mapping) else [value]


def widgets_of_the_canvas(node: Any) -> set[str]:
    """Name the widgets that the canvas adds to a node of ours; it has Chinese words for those of its own nodes only."""
    uploads = any(options.get("audio_upload") for options in inputs_of(node).values())
    return {"audioUI", "upload"} if uploads else set()


def table(page: str, heading: str) -> list[list[str]]:
    """Read the table below a heading: its rows, without the head."""
    part = page.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("|")]
    return rows[2:]


def page_of(language: str, name: str) -> str:
    return (DOCS / PAGES[language][0].format(id=name)).read_text(encoding="utf-8")


def test_the_english_file_says_what_the_schemas_say(pack: ModuleType) -> None:
    """Write it anew with ``python -m tests.nodes.english``."""
    assert json.loads(FILE.read_text(encoding="utf-8")) == english(pack)


def test_every_node_input_and_output_has_chinese_words(pack: ModuleType) -> None:
    chinese = read("zh")
    assert set(chinese) == set(pack.NODE_CLASS_MAPPINGS)
    for name, words in english(pack).items():
        ours, added = chinese[name], widgets_of_the_canvas(pack.NODE_CLASS_MAPPINGS[name])
        assert set(ours) == set(words), name
        assert set(ours["inputs"]) == set(words["inputs"]) | added, name
        assert set(ours["outputs"]) == set(words["outputs"]), name
        for group in ("inputs", "outputs"):
            for key, described in words[group].items():
                assert set(ours[group][key]) == set(described), f"{name}.{key}"
    assert [text for text in sentences(chinese) if not CHINESE.search(text)] == []
    tooltips = [one["tooltip"] for node in chinese.values() for one in node["inputs"].values() if "tooltip" in one]
    assert [text for text in tooltips if not text.endswith("。")] == []


def test_chinese_tooltips_name_the_same_numbers(pack: ModuleType) -> None:
    chinese = read("zh")
    for name, words in english(pack).items():
        for group in ("inputs", "outputs"):
            for key, described in words[group].items():
                said = set(NUMBER.findall(chinese[name][group][key]["tooltip"]))
                assert said == set(NUMBER.findall(described["tooltip"])), f"{name}.{key}"


def test_every_reason_has_chinese_words_and_tooltips_use_them(pack: ModuleType) -> None:
    reasons, chinese = read("zh", "main")["sonic"]["reasons"], read("zh")
    assert {reason for one in RANGES.values() for reason in (one.below, one.above)} - {""} <= set(reasons)
    for name, node in pack.NODE_CLASS_MAPPINGS.items():
        for key, options in inputs_of(node).items():
            for reason in {options.get("advised", {}).get(side) for side in ("below", "above")} - {None, ""}:
                told = chinese[name]["inputs"][key]["tooltip"]
                assert reasons[reason] in told or reason not in options["tooltip"], f"{name}.{key}"


@languages
def test_no_word_is_taken_for_a_command(language: str) -> None:
    """The canvas formats its messages: braces are places to fill, ``|`` parts plurals, ``@`` links."""
    assert [text for text in sentences(read(language)) if re.search(r"[{}|@]", text)] == []


@languages
def test_every_node_has_a_help_page_with_its_picture(pack: ModuleType, language: str) -> None:
    for name in pack.NODE_CLASS_MAPPINGS:
        page, picture = page_of(language, name), PAGES[language][1].format(id=name)
        assert re.findall(r"!\[.+\]\((.+)\)", page) == [picture], name
        assert re.findall(r"^## (.+)$", page, re.MULTILINE) == HEADINGS[language], name
        assert (DOCS / picture).stat().st_size < LARGEST, name
        with Image.open(DOCS / picture) as image:
            image.verify()
            assert min(image.size) > 100, name


@languages
def test_help_pages_list_the_inputs_and_outputs_as_the_node_does(pack: ModuleType, language: str) -> None:
    for name, described in english(pack).items():
        for heading, group in zip(HEADINGS[language], ("inputs", "outputs"), strict=False):
            shown = [read(language)[name][group][key]["name"] for key in described[group]]
            assert [row[0].replace("<wbr>", "") for row in table(page_of(language, name), heading)] == shown, name


@languages
def test_help_pages_name_nothing_that_does_not_exist(pack: ModuleType, language: str) -> None:
    known = {one["name"] for words in english(pack).values() for group in ("inputs", "outputs")
             for one in words[group].values()}  # fmt: skip
    known |= {"svd_xt", "sonic_samples"}
    templates = {path.stem for path in (ROOT / "workflows").glob("*.json")}
    for name in pack.NODE_CLASS_MAPPINGS:
        page = page_of(language, name)
        assert set(WRITTEN.findall(page)) - known == set(), name
        assert set(re.findall(r"\*([a-z]+_[a-z_]+)\*", page)) == set(), name
        assert set(TEMPLATE.findall(page)) - templates == set(), name


def test_no_help_page_is_left_over(pack: ModuleType) -> None:
    wanted = {place.format(id=name) for name in pack.NODE_CLASS_MAPPINGS for pair in PAGES.values() for place in pair}
    assert {str(path.relative_to(DOCS)) for path in DOCS.rglob("*") if path.is_file()} == wanted
    assert all(path.is_dir() or path.suffix in {".md", ".png"} for path in Path(DOCS).rglob("*"))
