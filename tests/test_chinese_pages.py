"""The Chinese pages say what the English ones say: what can be compared without reading them is compared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHORT = {"performance.zh.md"}
"""Pages that tell only the gist of the English ones."""
ENGLISH_ONLY = {"api.md", "architecture.md"}
"""Pages for those who write programs."""
PAGES = [ROOT / "README.zh.md", *sorted((ROOT / "docs").glob("*.zh.md"))]
WHOLE = [page for page in PAGES if page.name not in SHORT]
BLOCK = re.compile(r"^```\w*\n.*?^```", re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
HAN = re.compile(r"[\u4e00-\u9fff]")


def english_of(page: Path) -> str:
    return page.with_name(page.name.replace(".zh.md", ".md")).read_text(encoding="utf-8")


def prose(text: str) -> str:
    """Leave out what stands in fences, is linked to, or is mark-up."""
    return re.sub(r"\]\([^)]*\)|<[^>]+>", "", BLOCK.sub("", text))


def sections(text: str) -> list[str]:
    """Part a page at its headings."""
    return re.split(r"^#+ .*$", prose(text), flags=re.MULTILINE)


def named(text: str) -> set[str]:
    """List what stands between backticks."""
    return {re.sub(r"\s+", " ", code) for code in re.findall(r"`([^`]+)`", prose(text))}


@pytest.mark.parametrize("page", WHOLE, ids=lambda page: page.name)
def test_a_chinese_page_is_built_as_the_english_one(page: Path) -> None:
    chinese, english = page.read_text(encoding="utf-8"), english_of(page)
    assert BLOCK.findall(chinese) == BLOCK.findall(english)
    levels = [re.findall(r"^(#+) ", BLOCK.sub("", text), re.MULTILINE) for text in (chinese, english)]
    assert levels[0] == levels[1]
    for number, (ours, theirs) in enumerate(zip(sections(chinese), sections(english), strict=True)):
        rows = [re.findall(r"^\|(?:[^|\n]*\|)+$", text, re.MULTILINE) for text in (ours, theirs)]
        assert len(rows[0]) == len(rows[1]), f"section {number}"
        assert [re.findall(r"`[^`]+`", row.split("|")[1]) for row in rows[0]] == [
            re.findall(r"`[^`]+`", row.split("|")[1]) for row in rows[1]
        ], f"section {number}"


@pytest.mark.parametrize("page", WHOLE, ids=lambda page: page.name)
def test_a_chinese_page_names_the_same_numbers_and_words(page: Path) -> None:
    chinese, english = page.read_text(encoding="utf-8"), english_of(page)
    for number, (ours, theirs) in enumerate(zip(sections(chinese), sections(english), strict=True)):
        assert set(NUMBER.findall(ours)) == set(NUMBER.findall(theirs)), f"section {number}"
        assert named(ours) == named(theirs), f"section {number}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_chinese_page_is_chinese_and_leads_to_chinese_pages(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert len(HAN.findall(prose(text))) > len(prose(text)) / 6
    original = {page.name.replace(".zh.md", ".md")} if page.name in SHORT | {"README.zh.md"} else set()
    for target in set(re.findall(r"\]\(([^)#]+\.md)", text)) - original:
        there = page.parent / target
        assert target.endswith(".zh.md") or not there.with_name(f"{there.stem}.zh.md").exists(), target


def test_every_page_for_people_at_the_canvas_has_a_chinese_one() -> None:
    english = {page.name for page in (ROOT / "docs").glob("*.md") if not page.name.endswith(".zh.md")} - ENGLISH_ONLY
    assert {page.name.replace(".zh.md", ".md") for page in PAGES} == english | {"README.md"}
    assert "(README.zh.md)" in "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:6])


@pytest.mark.parametrize("name", sorted(SHORT))
def test_a_short_page_says_nothing_that_the_english_one_does_not(name: str) -> None:
    page = ROOT / "docs" / name
    chinese, english = page.read_text(encoding="utf-8"), english_of(page)
    assert set(BLOCK.findall(chinese)) <= set(BLOCK.findall(english))
    assert set(NUMBER.findall(prose(chinese))) <= set(NUMBER.findall(prose(english)))
