"""The report on its node: a line of figures, and the page over the canvas, where it can be read and do nothing else."""

from __future__ import annotations

import pytest

from tests.browser.canvas import Canvas
from tests.host.harness import Comfy
from tests.host.prompts import short_video

VIDEO = "short report.mp4"
GRAPH = """file => {
  app.graph.clear();
  const [video, report] = ['LoadVideo', 'SonicReport'].map((kind, place) => {
    const made = LiteGraph.createNode(kind);
    made.pos = [place * 420, 0];
    app.graph.add(made);
    return made;
  });
  video.widgets[0].value = file;
  video.connect(0, report, report.inputs.findIndex(input => input.name === 'video'));
}"""
LINE = "[data-sonic=report] p"
TRAP = "<script>parent.document.title = 'taken'</script><p id=trap>a page that somebody changed</p>"


def test_the_figures_are_told_and_the_page_is_read_over_the_canvas(canvas: Canvas, comfy: Comfy) -> None:
    short_video(comfy.home / "input").replace(comfy.home / "input" / VIDEO)
    canvas.set("Comfy.Locale", "en")
    canvas.open()
    page = canvas.page
    page.evaluate(GRAPH, VIDEO)
    assert page.locator(LINE).count() == 0, "nothing is told before the run"
    assert canvas.press_run() == "execution_success"
    page.wait_for_selector(LINE)
    canvas.fit()
    assert "mouth moves 0." in page.locator(LINE).inner_text()
    canvas.shoot_node("SonicReport", "report")

    page.locator("[data-sonic=report] [data-do=open]").click()
    frame = page.frame_locator("[data-sonic=page] iframe")
    frame.get_by_text("Opening of the lips").first.wait_for()
    canvas.shoot("report-page")
    assert page.locator("[data-sonic=page] iframe").get_attribute("sandbox") == ""
    page.locator("[data-sonic=page] button").click()
    page.wait_for_selector("[data-sonic=page]", state="detached")
    page.evaluate("() => { navigator.clipboard.writeText = async text => { window.copied = text } }")
    page.locator("[data-sonic=report] [data-do=copy]").click()
    page.wait_for_function("() => window.copied")
    (path,) = (comfy.home / "output/sonic").glob(page.evaluate("() => window.copied").rpartition("/")[2])
    assert str(path) == page.evaluate("() => window.copied")
    assert canvas.ours == []
    path.unlink()


@pytest.mark.parametrize("canvas", ["classic"], indirect=True)
def test_a_page_that_was_changed_can_do_nothing_to_the_canvas(canvas: Canvas, comfy: Comfy) -> None:
    page = canvas.page
    (comfy.home / "output/sonic").mkdir(parents=True, exist_ok=True)
    (comfy.home / "output/sonic/trap.html").write_text(TRAP, encoding="utf-8")
    page.evaluate(GRAPH, VIDEO)
    page.evaluate("""() => {
      const file = { filename: 'trap.html', subfolder: 'sonic', type: 'output', path: '/trap.html', measures: {} };
      app.graph.nodes.find(node => node.type === 'SonicReport').onExecuted({ sonic_report: [file] });
    }""")
    page.locator("[data-sonic=report] [data-do=open]").click()
    page.frame_locator("[data-sonic=page] iframe").get_by_text("a page that somebody changed").wait_for()
    page.wait_for_timeout(500)
    assert page.title() != "taken"
