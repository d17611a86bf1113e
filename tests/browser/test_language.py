"""A Chinese canvas is told in Chinese what is wrong: while it runs, when a run fails, and before it begins."""

from __future__ import annotations

from typing import Any

from PIL import Image

from tests.browser.canvas import Canvas
from tests.host.harness import Comfy

LISTEN = """() => {
  window.told = new Set();
  const look = () => document.querySelectorAll('div, span, p').forEach(({ childElementCount, textContent }) =>
    !childElementCount && textContent[0] === '“' && told.add(textContent));
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""
"""Keeps what is said in the corner, which may be gone when the run ends."""


def test_a_chinese_canvas_reads_warnings_and_errors_in_chinese(
    canvas: Canvas, comfy: Comfy, workflow: dict[str, Any]
) -> None:
    canvas.set("Comfy.Locale", "zh")
    canvas.open()
    Image.new("RGB", (500, 400), (90, 120, 90)).save(comfy.home / "input/meadow.png")
    canvas.load(workflow)
    canvas.turn("SONIC_PreData", duration=0.4, min_resolution=192)
    canvas.turn("SonicSampler", dynamic_scale=1.6)
    canvas.page.evaluate(LISTEN)
    assert canvas.press_run() == "execution_success"
    canvas.shoot("warning_zh")
    assert "“口型幅度”为 1.6：嘴会张得比真人还大（建议 0.5～1.2）。" in canvas.page.evaluate("() => [...told]")
    assert "dynamic_scale is 1.6: the mouth opens wider" in comfy.log

    canvas.turn("LoadImage", image="meadow.png")
    assert canvas.press_run() == "execution_error"
    said = canvas.complaint()
    canvas.shoot("no_face_zh")
    assert "没有找到人脸（检测器：" in said
    assert "请换一张更大、更亮、正面的图片" in said
    canvas.page.keyboard.press("Escape")


def test_a_chinese_canvas_reads_in_chinese_why_nothing_begins(canvas: Canvas, workflow: dict[str, Any]) -> None:
    canvas.set("Comfy.Locale", "zh")
    canvas.open()
    canvas.load(workflow)
    canvas.turn("SONIC_PreData", face_box="1,2,3")
    assert canvas.press_run() == "refused"
    told = canvas.page.evaluate("() => Object.values(app.lastNodeErrors).flatMap(node => node.errors)")
    assert [one["details"] for one in told] == [
        "face_box - “人脸框”（face_box）应为空，或按图片像素写成 左,上,右,下，例如 120,80,360,340；现在是 '1,2,3'。"
    ]
    canvas.complaint()  # some front ends show the sentence only to who points at it
    canvas.shoot("refused_zh")
    canvas.page.keyboard.press("Escape")


def test_an_english_canvas_reads_what_the_server_says(canvas: Canvas, workflow: dict[str, Any]) -> None:
    canvas.load(workflow)
    canvas.turn("SONIC_PreData", face_box="1,2,3")
    assert canvas.press_run() == "refused"
    told = canvas.page.evaluate("() => Object.values(app.lastNodeErrors).flatMap(node => node.errors)")
    assert [one["message"] for one in told] == ["Custom validation failed for node"]
    assert told[0]["details"].startswith("face_box - face_box must be empty, or left,top,right,bottom")
