"""The one node, and the blueprint of the same: found by search, placed, linked, and run."""

from __future__ import annotations

import urllib.error
from typing import Any

import pytest

from tests.browser.canvas import Canvas
from tests.host.harness import Comfy

BLUEPRINT = "Talking Portrait (Sonic)"
LINK = """async () => {
  const one = app.graph.nodes[0];
  const put = (kind, left) => {
    const node = LiteGraph.createNode(kind);
    node.pos = [left, one.pos[1]];
    app.graph.add(node);
    return node;
  };
  const [image, audio, video] = [put('LoadImage', -700), put('SonicLoadAudio', -350), put('VideoCombine', 700)];
  image.widgets.find(widget => widget.name === 'image').value = 'sonic_sample_portrait.png';
  const slot = name => one.inputs.findIndex(input => input.name === name);
  image.connect(0, one, slot('image'));
  audio.connect(0, one, slot('audio'));
  one.connect(0, video, 0);
  for (const [name, value] of Object.entries({ duration: 1, min_resolution: 384 })) {
    const widget = one.widgets.find(widget => widget.name === name);
    widget.value = value;
    widget.callback?.(value, app.canvas, one);
  }
}"""
"""Gives the only node a picture, a sound and somewhere to go, and makes what it does short."""


def place(canvas: Canvas, word: str, title: str) -> None:
    """Search for a node, as people do, and put it on an empty canvas."""
    page: Any = canvas.page
    page.evaluate("() => app.graph.clear()")
    canvas.open_search(700, 400)
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(word)
    page.wait_for_timeout(1500)
    offered = page.get_by_role("option").filter(has_text=title)
    (offered if offered.count() else page.get_by_text(title, exact=True)).first.click()
    page.wait_for_timeout(500)
    if not page.evaluate("() => app.graph.nodes.length"):  # newer canvases hang it on the pointer
        page.mouse.click(700, 400)
    page.wait_for_function("() => app.graph.nodes.length === 1", timeout=10_000)


def run(canvas: Canvas, name: str) -> None:
    canvas.page.evaluate(LINK)
    assert canvas.press_run() == "execution_success"
    canvas.play()
    canvas.show_all()
    canvas.shoot(name)
    assert "25 frames · 25 fps · 768 × 768" in canvas.page.locator("[data-sonic=video-info]").inner_text()
    assert canvas.ours == []


def test_the_one_node_is_found_and_makes_a_picture_talk(canvas: Canvas) -> None:
    place(canvas, "talking portrait", "Sonic Talking Portrait")
    run(canvas, "one_node")


def test_the_blueprint_is_found_and_makes_a_picture_talk(canvas: Canvas, comfy: Comfy) -> None:
    try:
        offered = comfy.read("/global_subgraphs")
    except urllib.error.HTTPError as error:
        error.close()
        pytest.skip("this host takes no blueprints from packs")
    assert BLUEPRINT in {one["name"] for one in offered.values()}
    place(canvas, "talking portrait", BLUEPRINT)
    run(canvas, "blueprint")
