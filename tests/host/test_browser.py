"""The pack at the canvas of a real ComfyUI, in Chromium."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.harness import PACK, ROOT, Comfy

browsing = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
READY = "() => window.app?.graph && app.extensionManager && LiteGraph.registered_node_types['SonicLoadAudio']"
ENDS = "['execution_success', 'execution_error', 'execution_interrupted']"
VIDEO = "() => [...document.querySelectorAll('video')].find(v => v.readyState > 1 && v.src.includes('output'))"
CURVE = """() => {
  const drawn = app.graph.nodes.find(node => node.type === 'LipSyncRefine').imgs ?? [];  // classic
  const all = [...drawn, ...document.querySelectorAll('img')];
  return all.some(img => img.naturalWidth === 640 && img.src.includes('sonic_'));
}"""


class Canvas:
    """A page with the canvas in it; it remembers what the page complained about."""

    def __init__(self, page: Any, shots: Path) -> None:
        self.page, self.shots, self.complaints = page, shots, []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda line: line.type == "error" and self.complaints.append(line.text))

    def open(self, url: str) -> None:
        self.page.goto(url, wait_until="domcontentloaded")
        self.page.wait_for_function(READY, timeout=90_000)
        self.page.wait_for_timeout(1500)
        self.complaints.clear()  # the host's own start-up noise

    def shoot(self, name: str) -> None:
        self.page.screenshot(path=str(self.shots / f"{name}.png"))

    @property
    def version(self) -> tuple[int, ...]:
        """The canvas' own version."""
        return tuple(map(int, self.page.evaluate("() => window.__COMFYUI_FRONTEND_VERSION__").split(".")[:2]))

    @property
    def ours(self) -> list[str]:
        """Complaints that are not about a file of the host's own that is absent."""
        return [line for line in self.complaints if "404" not in line or "sonic" in line.lower()]


@pytest.fixture
def canvas(comfy: Comfy, tmp_path: Path) -> Iterator[Canvas]:
    if not CHROMIUM:
        pytest.skip("no Chromium: set $CHROMIUM")
    shots = Path(os.environ.get("SCREENSHOTS") or tmp_path) / comfy.home.name
    shots.mkdir(parents=True, exist_ok=True)
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    with browsing.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--headless=new", *flags])
        made = Canvas(browser.new_page(viewport={"width": 1600, "height": 950}), shots)
        made.open(comfy.url)
        yield made
        browser.close()


@pytest.mark.parametrize("nodes", ["classic", "nodes2"])
def test_from_the_template_browser_to_a_playing_video(canvas: Canvas, nodes: str) -> None:
    choose_template(canvas, nodes, "fast_digital_human")
    canvas.shoot(f"2_template_{nodes}")
    press_run(canvas)
    play(canvas)
    canvas.shoot(f"3_done_{nodes}")
    assert canvas.page.evaluate(f"() => ({VIDEO})().videoHeight") >= 512
    assert canvas.ours == []


@pytest.mark.parametrize("nodes", ["classic", "nodes2"])
def test_the_repair_template_shows_what_was_found_and_plays_the_result(canvas: Canvas, nodes: str) -> None:
    page = canvas.page
    choose_template(canvas, nodes, "talking_video_repair")
    press_run(canvas)
    play(canvas)
    page.wait_for_function(CURVE, timeout=20_000)
    canvas.shoot(f"8_repaired_{nodes}")
    assert page.evaluate(f"() => ({VIDEO})().videoHeight") == 384
    assert page.get_by_text("Error loading").count() == page.get_by_text("failed to load").count() == 0
    assert canvas.ours == []


def choose_template(canvas: Canvas, nodes: str, name: str) -> None:
    """Open one of our templates from the template browser."""
    page = canvas.page
    if nodes == "nodes2" and canvas.version < (1, 37):
        pytest.skip("this canvas has no Nodes 2.0")
    page.evaluate("on => app.extensionManager.setting.set('Comfy.VueNodes.Enabled', on)", nodes == "nodes2")
    page.evaluate("() => app.extensionManager.command.execute('Comfy.BrowseTemplates')")
    page.get_by_text(PACK, exact=True).first.click()
    card = page.get_by_test_id(f"template-workflow-{name}")
    card.wait_for(timeout=20_000)
    page.wait_for_timeout(1000)
    canvas.shoot(f"1_templates_{nodes}")
    canvas.complaints.clear()  # the host's own templates may be absent
    card.click()
    page.wait_for_function("() => app.graph.nodes.length > 5 && !document.querySelector('.p-dialog-mask')")
    page.wait_for_timeout(1500)


def press_run(canvas: Canvas) -> None:
    """Run what is on the canvas, and wait until it has ended well."""
    page = canvas.page
    page.evaluate("() => { delete window.ended }")
    page.evaluate(f"() => {ENDS}.forEach(e => comfyAPI.api.api.addEventListener(e, () => window.ended = e))")
    page.get_by_test_id("queue-button").first.click()
    page.wait_for_function("() => window.ended || Object.keys(app.lastNodeErrors ?? {}).length", timeout=600_000)
    assert page.evaluate("() => window.ended") == "execution_success"


def play(canvas: Canvas) -> None:
    """Play the video that was made."""
    page = canvas.page
    page.wait_for_function(VIDEO, timeout=20_000)
    page.evaluate(f"async () => {{ const v = ({VIDEO})(); v.muted = true; await v.play() }}")
    page.wait_for_timeout(1500)
    assert page.evaluate(f"() => ({VIDEO})().currentTime") > 0


def test_the_person_at_the_canvas_reads_which_weights_are_missing(canvas: Canvas, comfy: Comfy) -> None:
    page = canvas.page
    path = ROOT / "workflows/high_quality_digital_human.json"
    page.evaluate("async graph => { await app.loadGraphData(graph) }", json.loads(path.read_text(encoding="utf-8")))
    page.evaluate("() => app.extensionManager.command.execute('Comfy.Canvas.FitView')")
    page.wait_for_timeout(1500)
    canvas.shoot("6_high_quality")
    page.get_by_test_id("queue-button").first.click()
    page.get_by_text("sonic-base needs files that are missing").first.wait_for(timeout=60_000)
    canvas.shoot("7_missing")
    said = page.locator(".p-dialog").first.inner_text()
    assert all(f"put it into {comfy.home}/models/{folder}" in said for folder in ("sonic", "checkpoints"))
    assert canvas.ours == []


def test_the_sound_node_can_be_placed_and_uploads(canvas: Canvas, tmp_path: Path) -> None:
    page = canvas.page
    page.evaluate("() => { app.graph.clear(); const n = LiteGraph.createNode('SonicLoadAudio'); app.graph.add(n); "
                  "n.pos = [300, 200]; window.sound = n }")  # fmt: skip
    names = page.evaluate("() => sound.widgets.map(w => w.name)")
    assert names[:3] == ["audio", "start", "duration"]
    assert {"audioUI", "upload"} <= set(names)
    mine = tmp_path / "mine.wav"
    shutil.copyfile(ROOT / "assets/speech.wav", mine)
    with page.expect_file_chooser() as chooser:
        page.evaluate("() => sound.widgets.find(w => w.name === 'upload').callback()")
    chooser.value.set_files(mine)
    page.wait_for_function("() => sound.widgets[0].value === 'mine.wav'", timeout=20_000)
    page.evaluate("() => app.graph.setDirtyCanvas(true, true)")
    page.wait_for_timeout(800)
    canvas.shoot("4_sound")
    player = page.evaluate("() => sound.widgets.find(w => w.name === 'audioUI').element.src")
    assert "mine.wav" in player
    assert canvas.ours == []


def test_a_warning_of_the_engine_is_shown(canvas: Canvas, workflow: dict[str, Any]) -> None:
    page = canvas.page
    page.evaluate("async graph => { await app.loadGraphData(graph) }", workflow)
    page.evaluate("""() => {
      const of = type => app.graph.nodes.find(node => node.type === type).widgets;
      const set = (type, name, value) => { of(type).find(widget => widget.name === name).value = value };
      set('SONIC_PreData', 'duration', 0.2);
      set('SONIC_PreData', 'min_resolution', 192);
    }""")
    page.get_by_test_id("queue-button").first.click()
    page.get_by_text("the face loses detail").first.wait_for(timeout=60_000)
    canvas.shoot("5_warning")
    assert canvas.ours == []


def test_a_finished_video_dropped_on_the_canvas_brings_its_workflow_back(
    canvas: Canvas, comfy: Comfy, prompt: dict[str, Any], workflow: dict[str, Any]
) -> None:
    video = comfy.path(comfy.run(prompt, workflow).file("8")).read_bytes()
    drop = """bytes => {
      app.graph.clear();
      const carried = new DataTransfer();
      carried.items.add(new File([new Uint8Array(bytes)], 'x.mp4', { type: 'video/mp4' }));
      const where = { dataTransfer: carried, bubbles: true, clientX: 800, clientY: 500 };
      document.dispatchEvent(new DragEvent('drop', where));
    }"""
    canvas.page.evaluate(drop, list(video))
    canvas.page.wait_for_function(f"() => app.graph.nodes.length === {len(workflow['nodes'])}", timeout=20_000)
    assert canvas.ours == []
