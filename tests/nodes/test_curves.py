"""The canvas reads and writes curves as the engine does."""

from __future__ import annotations

import json
import shutil
import subprocess
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from sonic_core import CHANNELS, SETTINGS, Direction, SettingsError
from sonic_core.keyframes import Curve
from tests.nodes.conftest import ROOT

READ = """
const { readCurve, writeCurve, curveThrough, readMoments, writeMoments } = await import(%s);
const { texts, times, moments, apart } = JSON.parse(await new Promise((done) => {
  let all = ""; process.stdin.on("data", (part) => (all += part)).on("end", () => done(all)); }));
const read = texts.map((text) => {
  const curve = readCurve(text);
  if (!curve) return null;
  return { written: writeCurve(curve), values: curve.keys.length ? times.map(curveThrough(curve)) : [] };
});
const seen = moments.map((text) => { const one = readMoments(text, apart); return one ? writeMoments(one) : null; });
console.log(JSON.stringify({ read, seen }));
"""
TEXTS = (
    "0.5", "-3", " 1e1 ", "0:0, 2:5", "linear 0:0, 2:5, 3.5:-1", "smooth 0:1,1:2\n2.5:7, 3:6, 3.1:6", "1.5:2",
    "linear 4",
    "0:0, 1:0.2, 1.4:0.9, 6:1", "0:1, 0:2", "a", "0:1, 2", "1:2:3", "-1:2, 3:4", "0:inf", "linear", "2, 3", "0x10",
)  # fmt: skip
MOMENTS = ("1.2, 3.4", "0", "1\n2", "1, 1.3", "2, 1", "x", "0.5, 0.88")


@pytest.fixture(scope="module")
def curves(pack: ModuleType) -> dict[str, Any]:
    """What the node says of each curve."""
    inputs = pack.NODE_CLASS_MAPPINGS["SonicDirection"].INPUT_TYPES()["required"]
    return {name: options["curve"] for name, (_, options) in inputs.items()}


@pytest.fixture(scope="module")
def answers(curves: dict[str, Any]):
    if shutil.which("node") is None:
        pytest.skip("needs node")
    program = READ % json.dumps((ROOT / "web/js/keyframes.js").as_uri())
    given = {
        "texts": TEXTS,
        "times": np.linspace(0, 7, 57).tolist(),
        "moments": MOMENTS,
        "apart": curves["blinks"]["apart"],
    }
    command = ["node", "--input-type=module", "--eval", program]
    made = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return json.loads(made.stdout)


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_a_curve_is_read_as_the_engine_reads_it_and_written_so_that_it_means_the_same(answers, number):
    told = answers["read"][number]
    try:
        curve = Curve.of(TEXTS[number])
    except SettingsError:
        assert told is None
        return
    times = np.linspace(0, 7, 57)
    assert told["values"] == pytest.approx(curve.at(times).tolist(), abs=1e-9)
    assert Curve.of(told["written"]).at(times) == pytest.approx(curve.at(times), abs=1e-9)


@pytest.mark.parametrize("number", range(len(MOMENTS)))
def test_moments_of_blinks_are_read_as_the_engine_reads_them(answers, number):
    try:
        made = Direction.of({"blinks": MOMENTS[number]})
    except SettingsError:
        assert answers["seen"][number] is None
        return
    assert Direction.of({"blinks": answers["seen"][number]}) == made


def test_the_node_says_between_which_values_each_curve_goes(curves):
    assert set(curves) == {*CHANNELS, "blinks"} - {"blink"}
    for name, curve in curves.items():
        if name not in CHANNELS:
            continue
        limits = (name in SETTINGS and SETTINGS[name].words.limits) or CHANNELS[name]
        assert (curve["least"], curve["most"]) == (limits.least, limits.most)
        assert np.isfinite(curve["most"])
        assert (curve["unit"] == "°") == ("degrees" in CHANNELS[name].help)
    apart = curves["blinks"]["apart"]
    Direction.of({"blinks": f"1, {1 + apart + 0.01}"})
    with pytest.raises(SettingsError, match="a blink takes"):
        Direction.of({"blinks": f"1, {1 + apart - 0.01}"})
