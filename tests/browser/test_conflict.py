"""Another pack with a node of our name, as the person at the canvas learns of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.browser.canvas import Canvas, stages
from tests.host.harness import needed_python, started
from tests.host.test_routes import RIVAL


def test_the_person_at_the_canvas_is_told_which_pack_has_our_name(browser: Any, tmp_path: Path) -> None:
    stage = stages()[-1] if stages() else None
    python = needed_python(stage and stage.checkout)
    assert stage
    rival = tmp_path / "home/custom_nodes/Rival.Pack"
    rival.mkdir(parents=True)
    (rival / "__init__.py").write_text(RIVAL)
    with started(stage.checkout, python, tmp_path / "home", stage.front_end) as comfy:
        page = browser.new_page(viewport={"width": 1600, "height": 950})
        canvas = Canvas(page, comfy.url, nodes2=False, shots=tmp_path)
        canvas.open()
        (said,) = comfy.read("/sonic/pack")["conflicts"]
        page.get_by_text(said["message"]).first.wait_for(timeout=20_000)
        canvas.shoot("conflict")
        assert "Rival.Pack" in said["message"]
        page.context.close()
