"""The words that people search nodes by."""

from __future__ import annotations

import json
from types import ModuleType

import pytest

from tests.nodes.conftest import ROOT

WORDS = {
    "portrait": "SONIC_PreData",
    "talking head": "SonicSampler",
    "talking portrait": "SonicTalkingPortrait",
    "talking photo": "SonicTalkingPortrait",
    "speech to video": "SonicTalkingPortrait",
    "照片说话": "SonicTalkingPortrait",
    "avatar": "SonicSampler",
    "digital human": "SonicSampler",
    "speech": "SonicLoadAudio",
    "lip sync": "LipSyncRefine",
    "dub": "LipSyncRefine",
    "数字人": "SonicSampler",
    "对口型": "LipSyncRefine",
    "说话": "SonicSampler",
    "人像": "SONIC_PreData",
    "防抖": "TemporalSmooth",
    "evaluate": "SonicReport",
    "quality": "SonicReport",
    "评估": "SonicReport",
}
"""A word, and a node that must be found by it."""


@pytest.mark.parametrize(("word", "name"), WORDS.items())
def test_a_word_finds_its_node(pack: ModuleType, word: str, name: str) -> None:
    """The canvas looks into a node's id, its title and these words."""
    node = pack.NODE_CLASS_MAPPINGS[name]
    assert any(word in told.lower() for told in (name, pack.NODE_DISPLAY_NAME_MAPPINGS[name], *node.SEARCH_ALIASES))


def test_every_node_is_found_in_english_and_chinese_and_each_word_is_said_once(pack: ModuleType) -> None:
    for name, node in pack.NODE_CLASS_MAPPINGS.items():
        english = [word for word in node.SEARCH_ALIASES if word.isascii()]
        assert 0 < len(english) < len(node.SEARCH_ALIASES), name
        assert len({word.lower() for word in node.SEARCH_ALIASES}) == len(node.SEARCH_ALIASES), name


def test_sub_categories_have_chinese_words(pack: ModuleType) -> None:
    chinese = json.loads((ROOT / "locales/zh/main.json").read_text(encoding="utf-8"))["nodeCategories"]
    places = [node.CATEGORY.split("/") for node in pack.NODE_CLASS_MAPPINGS.values()]
    assert {top for top, _ in places} == {"Sonic"}
    assert {inner for _, inner in places} == set(chinese)


def test_every_node_stays_among_the_extensions(pack: ModuleType) -> None:
    """The newest canvas lists a node that is marked as essential no more among extensions, where people look for it."""
    assert [name for name, node in pack.NODE_CLASS_MAPPINGS.items() if hasattr(node, "ESSENTIALS_CATEGORY")] == []
