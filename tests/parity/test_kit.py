"""The engine gives the numbers of the conformance kits: the published one, where it is beside us, and our own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.parity.kit import OWN_KIT, SHARED_KIT, needs_kit, relative_error
from tests.parity.run_kit import main, run_kit

LIMIT = 1e-4
DEGENERATE = "pipeline_square_two_windows"


def above(errors, *, limit, latents):
    """List what is further off than it may be; ``latents`` has the limits of the denoised latents by case."""
    listed = {}
    for case, stages in errors.items():
        for stage, error in stages.items():
            most = 0.0 if stage in {"boxes", "audio_len"} else latents.get(case, limit) if stage == "latents" else limit
            if not error <= most:
                listed[case, stage] = error
    return listed


@needs_kit
def test_the_published_kit():
    """Every stage of every case is within 1e-4 of the kit, crop boxes exactly; but for one, which cannot be.

    In ``square_two_windows`` the latents are 8 × 8, so that the deepest level of the UNet is a single pixel, and each
    group of its group norms sees two numbers. Two numbers, less their mean and divided by their deviation, are +1 and
    −1, however small their difference was: there the last bit of a sum decides over a sign. The kit was made in
    float32, and our engine computing in float64 is 1.5e-3 away from it. So denoised latents may be as far from a kit as
    1e-4, or as twice that distance; beside that the engine in float32 must agree with itself in float64, in that case
    better than the kit does.
    """
    rough, fine = {}, {}
    errors, exact = run_kit(SHARED_KIT, keep=rough), run_kit(SHARED_KIT, double=True, keep=fine)
    latents = {case: max(LIMIT, 2 * exact[case]["latents"]) for case in fine}
    assert {case for case, limit in latents.items() if limit > LIMIT} <= {DEGENERATE}
    assert latents[DEGENERATE] < 5e-3
    assert above(errors, limit=LIMIT, latents=latents) == {}
    assert {"crop_boxes", "unet_call", "interpolation", DEGENERATE, "pipeline_wide_small_windows"} < set(errors)
    for case, wanted in fine.items():  # how far float32 strays in the degenerate case, the processor's kernels decide
        most = exact[case]["latents"] if case == DEGENERATE else 5e-5
        assert relative_error(rough[case], wanted) < most, case


def test_our_own_kit():
    """The economies, windows that overlap, and settings that are not the defaults, against the plain reference."""
    errors = run_kit(OWN_KIT, chained=True)
    assert set(errors) == {"crop_boxes", "unet_call", "interpolation", "pipeline_overlapping_windows"}
    assert len(errors["pipeline_overlapping_windows"]) == 16
    chained = errors["pipeline_overlapping_windows"].pop("frames_chained")
    rounded = errors["pipeline_overlapping_windows"].pop("frames")  # to 16 bits, on both sides
    assert above(errors, limit=1e-5, latents={}) == {}
    assert rounded < 3e-5
    assert chained < 5e-5


@pytest.fixture
def small_kit(tmp_path):
    """Our own kit without its case."""
    index = json.loads((OWN_KIT / "index.json").read_text(encoding="utf-8"))
    (tmp_path / "index.json").write_text(json.dumps(index | {"cases": []}), encoding="utf-8")
    for name in ("unet_call.npz", "crop_boxes.npz"):
        shutil.copyfile(OWN_KIT / name, tmp_path / name)
    return tmp_path


def test_the_runner_prints_one_json_object(small_kit):
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("run_kit.py")), str(small_kit), "--json", "--check"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    errors = json.loads(done.stdout)
    assert errors["crop_boxes"] == {"boxes": 0}
    assert 0 < errors["unet_call"]["output"] < 1e-5


def test_the_runner_fails_when_something_is_off(small_kit, monkeypatch, capsys):
    (small_kit / "unet_call.npz").unlink()
    rows = np.load(OWN_KIT / "crop_boxes.npz")["rows"].copy()
    rows[0, 7] += 1
    np.savez(small_kit / "crop_boxes.npz", rows=rows)
    monkeypatch.setattr(sys, "argv", ["run_kit.py", str(small_kit), "--json", "--check"])
    assert main() == 1
    assert json.loads(capsys.readouterr().out) == {"crop_boxes": {"boxes": 1.0}}
