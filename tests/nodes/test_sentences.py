"""What the server says in English, a Chinese canvas says in Chinese: every warning, and what people can do wrong."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from types import ModuleType

import pytest

from tests.nodes.conftest import ROOT
from tests.sentences import DEBTS, chinese, debts, raised, written

PLACE = re.compile(r"\{\d+\}")
HAN = re.compile(r"[\u4e00-\u9fff]")
SAID = {
    "A 1.5 of 1: it is not known. ": "A 1.5 of 1: it is not known. ",
    "No face was found in the 500×400 picture (finder: embedded); turn it upside down: there is one then.": (
        "在 500×400 的图片中没有找到人脸（检测器：embedded）；请把它上下翻转：那样就能找到人脸。"
    ),
    "dynamic_scale is 1.6: the mouth opens wider than people do (0.5 to 1.2 is advised).": (
        "“口型幅度”为 1.6：嘴会张得比真人还大（建议 0.5～1.2）。"
    ),
    "The face is cut off: 12% of it lie beyond the picture's left edge; use a picture that holds all.": (
        "人脸不完整：有 12% 超出了图片的左边；请换一张包含整张脸的图片。"
    ),
    "Face 2: The sound is silent: the mouth stays shut; choose a sound in which somebody speaks.": (
        "人脸 2：这段音频没有声音：嘴会一直闭着；请选择有人说话的声音。"
    ),
    "Expected a duration of at most the sound's 3 s, got 9 s; use a longer sound, or leave the duration out for the "
    "whole of it. On this node, duration 0 takes the whole.": (
        "时长最多为声音的 3 秒，现在是 9 秒；请用更长的声音，或不填时长以取整段。在这个节点上，时长填 0 就是取整段。"
    ),
    "sonic-base needs 8.2 GB of files that are missing: press Download on Sonic Model Loader, or run\ncd /a b; c\n": (
        "sonic-base 缺少 8.2 GB 的文件：请在“Sonic 模型加载器”上点“下载”，或运行\ncd /a b; c"
    ),
    "a/b was refused (403): accept the licence on the page a/b while logged in there, enter a token of yours and "
    "press Download again.": "a/b 被拒绝（403）：请登录后在页面 a/b 上接受许可证，填入你的访问令牌，然后请再点“下载”。",
    "Something new happened. There is not enough memory (no more could be had); choose a smaller size or a shorter "
    "duration, or end other programs.": (
        "Something new happened. 内存不足（无法再分配）；请选择更小的尺寸或更短的时长，或关闭其他程序。"
    ),
}
"""What comes from the server, and what is read at the canvas."""
SPEAK = """
import { readFileSync } from "node:fs";
import { Phrasebook } from "%s";
const { sentences, names, texts } = JSON.parse(readFileSync(0));
const book = new Phrasebook(sentences, names);
console.log(JSON.stringify(texts.map((text) => book.say(text))));
"""


def say(texts: list[str]) -> list[str]:
    """Say texts as the canvas does."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node, which runs what a browser does")
    main = json.loads((ROOT / "locales/zh/main.json").read_text(encoding="utf-8"))["sonic"]
    given = {"sentences": main["reasons"] | main["sentences"], "names": {"dynamic_scale": "“口型幅度”"}, "texts": texts}
    program = SPEAK % (ROOT / "web/js/sentences.js").as_uri()
    done = subprocess.run(
        [node, "--input-type=module", "--eval", program],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_every_known_sentence_is_still_said() -> None:
    assert sorted(set(chinese()) - written()) == []


def test_every_warning_is_known() -> None:
    assert [text for _, text, warns in raised() if warns and text not in chinese()] == []


def test_every_error_of_a_node_is_known() -> None:
    owed = [text for module, text, _ in raised() if module.startswith("nodes/") and text not in chinese()]
    assert owed == ["count must be a whole number, got {1}."]  # asked of a route, by our own page alone


def test_the_debts_are_as_listed() -> None:
    """``python -m tests.sentences`` lists what has no Chinese words; its ``--debts`` takes off what was paid."""
    assert debts() == json.loads(DEBTS.read_text(encoding="utf-8"))


def test_both_languages_have_the_same_places() -> None:
    for english, other in chinese().items():
        there = set(PLACE.findall(english)) - ({"{2}"} if english.startswith("{1} {2} too small") else set())
        assert set(PLACE.findall(other)) == there, english  # but for "is" or "are"
        assert HAN.search(other), english


def test_what_is_said_of_bad_input_is_chinese(pack: ModuleType) -> None:
    assert say(list(SAID)) == list(SAID.values())
    refused = [
        pack.NODE_CLASS_MAPPINGS["SONIC_PreData"].VALIDATE_INPUTS("1,2,3"),
        pack.NODE_CLASS_MAPPINGS["VideoCombine"].VALIDATE_INPUTS("../x"),
        pack.NODE_CLASS_MAPPINGS["SonicLoadAudio"].VALIDATE_INPUTS("../x.wav"),
        pack.NODE_CLASS_MAPPINGS["SonicLoadAudio"].VALIDATE_INPUTS("none.wav"),
        pack.NODE_CLASS_MAPPINGS["SonicLoadAudioFolder"].VALIDATE_INPUTS("none"),
        pack.NODE_CLASS_MAPPINGS["SonicModelLoader"].VALIDATE_INPUTS("none.safetensors"),
    ]
    for english, said in zip(refused, say(refused), strict=True):
        assert said != english
        assert HAN.search(said[:4] + said[-8:]), said


def test_every_sentence_is_found_with_its_values() -> None:
    """None is taken for another: each is filled, and read again."""
    texts = [PLACE.sub(lambda found: f"v{found[0][1]}", english) for english in chinese()]
    for (english, other), said in zip(chinese().items(), say(texts), strict=True):
        if not re.search(r"\}\{", english):  # what nothing parts cannot be parted
            assert said == PLACE.sub(lambda found: f"v{found[0][1]}", other), english


def test_the_chinese_help_quotes_what_a_chinese_canvas_says() -> None:
    quoted = {
        text for page in (ROOT / "web/docs").glob("*/zh.md") for text in re.findall("“([^”]+)”", page.read_text())
    }
    drawn = {"cannot tell: unchanged", "sound 120 ms late: unchanged", "sound drifts", "not measured: unchanged"}
    assert {text for text in quoted if not HAN.search(text)} == drawn | {"png", "webp"}  # drawn into a picture
