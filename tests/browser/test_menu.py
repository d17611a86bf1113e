"""The menu of a node that shows a video: open, save, copy the path, mute."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.canvas import VIDEO, Canvas
from tests.host.harness import Comfy

NODE = "app.graph.nodes.find(node => node.type === 'VideoCombine')"
ENTRIES = f"() => app.canvas.getNodeMenuOptions({NODE}).map(entry => entry?.content)"
CHOOSE = f"""said => {{
  app.canvas.getNodeMenuOptions({NODE}).find(entry => entry?.content === said).callback();
}}"""


def test_the_video_is_opened_saved_named_and_silenced(canvas: Canvas, comfy: Comfy, workflow: dict[str, Any]) -> None:
    page = canvas.page
    canvas.load(workflow)
    assert "Save video as a file" not in page.evaluate(ENTRIES)
    canvas.turn("SONIC_PreData", duration=0.4, min_resolution=192)
    canvas.turn("VideoCombine", filename_prefix="menu/a film")
    assert canvas.press_run() == "execution_success"
    canvas.fit()
    page.wait_for_function(f"() => {VIDEO}", timeout=30_000)
    own = ["Open video in a new tab", "Save video as a file", "Copy path of video", "Mute video"]
    assert [entry for entry in page.evaluate(ENTRIES) if entry in own] == own

    with page.expect_download() as download:
        page.evaluate(CHOOSE, own[1])
    path = comfy.home / "output/menu" / download.value.suggested_filename
    assert path.name.startswith("a film_0")
    with page.expect_popup() as opened:
        page.evaluate(CHOOSE, own[0])
    assert "/view?filename=a+film_0" in opened.value.url
    opened.value.close()
    page.evaluate("() => { navigator.clipboard.writeText = async text => { window.copied = text } }")
    page.evaluate(CHOOSE, own[2])
    page.wait_for_function("() => window.copied")
    assert page.evaluate("() => window.copied") == str(path)

    page.evaluate(CHOOSE, own[3])
    assert page.evaluate(f"() => {VIDEO}.muted") is True
    canvas.turn("VideoCombine", crf=30)
    assert canvas.press_run() == "execution_success"
    page.wait_for_function(f"name => !{VIDEO}?.src.includes(name)", arg=path.name.replace(" ", "+"), timeout=30_000)
    page.wait_for_function(f"() => {VIDEO}", timeout=30_000)
    assert page.evaluate(f"() => {VIDEO}.muted") is True
    page.evaluate(CHOOSE, "Unmute video")
    assert page.evaluate(f"() => {VIDEO}.muted") is False
    assert canvas.ours == []


@pytest.mark.parametrize("canvas", ["nodes2"], indirect=True)
def test_the_menu_of_nodes_that_are_elements_has_them_too(canvas: Canvas, workflow: dict[str, Any]) -> None:
    page = canvas.page
    canvas.load(workflow)
    canvas.turn("SONIC_PreData", duration=0.4, min_resolution=192)
    assert canvas.press_run() == "execution_success"
    canvas.fit()
    number = page.evaluate(f"() => String({NODE}.id)")
    page.locator(f"[data-node-id='{number}']").first.click(button="right", position={"x": 60, "y": 12})
    page.wait_for_timeout(1500)
    canvas.shoot("menu")
    assert "Copy path of video" in page.locator("body").inner_text()
