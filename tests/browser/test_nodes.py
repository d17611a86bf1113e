"""The nodes at the canvas: what a person sees, hears and reads there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.browser.canvas import Canvas
from tests.host.harness import ROOT, Comfy

classic = pytest.mark.parametrize("canvas", ["classic"], indirect=True)


@classic
def test_the_person_at_the_canvas_reads_which_weights_are_missing(canvas: Canvas, comfy: Comfy) -> None:
    page = canvas.page
    path = ROOT / "workflows/high_quality_digital_human.json"
    canvas.load(json.loads(path.read_text(encoding="utf-8")))
    canvas.fit()
    canvas.shoot("high_quality")
    page.get_by_test_id("queue-button").first.click()
    page.get_by_text("sonic-base needs files that are missing").first.wait_for(timeout=60_000)
    canvas.shoot("missing_weights")
    said = page.locator(".p-dialog").first.inner_text()
    assert all(f"put it into {comfy.home}/models/{folder}" in said for folder in ("sonic", "checkpoints"))
    assert canvas.ours == []


@classic
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
    canvas.shoot("sound")
    player = page.evaluate("() => sound.widgets.find(w => w.name === 'audioUI').element.src")
    assert "mine.wav" in player
    assert canvas.ours == []


@classic
def test_a_warning_of_the_engine_is_shown(canvas: Canvas, workflow: dict[str, Any]) -> None:
    page = canvas.page
    canvas.load(workflow)
    canvas.turn("SONIC_PreData", duration=0.2, min_resolution=192)
    page.get_by_test_id("queue-button").first.click()
    page.get_by_text("the face loses detail").first.wait_for(timeout=60_000)
    canvas.shoot("warning")
    assert canvas.ours == []


@classic
def test_a_finished_video_dropped_on_the_canvas_brings_its_workflow_back(
    canvas: Canvas, comfy: Comfy, workflow: dict[str, Any]
) -> None:
    prompt = json.loads((ROOT / "assets/prompts/fast_digital_human.json").read_text(encoding="utf-8"))
    prompt["6"]["inputs"] |= {"duration": 1.0, "min_resolution": 256}
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
