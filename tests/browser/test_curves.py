"""Curves over time are drawn on Sonic Direction, and changed there; the lines of text stay what is sent and saved."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.canvas import Canvas
from tests.host.harness import ROOT

PLOT = "[data-sonic=curve-plot]"
KEY = f"{PLOT} .sonic-key"
VALUE = "name => directed.widgets.find(widget => widget.name === name).value"
WRITE = """([name, value]) => {
  const widget = directed.widgets.find(widget => widget.name === name);
  widget.value = value;
  widget.callback?.(value, app.canvas, directed);
}"""


@pytest.fixture
def directing(canvas: Canvas) -> Canvas:
    """A Sonic Direction alone, shown in its full size."""
    canvas.page.evaluate("""() => {
      app.graph.clear();
      window.directed = LiteGraph.createNode('SonicDirection');
      directed.pos = [120, 60];
      app.graph.add(directed);
      app.canvas.ds.scale = 1;
      app.canvas.ds.offset = [0, 0];
      app.graph.setDirtyCanvas(true, true);
    }""")
    canvas.page.wait_for_timeout(1000)
    canvas.page.evaluate("() => { directed.setSize([420, directed.size[1]]); app.graph.setDirtyCanvas(true, true) }")
    canvas.page.wait_for_timeout(1000)
    return canvas


def choose(canvas: Canvas, name: str) -> None:
    canvas.page.locator("[data-sonic=curves] select").select_option(name)
    canvas.page.wait_for_timeout(200)


def box(canvas: Canvas, what: str, number: int = 0) -> Any:
    """Where an element is on the page."""
    return canvas.page.evaluate(
        "([what, number]) => { const { x, y, width, height } = document.querySelectorAll(what)[number]"
        ".getBoundingClientRect(); return { x, y, width, height } }",
        [what, number],
    )


def middle(canvas: Canvas, number: int) -> tuple[float, float]:
    place = box(canvas, KEY, number)
    return place["x"] + place["width"] / 2, place["y"] + place["height"] / 2


def read(canvas: Canvas, name: str) -> str:
    return canvas.page.evaluate(VALUE, name)


def test_points_are_added_dragged_and_removed_and_the_line_says_so(directing: Canvas) -> None:
    canvas, mouse = directing, directing.page.mouse
    choose(canvas, "head_yaw")
    plot = box(canvas, PLOT)
    assert plot["width"] > 200 and plot["height"] > 80
    canvas.page.locator(PLOT).dblclick(position={"x": plot["width"] / 4, "y": plot["height"] / 2})
    canvas.page.wait_for_timeout(300)
    at, value = map(float, read(canvas, "head_yaw").split(":"))
    assert at == pytest.approx(1, abs=0.05) and value == pytest.approx(0, abs=1.5)
    canvas.page.locator(PLOT).dblclick(position={"x": plot["width"] * 0.75, "y": plot["height"] / 4})
    canvas.page.wait_for_timeout(300)
    at, value = map(float, read(canvas, "head_yaw").split(", ")[1].split(":"))
    assert at == pytest.approx(3, abs=0.1) and value == pytest.approx(22.5, abs=2)
    x, y = middle(canvas, 1)
    plot = box(canvas, PLOT)
    mouse.move(x, y)
    mouse.down()
    mouse.move(x - 10, y + 10, steps=3)
    mouse.move(plot["x"] + plot["width"] / 2, plot["y"] + plot["height"] / 2, steps=6)
    mouse.up()
    canvas.page.wait_for_timeout(300)
    first, second = read(canvas, "head_yaw").split(", ")
    at, value = map(float, second.split(":"))
    assert at == pytest.approx(2, abs=0.06) and value == pytest.approx(0, abs=2), "it went where it was dragged"
    place = canvas.page.evaluate("() => [...directed.pos]")
    assert place == [120, 60], "the node did not go with it"
    canvas.shoot("curves")
    x, y = middle(canvas, 1)
    mouse.click(x, y, button="right")
    canvas.page.wait_for_timeout(300)
    assert read(canvas, "head_yaw") == first
    assert canvas.page.locator(KEY).count() == 1
    canvas.page.locator("[data-sonic=curves] [data-do=clear]").click()
    assert read(canvas, "head_yaw") == ""
    assert canvas.ours == []


def test_points_are_moved_by_keys_and_a_key_that_deletes_leaves_the_node(directing: Canvas) -> None:
    canvas, keys = directing, directing.page.keyboard
    canvas.page.evaluate(WRITE, ["smile", "0:0, 1:0.5"])
    choose(canvas, "smile")
    canvas.page.locator(KEY).nth(1).focus()
    for key in ("ArrowRight", "ArrowUp", "Shift+ArrowRight", "Shift+ArrowDown"):
        keys.press(key)
    assert read(canvas, "smile") == "0:0, 2.1:0.42"
    said = canvas.page.locator(KEY).nth(1).get_attribute("aria-valuetext")
    assert said == "2.10 s: 0.42"
    keys.press("Enter")
    assert read(canvas, "smile") == "0:0, 2.1:0.42, 3.1:0.42"
    keys.press("Delete")
    keys.press("Delete")
    assert read(canvas, "smile") == "0"
    assert canvas.page.evaluate("() => app.graph.nodes.length") == 1
    canvas.page.evaluate(WRITE, ["smile", "0:0, 2:1"])
    canvas.page.locator("[data-sonic=curves] [data-do=straight]").click()
    assert read(canvas, "smile") == "linear 0:0, 2:1"
    choose(canvas, "blinks")
    canvas.page.evaluate(WRITE, ["blinks", "1.2, 3"])
    canvas.page.wait_for_timeout(300)
    assert canvas.page.locator(KEY).count() == 2
    canvas.page.locator(KEY).nth(1).focus()
    for _ in range(3):
        keys.press("Shift+ArrowLeft")
    assert read(canvas, "blinks") == "1.2, 1.58", "blinks stay apart"
    assert canvas.ours == []


def test_what_is_written_otherwise_is_said_and_left(directing: Canvas) -> None:
    canvas = directing
    for text, said in (("0:0, 0:1", "written otherwise"), ("0:0, 2:3", "beyond 0 to 1"), ("", "Double-click")):
        canvas.page.evaluate(WRITE, ["sad", text])
        choose(canvas, "sad")
        message = canvas.page.locator(f"{PLOT} .sonic-message")
        assert said in message.inner_text()
        assert read(canvas, "sad") == text


def test_what_was_saved_is_drawn_over_its_sound_and_saved_as_it_was(canvas: Canvas, workflow: dict[str, Any]) -> None:
    saved = json.loads(json.dumps(workflow))
    canvas.load(saved)
    page = canvas.page
    page.evaluate("""() => {
      window.directed = LiteGraph.createNode('SonicDirection');
      app.graph.add(directed);
      const sampler = app.graph.nodes.find(node => node.type === 'SonicSampler');
      directed.connect(0, sampler, sampler.inputs.findIndex(input => input.name === 'direction'));
    }""")
    page.evaluate(WRITE, ["head_roll", "linear 0:0, 2:8, 4:0"])
    kept = page.evaluate("() => JSON.parse(JSON.stringify(app.graph.serialize()))")
    canvas.load(kept)
    page.evaluate("() => { window.directed = app.graph.nodes.find(node => node.type === 'SonicDirection') }")
    canvas.shoot_node("SonicDirection", "curves_loaded")
    page.wait_for_function(
        f"() => document.querySelector('{PLOT} .sonic-dim path')?.getAttribute('d')?.length > 500", timeout=20_000
    )
    assert page.evaluate("() => document.querySelector('[data-sonic=curves] select').value") == "head_roll"
    assert page.locator(KEY).count() == 3
    assert read(canvas, "head_roll") == "linear 0:0, 2:8, 4:0"
    again = page.evaluate("() => app.graph.serialize().nodes.find(node => node.type === 'SonicDirection')")
    before = next(node for node in kept["nodes"] if node["type"] == "SonicDirection")
    assert again["widgets_values"] == before["widgets_values"]
    assert canvas.ours == []


@pytest.mark.parametrize("canvas", ["classic"], indirect=True)
def test_the_graph_speaks_chinese(canvas: Canvas) -> None:
    words = json.loads((ROOT / "locales/zh/main.json").read_text(encoding="utf-8"))["sonic"]["curve"]
    canvas.set("Comfy.Locale", "zh")
    canvas.page.reload()
    canvas.open()
    canvas.page.evaluate("""() => {
      app.graph.clear();
      const node = LiteGraph.createNode('SonicDirection');
      app.graph.add(node);
      app.canvas.ds.scale = 1;
      app.canvas.ds.offset = [200, 100];
      app.graph.setDirtyCanvas(true, true);
    }""")
    canvas.page.wait_for_timeout(1500)
    assert words["hint"] in canvas.page.locator("[data-sonic=curves]").inner_text()
    assert words["empty"] in canvas.page.locator(f"{PLOT} .sonic-message").inner_text()
