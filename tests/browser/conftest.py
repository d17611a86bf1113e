"""A real canvas in Chromium: each host with its own front end, the newest host with the newest one if it is given."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.canvas import CHROMIUM, FLAGS, Canvas, chromium_for, stages
from tests.host.harness import ROOT, Comfy, Shelf, needed_python, started
from tests.parity.make_weights import write_set

browsing = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.host)


@pytest.fixture(scope="package", params=stages() or [None], ids=lambda stage: str(stage or "no host"))
def comfy(request: pytest.FixtureRequest, browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comfy]:
    stage = request.param
    python = needed_python(stage and stage.checkout)
    with started(stage.checkout, python, tmp_path_factory.mktemp(str(stage)), stage.front_end) as host:
        yield host


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One Chromium for all tests; each opens a page that knows nothing of the others'."""
    if not CHROMIUM:
        pytest.skip("no Chromium: set $CHROMIUM")
    with browsing.sync_playwright() as play:
        made = play.chromium.launch(executable_path=chromium_for(tmp_path_factory.mktemp("chromium")), args=FLAGS)
        yield made
        made.close()


@pytest.fixture(scope="package")
def version(comfy: Comfy, browser: Any) -> tuple[int, ...]:
    """The version of the canvas that the host serves."""
    page = browser.new_page()
    page.goto(comfy.url, wait_until="domcontentloaded")
    page.wait_for_function("() => window.__COMFYUI_FRONTEND_VERSION__", timeout=120_000)
    said = page.evaluate("() => window.__COMFYUI_FRONTEND_VERSION__")
    page.context.close()
    return tuple(map(int, said.split(".")[:2]))


@pytest.fixture(params=["classic", "nodes2"])
def canvas(
    request: pytest.FixtureRequest, comfy: Comfy, browser: Any, version: tuple[int, ...], tmp_path: Path
) -> Iterator[Canvas]:
    """Both kinds of canvas; a test that needs one only is parametrised with its name, indirectly."""
    if request.param == "nodes2" and version < (1, 37):
        pytest.skip("this canvas has no Nodes 2.0")
    shots = Path(os.environ.get("SCREENSHOTS") or tmp_path / "shots") / comfy.home.name
    shots.mkdir(parents=True, exist_ok=True)
    page = browser.new_page(viewport={"width": 1600, "height": 950})
    try:
        made = Canvas(page, comfy.url, request.param == "nodes2", shots)
        made.open()
        yield made
        made.set("Comfy.Locale", "en")  # the host remembers what a person chose
    finally:
        page.context.close()


@pytest.fixture
def shelf(comfy: Comfy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Random weights of tiny networks, ready to be put where the host looks."""
    folder = tmp_path_factory.getbasetemp() / "tiny_for_the_canvas"
    if not folder.exists():
        folder.mkdir()
        write_set(folder, tiny=True, single_file=True)
    made = Shelf(folder, comfy.home / "models/sonic", comfy.home / "elsewhere/stable")
    yield made
    made.clear()


@pytest.fixture(scope="session")
def workflow() -> dict[str, Any]:
    return json.loads((ROOT / "workflows/Fast digital human.json").read_text(encoding="utf-8"))
