"""The nodes at the canvas: what a person sees, hears and reads there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.browser.canvas import Canvas
from tests.host.harness import ROOT, Comfy

classic = pytest.mark.parametrize("canvas", ["classic"], indirect=True)
ALARM = (250, 190, 92)
"""The colour of what is said in a picture without a face."""
WIDGET = "([type, name]) => app.graph.nodes.find(n => n.type === type).widgets.find(w => w.name === name).value"


@classic
def test_the_person_at_the_canvas_reads_which_weights_are_missing(canvas: Canvas, comfy: Comfy) -> None:
    path = ROOT / "workflows/High quality digital human.json"
    canvas.load(json.loads(path.read_text(encoding="utf-8")))
    canvas.fit()
    canvas.shoot("high_quality")
    assert canvas.press_run() != "execution_success"
    said = canvas.complaint()
    canvas.shoot("missing_weights")
    assert "sonic-base needs 8.2 GB of files that are missing: press Download on Sonic Model Loader" in said
    assert f"{comfy.python} -m sonic_core download sonic-base --weights {comfy.home}/models/sonic" in said
    assert all(f"put it into {comfy.home}/models/{folder}" in comfy.log for folder in ("sonic", "checkpoints"))
    assert canvas.ours == []


def test_without_a_face_the_node_shows_what_was_searched(
    canvas: Canvas, comfy: Comfy, workflow: dict[str, Any]
) -> None:
    Image.new("RGB", (500, 400), (90, 120, 90)).save(comfy.home / "input/lawn.png")
    canvas.load(workflow)
    canvas.turn("LoadImage", image="lawn.png")
    assert canvas.press_run() == "execution_error"
    said = canvas.complaint()
    canvas.shoot("no_face", "no_face")
    assert "No face was found" in said
    assert "face_box" in said
    canvas.page.keyboard.press("Escape")
    assert canvas.seen("SONIC_PreData", "searched", ALARM, near=40) > 100
    canvas.turn("SONIC_PreData", face_box="150,100,350,300", duration=0.4, min_resolution=192)
    assert canvas.press_run() == "execution_success"


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
    page.wait_for_function("() => document.querySelector('.sonic-length')?.textContent === '7.89 s'")
    assert canvas.ours == []


@classic
def test_nodes_are_found_by_the_words_people_search_with(canvas: Canvas, comfy: Comfy) -> None:
    page = canvas.page
    if "search_aliases" not in comfy.read("/object_info/SonicSampler")["SonicSampler"]:
        pytest.skip("this host knows no other words than a node's name")
    page.evaluate("() => app.graph.clear()")
    canvas.open_search(600, 400)
    for word, title in {
        "dub": "Sonic Lip Sync Refine",
        "数字人": "Sonic Sampler",
        "防抖": "Sonic Temporal Smooth",
    }.items():
        page.wait_for_timeout(500)
        page.keyboard.press("Control+a")
        page.keyboard.insert_text(word)
        page.get_by_text(title, exact=True).first.wait_for(timeout=10_000)
    canvas.shoot("search")
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


def test_a_part_of_a_sound_is_chosen_by_dragging_and_heard(canvas: Canvas, workflow: dict[str, Any]) -> None:
    page = canvas.page
    canvas.load(workflow)
    canvas.shoot_node("SonicLoadAudio", "sound")
    page.wait_for_function("() => document.querySelector('.sonic-length')?.textContent === '7.89 s'")
    box = page.locator(".sonic-waveform").bounding_box()
    at = [(box["x"] + share * box["width"], box["y"] + box["height"] / 2) for share in (0.25, 0.5)]
    page.mouse.move(*at[0])
    page.mouse.down()
    page.mouse.move(*at[1], steps=5)
    page.mouse.up()
    start, duration = (page.evaluate(WIDGET, ["SonicLoadAudio", name]) for name in ("start", "duration"))
    assert start == pytest.approx(0.25 * 7.89, abs=0.1)
    assert duration == pytest.approx(0.25 * 7.89, abs=0.1)
    page.locator(".sonic-play").click()
    page.wait_for_function("() => parseFloat(document.querySelector('.sonic-playhead').style.left) > 27")
    canvas.shoot_node("SonicLoadAudio", "sound_part")
    page.locator(".sonic-whole").click()
    assert [page.evaluate(WIDGET, ["SonicLoadAudio", name]) for name in ("start", "duration")] == [0, 0]
    assert canvas.ours == []


def test_advice_comes_when_a_value_leaves_its_range_and_goes_again(canvas: Canvas, workflow: dict[str, Any]) -> None:
    canvas.load(workflow)
    canvas.shoot_node("SonicSampler", "no_advice")
    advice = canvas.page.locator("[data-sonic=advice]")
    canvas.turn("SonicSampler", inference_steps=5, dynamic_scale=1.5)
    advice.get_by_text("the picture stays blurred").wait_for(timeout=10_000)
    advice.get_by_text("the mouth opens wider than people do").wait_for(timeout=10_000)
    canvas.shoot_node("SonicSampler", "advice")
    canvas.turn("SonicSampler", inference_steps=25, dynamic_scale=1.0)
    canvas.page.wait_for_function("() => !document.body.innerText.includes('the picture stays blurred')")
    assert canvas.ours == []


def test_in_chinese_names_advice_and_help_are_chinese(canvas: Canvas, workflow: dict[str, Any]) -> None:
    page = canvas.page
    canvas.set("Comfy.Locale", "zh")
    canvas.open()
    canvas.load(workflow)
    canvas.fit()
    canvas.shoot("chinese", "chinese")
    titles = page.evaluate("() => app.graph.nodes.map(node => node.getTitle?.() ?? node.title)")
    assert {"Sonic 预处理", "Sonic 采样器", "Sonic 加载音频", "Sonic 模型加载器", "Sonic 视频合成"} <= set(titles)
    canvas.turn("SonicSampler", inference_steps=5)
    canvas.shoot_node("SonicSampler", "chinese_advice")
    page.locator("[data-sonic=advice]").get_by_text("画面会发糊").wait_for(timeout=10_000)
    assert canvas.ours == []


@classic
@pytest.mark.parametrize("language", ["en", "zh"])
def test_help_opens_with_its_picture(canvas: Canvas, comfy: Comfy, workflow: dict[str, Any], language: str) -> None:
    page = canvas.page
    canvas.set("Comfy.Locale", language)
    canvas.open()
    canvas.load(workflow)
    page.evaluate("""() => {
      const node = app.graph.nodes.find(node => node.type === 'SonicSampler');
      app.canvas.selectNode(node);
      app.canvas.fitViewToSelectionAnimated?.();
    }""")
    page.wait_for_timeout(1500)
    page.get_by_test_id("info-button").or_(page.locator(".help-button")).first.click()
    picture = f"images/SonicSampler{'' if language == 'en' else '.zh'}.png"
    page.wait_for_function(
        "end => [...document.querySelectorAll('img')].some(i => i.src.endsWith(end) && i.naturalWidth > 200)",
        arg=picture, timeout=20_000,
    )  # fmt: skip
    canvas.shoot(f"help_{language}")
    assert canvas.ours == []
