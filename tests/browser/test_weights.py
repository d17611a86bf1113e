"""The button that fetches weights: offered where any are missing, pressed, followed, and gone when all are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.canvas import Canvas, Stage, stages
from tests.host.harness import needed_python, started

PLACE = "() => { app.graph.clear(); const n = LiteGraph.createNode('SonicModelLoader'); n.pos = [300, 200]; " \
        "app.graph.add(n) }"  # fmt: skip


@pytest.mark.parametrize("stage", stages() or [None], ids=lambda stage: str(stage or "no host"))
def test_weights_are_fetched_with_a_button(
    stage: Stage | None, browser: Any, filled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = needed_python(stage and stage.checkout)
    assert stage is not None
    filled.files["LeonJoe13/Sonic/Sonic/unet.pth"] = bytes(40_000_000)
    with started(stage.checkout, python, tmp_path / "home", stage.front_end) as host:
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        canvas = Canvas(page, host.url, nodes2=False, shots=tmp_path)
        canvas.open()
        page.evaluate(PLACE)
        panel = page.locator("[data-sonic=weights]")
        panel.get_by_text("sonic-base: 8.2 GB").wait_for(timeout=20_000)
        canvas.turn("SonicModelLoader", model_name="sonic-preview")
        page.wait_for_function("() => !document.querySelector('[data-sonic=weights]').innerText.trim()")
        canvas.turn("SonicModelLoader", model_name="sonic-base")
        panel.locator("[data-do=open]").click()
        command = f"{python} -m sonic_core download sonic-base --weights {host.home}/models/sonic"
        panel.get_by_text(command).wait_for(timeout=10_000)
        canvas.shoot_node("SonicModelLoader", "download_form")
        panel.locator("input").fill("hf_secret")
        panel.locator("[data-do=start]").click()
        panel.get_by_text("A token is sent over https only").wait_for(timeout=10_000)
        assert panel.locator("input").input_value() == "", "a token stays nowhere on the page"
        panel.locator("[data-do=start]").click()
        page.wait_for_function("() => !document.querySelector('[data-sonic=weights]').innerText.trim()", timeout=60_000)
        assert (host.home / "models/sonic/Sonic/unet.pth").stat().st_size == 40_000_000
        assert [line for line in canvas.ours if "400" not in line] == []
        page.context.close()
