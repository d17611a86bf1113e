"""The canvas of a host in Chromium, and what a person does there."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.host.harness import PACK, checkouts

CHROMIUM = shutil.which(os.environ.get("CHROMIUM", "chromium")) or shutil.which("google-chrome")
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
READY = "() => window.app?.graph && app.extensionManager && LiteGraph.registered_node_types['SonicLoadAudio']"
ENDS = "['execution_success', 'execution_error', 'execution_interrupted']"
OURS = "app.graph.nodes.some(node => node.type === 'VideoCombine')"
ELSEWHERE = tuple(f"Connecting to 'https://{place}/" for place in ("api.comfy.org", "huggingface.co/Comfy-Org"))
"""What a canvas says where it cannot reach its registry, nor the models of the workflow that it begins with."""
VIDEO = "[...document.querySelectorAll('video')].find(v => v.readyState > 1 && v.src.includes('output'))"


@dataclass(frozen=True)
class Stage:
    """A host and the front end that it serves."""

    checkout: Path
    front_end: str | None = None
    """Its folder; None is the host's own."""

    def __str__(self) -> str:
        return f"{self.checkout.name}{'-newest' if self.front_end else ''}"


def stages() -> list[Stage]:
    """List what to play on: every host as it is, but the newest one with the front end at ``$COMFYUI_FRONT_END``."""
    front_end = os.environ.get("COMFYUI_FRONT_END")
    hosts = checkouts()
    return [*map(Stage, hosts[:-1]), *(Stage(newest, front_end) for newest in hosts[-1:])]


def chromium_for(folder: Path) -> str:
    """Name the Chromium to start, in a wrapper that keeps it from raising its own priority where root could.

    As root it makes some threads real-time ones, and a few of those that wait for each other stop a small machine.
    """
    assert CHROMIUM
    setpriv = shutil.which("setpriv")
    if setpriv is None or os.geteuid() != 0:
        return CHROMIUM
    wrapper = folder / "chromium"
    wrapper.write_text(f'#!/bin/sh\nexec {setpriv} --bounding-set=-sys_nice --inh-caps=-sys_nice {CHROMIUM} "$@"\n')
    wrapper.chmod(0o755)
    return str(wrapper)


@dataclass
class Canvas:
    """A page with the canvas in it; it remembers what the page complained about."""

    page: Any
    url: str
    nodes2: bool
    shots: Path
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda line: line.type == "error" and self.complaints.append(line.text))

    def open(self) -> None:
        """Load the page, in the kind of canvas that was asked for."""
        self.page.goto(self.url, wait_until="domcontentloaded")
        self.page.wait_for_function(READY, timeout=120_000)
        self.set("Comfy.VueNodes.Enabled", self.nodes2)
        self.page.wait_for_timeout(1500)
        self.complaints.clear()  # the host's own start-up noise

    def set(self, setting: str, value: object) -> None:
        """Change one of the canvas' settings."""
        self.page.evaluate("([name, value]) => app.extensionManager.setting.set(name, value)", [setting, value])

    @property
    def ours(self) -> list[str]:
        """Complaints that are not about the host's own files, absent, nor about addresses of its own, not reached."""
        foreign = (line for line in self.complaints if not line.startswith(ELSEWHERE))
        return [line for line in foreign if "404" not in line or "sonic" in line.lower()]

    def shoot(self, name: str, document: str = "") -> Path:
        """Keep a picture of the page.

        Args:
            name: What it is called among the test's pictures.
            document: What it is called in the documents, which get it too where $PICTURES names their folder.

        Returns:
            Where it lies.
        """
        path = self.shots / f"{name}_{'nodes2' if self.nodes2 else 'classic'}.png"
        self.page.screenshot(path=str(path))
        folder = os.environ.get("PICTURES")
        if document and folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            with Image.open(path) as picture:
                picture.convert("RGB").quantize(256).save(Path(folder) / f"{document}.png", optimize=True)
        return path

    def choose_template(self, name: str) -> None:
        """Open one of our templates from the template browser."""
        page = self.page
        page.evaluate("() => app.extensionManager.command.execute('Comfy.BrowseTemplates')")
        page.get_by_text(PACK, exact=True).first.click()
        card = page.get_by_test_id(f"template-workflow-{name}")
        card.wait_for(timeout=20_000)
        page.wait_for_timeout(1000)
        self.shoot("templates")
        self.complaints.clear()  # the host's own templates may be absent
        card.click()
        page.wait_for_function(f"() => {OURS} && !document.querySelector('.p-dialog-mask')")
        page.wait_for_timeout(1500)

    def load(self, workflow: object) -> None:
        """Put a workflow onto the canvas."""
        self.page.evaluate("async graph => { await app.loadGraphData(graph) }", workflow)
        self.page.wait_for_timeout(500)

    def fit(self) -> None:
        """Show all of the workflow."""
        self.page.evaluate("() => app.extensionManager.command.execute('Comfy.Canvas.FitView')")
        self.page.wait_for_timeout(1000)

    def show_all(self) -> None:
        """Close the panel that newer front ends open over the canvas, and show all of the workflow."""
        self.page.evaluate("""() => {
          const settings = app.extensionManager.setting, panel = 'Comfy.RightSidePanel.IsOpen';
          return settings.get(panel) && settings.set(panel, false);
        }""")
        self.fit()

    def turn(self, node: str, **values: object) -> None:
        """Set widgets of the first node of a type, as a hand would."""
        self.page.evaluate(
            """([type, values]) => {
              const node = app.graph.nodes.find(node => node.type === type);
              for (const [name, value] of Object.entries(values)) {
                const widget = node.widgets.find(widget => widget.name === name);
                widget.value = value;
                widget.callback?.(value, app.canvas, node);
              }
              app.graph.setDirtyCanvas(true, true);
            }""",
            [node, values],
        )

    def open_search(self, x: float, y: float) -> None:
        """Open the search for nodes by a double click on an empty canvas; a busy machine may take it for two clicks."""
        for _ in range(5):
            self.page.mouse.dblclick(x, y)
            self.page.wait_for_timeout(1000)
            if self.page.evaluate("() => document.activeElement?.tagName === 'INPUT'"):
                return
        raise TimeoutError("the search for nodes does not open")

    def press_run(self) -> str:
        """Run what is on the canvas; say how it ended, or that it was refused."""
        page = self.page
        page.evaluate("() => { delete window.ended }")
        page.evaluate(f"() => {ENDS}.forEach(e => comfyAPI.api.api.addEventListener(e, () => window.ended = e))")
        page.get_by_test_id("queue-button").first.click()
        page.wait_for_function("() => window.ended || Object.keys(app.lastNodeErrors ?? {}).length", timeout=600_000)
        return page.evaluate("() => window.ended ?? 'refused'")

    def play(self) -> tuple[int, int]:
        """Play the video that was made, see it move on, and tell its width and height."""
        page = self.page
        self.fit()
        page.wait_for_function(f"() => {VIDEO}", timeout=30_000)
        page.evaluate(f"async () => {{ const v = {VIDEO}; v.muted = true; await v.play() }}")
        page.wait_for_function(f"() => {VIDEO}.currentTime > 0", timeout=20_000)
        width, height = page.evaluate(f"() => [{VIDEO}.videoWidth, {VIDEO}.videoHeight]")
        return width, height

    def complaint(self) -> str:
        """Read what the canvas shows of an error; the newest asks for a click first."""
        page = self.page
        shown = page.locator(".p-dialog, [data-testid=error-overlay]").first
        shown.wait_for(timeout=60_000)
        details = page.get_by_role("button", name=re.compile("View details|查看详情"))
        if details.count():
            details.first.click()
            page.wait_for_timeout(1500)
            if page.evaluate("() => window.ended") == "execution_error":  # it writes a report, which takes its time
                page.get_by_text("Exception Message").first.wait_for(timeout=60_000)
        return page.locator("body").inner_text()

    def seen(self, node: str, name: str, colour: tuple[int, int, int], near: int = 24) -> int:
        """Count the pixels of a colour that the first node of a type shows."""
        with Image.open(self.shoot_node(node, name)) as picture:
            pixels = np.asarray(picture.convert("RGB")).astype(int)
        return int((np.abs(pixels - colour).max(axis=2) <= near).sum())

    def colour(self, place: str) -> tuple[int, int, int]:
        """Tell in which colour an element writes and draws."""
        said = self.page.evaluate("place => getComputedStyle(document.querySelector(place)).color", place)
        red, green, blue = (int(float(value)) for value in re.findall(r"[\d.]+", said)[:3])
        return red, green, blue

    def shoot_node(self, node: str, name: str, margin: int = 14) -> Path:
        """Keep a picture of the first node of a type alone, filling the window as far as it can."""
        box = self.page.evaluate(
            """([type, margin]) => {
              const node = app.graph.nodes.find(node => node.type === type);
              const scale = app.canvas.ds;
              const [x, y, width, height] = node.boundingRect ?? node.getBounding();
              const view = app.canvas.canvas.getBoundingClientRect();
              const factor = Math.min((view.width - 200) / width, (view.height - 220) / height, 1.5);
              scale.scale = factor;
              scale.offset[0] = 140 / factor - x;
              scale.offset[1] = 120 / factor - y;
              app.graph.setDirtyCanvas(true, true);
              return [view.x + 140 - margin, view.y + 120 - margin,
                      width * factor + 2 * margin, height * factor + 2 * margin];
            }""",
            [node, margin],
        )
        self.page.wait_for_timeout(1200)
        path = self.shoot(name)
        with Image.open(path) as whole:
            whole.load()
            left, top, width, height = box
            whole.crop((round(left), round(top), round(left + width), round(top + height))).save(path)
        return path
