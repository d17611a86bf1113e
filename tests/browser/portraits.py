"""Make the pictures of the help pages, of every node and in both languages: ``python -m tests.browser.portraits``."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from PIL import Image

from tests.browser.canvas import FLAGS, Canvas, chromium_for, stages
from tests.host.harness import ROOT, python_of, started

IMAGES = ROOT / "web/docs/images"
ENDINGS = {"en": ".png", "zh": ".zh.png"}
RUN = {
    "Fast digital human": ("SonicModelLoader", "SonicLoadAudio", "SONIC_PreData", "SonicSampler", "VideoCombine"),
    "Talking video repair": ("LipSyncRefine", "TemporalSmooth"),
}
"""Templates, and the nodes whose pictures are taken when they have run."""
ALONE = ("SonicLoadAudioFolder", "SonicVoice", "SonicSpeaker", "SonicDirection")
"""Nodes that show nothing more when they have run."""
WHOLE = """type => {
  app.graph.clear();
  const [image, audio, node, video] = ['LoadImage', 'SonicLoadAudio', type, 'VideoCombine'].map((kind, place) => {
    const made = LiteGraph.createNode(kind);
    made.pos = [place * 400, 0];
    app.graph.add(made);
    return made;
  });
  const slot = name => node.inputs.findIndex(input => input.name === name);
  image.connect(0, node, slot('image'));
  audio.connect(0, node, slot('audio'));
  node.connect(0, video, 0);
}"""
"""Puts the node that does all on the canvas, with what goes before and after it."""
JUDGED = """() => {
  app.graph.clear();
  const [image, video, node] = ['LoadImage', 'LoadVideo', 'SonicReport'].map((kind, place) => {
    const made = LiteGraph.createNode(kind);
    made.pos = [place * 400, 0];
    app.graph.add(made);
    return made;
  });
  image.widgets[0].value = 'sonic_sample_portrait.png';
  video.widgets[0].value = 'sonic_sample_video.mp4';
  const slot = name => node.inputs.findIndex(input => input.name === name);
  image.connect(0, node, slot('portrait'));
  video.connect(0, node, slot('video'));
}"""
"""Puts the node that judges on the canvas, with what goes before it."""
VALUES = {"SonicLoadAudio": {"start": 2.0, "duration": 3.0}, "SonicDirection": {"head_yaw": "0:0, 1:8, 2.5:-5, 4:0"}}
"""What is set before the run, so that there is something to see."""
PLACE = """type => {
  app.graph.clear();
  app.nodeOutputs = {};  // of nodes that had the same number
  const node = LiteGraph.createNode(type);
  node.pos = [0, 0];
  app.graph.add(node);
}"""


def make_portraits(canvas: Canvas, folder: Path = IMAGES) -> None:
    """Take the pictures of all nodes in both languages, and leave the canvas in English."""
    folder.mkdir(parents=True, exist_ok=True)
    canvas.set("Comfy.NodeBadge.NodeSourceBadgeMode", "None")
    for language, ending in ENDINGS.items():
        canvas.set("Comfy.Locale", language)
        canvas.open()
        for template, nodes in RUN.items():
            _run(canvas, template)
            for node in nodes:
                _take(canvas, node, folder / f"{node}{ending}")
        take_report(canvas, folder / f"SonicReport{ending}", len(ending))
        canvas.page.evaluate(WHOLE, "SonicTalkingPortrait")
        canvas.turn("SonicTalkingPortrait", seed=len(ending))  # what is kept from a run before is not shown again
        assert canvas.press_run() == "execution_success"
        canvas.page.wait_for_timeout(3000)
        _take(canvas, "SonicTalkingPortrait", folder / f"SonicTalkingPortrait{ending}")
        for node in ALONE:
            canvas.page.evaluate(PLACE, node)
            canvas.turn(node, **VALUES.get(node, {}))
            canvas.page.wait_for_timeout(2000)  # until it has grown around all that it shows
            _take(canvas, node, folder / f"{node}{ending}")
    canvas.set("Comfy.Locale", "en")


def take_report(canvas: Canvas, path: Path, number: int) -> None:
    """Take the picture of the node that judges; another number makes it work anew."""
    canvas.page.evaluate(JUDGED)
    canvas.turn("SonicReport", filename_prefix=f"sonic/report{number}")
    assert canvas.press_run() == "execution_success"
    canvas.page.wait_for_timeout(3000)
    _take(canvas, "SonicReport", path)


def _run(canvas: Canvas, template: str) -> None:
    canvas.load(json.loads((ROOT / f"workflows/{template}.json").read_text(encoding="utf-8")) | {"groups": []})
    for node in VALUES.keys() & set(RUN[template]):
        canvas.turn(node, **VALUES[node])
    assert canvas.press_run() == "execution_success", template
    canvas.page.wait_for_timeout(3000)  # until what was made is loaded


def _take(canvas: Canvas, node: str, path: Path) -> None:
    """Keep a picture of a node, in 256 colours."""
    with Image.open(canvas.shoot_node(node, node, margin=6)) as image:
        image.convert("RGB").quantize(256).save(path, optimize=True)


def main() -> None:
    """Start the newest host, open its classic canvas and take the pictures there."""
    from playwright.sync_api import sync_playwright

    stage = stages()[-1]
    python = python_of(stage.checkout)
    assert python, f"no Python for {stage.checkout}"
    with (
        tempfile.TemporaryDirectory() as home,
        sync_playwright() as play,
        started(stage.checkout, python, Path(home) / "host", stage.front_end) as comfy,
    ):
        browser = play.chromium.launch(executable_path=chromium_for(Path(home)), args=FLAGS)
        page = browser.new_page(viewport={"width": 1600, "height": 950})
        canvas = Canvas(page, comfy.url, nodes2=False, shots=Path(home))
        canvas.open()
        make_portraits(canvas)
        browser.close()


if __name__ == "__main__":
    main()
