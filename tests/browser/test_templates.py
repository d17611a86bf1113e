"""Each template, from the template browser to a playing video."""

from __future__ import annotations

import pytest

from tests.browser.canvas import VIDEO, Canvas
from tests.host.harness import ROOT, Comfy, Shelf

FACE, LINE = (96, 214, 148), (111, 168, 255)
"""Colours of the box around the face, and of the curve."""
SUIT = (230, 100, 50)
"""The bundled portrait wears orange."""
CURVE = """() => {
  const drawn = app.graph.nodes.find(node => node.type === 'LipSyncRefine').imgs ?? [];  // classic
  const all = [...drawn, ...document.querySelectorAll('img')];
  return all.some(img => img.naturalWidth === 640 && img.src.includes('sonic_'));
}"""

TITLES = sorted(path.stem for path in (ROOT / "workflows").glob("*.json"))
LEGIBLE = 0.65
"""Share of its full size below which the text of a node cannot be read."""
OUTSIDE = """() => {
  const { width, height } = app.canvas.canvas.getBoundingClientRect();
  const { scale, offset } = app.canvas.ds;
  return app.graph.nodes.filter(({ pos, size }) => {
    const [left, top] = [0, 1].map(axis => (pos[axis] + offset[axis]) * scale);
    return left < 0 || top < 0 || left + size[0] * scale > width || top + size[1] * scale > height;
  }).map(node => node.type);
}"""
"""Nodes that are not wholly in the window."""
SMALL, USUAL = {"width": 1280, "height": 720}, {"width": 1600, "height": 950}
"""Sizes of the window."""
COVERED = """() => {
  const small = document.querySelector('.litegraph-minimap')?.getBoundingClientRect();
  const view = app.canvas.canvas.getBoundingClientRect();
  const { scale, offset } = app.canvas.ds;
  return !small?.width ? [] : app.graph.nodes.filter(node => node.type === 'VideoCombine').map(node => {
    const [left, top, width, height] = node.boundingRect ?? node.getBounding();
    const right = view.left + (left + width + offset[0]) * scale;
    const bottom = view.top + (top + height + offset[1]) * scale;
    return [right - small.left, bottom - small.top].map(Math.round);
  }).filter(([right, bottom]) => right > 16 && bottom > 16);
}"""
"""By how many pixels the result lies under the small map in the corner; its margin may."""
ILL_FITTING = """() => app.graph.groups.map(group => {
  const [left, top] = group.pos, [width, height] = group.size;
  const inside = app.graph.nodes.filter(({ pos: [x, y] }) => x >= left && x < left + width && y >= top);
  const foot = top + height - Math.max(...inside.map(({ pos, size }) => pos[1] + size[1]));
  return [group.title, Math.round(foot)];
}).filter(([_, foot]) => foot < 0 || foot > 34)"""
"""Boxes that end before the lowest node in them, or long after it; what a node says of its place may be of before."""


def assert_in_view(canvas: Canvas) -> None:
    """See that boxes have grown with their nodes, and that nothing of the host's own lies over the result."""
    canvas.page.wait_for_timeout(5000)  # boxes look for the last time after four seconds
    canvas.shoot("in_view")
    assert canvas.page.evaluate(ILL_FITTING) == []
    assert canvas.page.evaluate(COVERED) == []


def test_fast_digital_human(canvas: Canvas, comfy: Comfy) -> None:
    comfy.forget()  # a node whose result is kept shows nothing to a page that was not there
    canvas.page.set_viewport_size(SMALL)
    canvas.choose_template("Fast digital human")
    canvas.shoot("fast_opened")
    assert canvas.press_run() == "execution_success"
    canvas.page.wait_for_function(f"() => {VIDEO}", timeout=30_000)
    assert_in_view(canvas)
    canvas.page.set_viewport_size(USUAL)
    _, height = canvas.play()
    canvas.show_all()
    canvas.shoot("fast_done", "canvas")
    assert height >= 512
    assert canvas.seen("SONIC_PreData", "overlay", FACE) > 100
    assert canvas.seen("SonicSampler", "sampling", SUIT, near=50) > 1000, "no picture of what was made"
    assert canvas.seen("SonicLoadAudio", "waveform", canvas.colour(".sonic-bright")) > 100
    assert "198 frames · 25 fps · 768 × 768" in canvas.page.locator("[data-sonic=video-info]").inner_text()
    assert canvas.ours == []


def test_high_quality_digital_human(canvas: Canvas, comfy: Comfy, shelf: Shelf) -> None:
    shelf.fill()
    comfy.forget()
    canvas.choose_template("High quality digital human")
    canvas.turn("SONIC_PreData", duration=1.0, min_resolution=128)
    canvas.turn("SonicSampler", inference_steps=1, window=14, fps=12.5)
    assert canvas.press_run() == "execution_success"
    assert_in_view(canvas)
    _, height = canvas.play()
    canvas.shoot("high_quality_done")
    assert height >= 128
    assert canvas.ours == []


def test_talking_video_repair(canvas: Canvas) -> None:
    canvas.choose_template("Talking video repair")
    assert canvas.press_run() == "execution_success"
    _, height = canvas.play()
    canvas.page.wait_for_function(CURVE, timeout=20_000)
    assert_in_view(canvas)
    canvas.show_all()
    canvas.shoot("repair_done", "repair")
    assert canvas.seen("LipSyncRefine", "curve", LINE) > 100
    assert height == 384
    assert canvas.page.get_by_text("Error loading").count() == canvas.page.get_by_text("failed to load").count() == 0
    assert canvas.ours == []


def test_batch_digital_human(canvas: Canvas) -> None:
    canvas.choose_template("Batch digital human")
    canvas.turn("SONIC_PreData", min_resolution=384)
    assert canvas.press_run() == "execution_success"
    canvas.play()
    shown = canvas.page.locator("[data-sonic=video-info]").first
    shown.get_by_text("chinese_0").wait_for(timeout=20_000)
    shown.get_by_role("button").nth(1).click()
    shown.get_by_text("english_0").wait_for(timeout=20_000)
    canvas.page.wait_for_function(f"() => {VIDEO}?.src.includes('english_0')", timeout=20_000)
    canvas.play()
    canvas.shoot("batch_done")
    assert canvas.ours == []


@pytest.mark.parametrize("title", TITLES)
def test_a_template_opens_legible_and_whole_in_a_small_window(canvas: Canvas, title: str) -> None:
    page = canvas.page
    page.set_viewport_size(SMALL)
    canvas.choose_template(title)
    canvas.shoot(f"{title}_opened")
    assert page.evaluate(COVERED) == []
    assert page.evaluate("() => app.canvas.ds.scale") >= LEGIBLE
    assert page.evaluate(OUTSIDE) == []
    assert canvas.ours == []


@pytest.mark.parametrize("canvas", ["classic"], indirect=True)
def test_the_template_browser_shows_every_template_with_its_picture(canvas: Canvas, comfy: Comfy) -> None:
    page = canvas.page
    page.evaluate("() => app.extensionManager.command.execute('Comfy.BrowseTemplates')")
    page.get_by_text("sonic-portrait", exact=True).first.click()
    names = comfy.read("/api/workflow_templates")["sonic-portrait"]
    assert len(names) == 6
    for name in names:
        card = page.get_by_test_id(f"template-workflow-{name}")
        card.wait_for(timeout=20_000)
        # The card changes its picture's address while that loads, so a promise for one picture may be broken.
        shown = "name => document.querySelector(`[data-testid='template-workflow-${name}'] img`)?.naturalWidth === 512"
        page.wait_for_function(shown, arg=name, timeout=20_000)
    canvas.shoot("template_browser", "templates")
