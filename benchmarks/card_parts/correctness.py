"""Is it right? The conformance kit of our own making, stage by stage, in each number type."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from sonic_core.devices import PRECISIONS
from tests.parity.kit import OWN_KIT

from .bench import Bench

LIMITS = {"fp32": 1e-3, "fp16": 0.05, "bf16": 0.3}
"""Errors above which a stage is pointed out: a card sums in another order, and half precision has 11 bits or 8."""
EXACT = ("boxes", "audio_len")
"""Stages that count, and must be right."""
PICTURES = ("ref_img", "clip_img", "face_mask")
"""Stages that a processor computes with OpenCV, whose builds round differently."""
PICTURES_LIMIT = 5e-3
"""The error above which those are pointed out: 2.3e-3 was seen between two builds."""


@contextmanager
def folder(*, short: bool) -> Iterator[Path]:
    """Give the kit's folder, or one without its clip, which takes a processor half a minute in half precision."""
    if not short:
        yield OWN_KIT
        return
    with tempfile.TemporaryDirectory() as made:
        for name in ("unet_call.npz", "crop_boxes.npz", "interpolation.npz"):
            shutil.copyfile(OWN_KIT / name, Path(made) / name)
        index = json.loads((OWN_KIT / "index.json").read_text(encoding="utf-8"))
        (Path(made) / "index.json").write_text(json.dumps(index | {"cases": []}), encoding="utf-8")
        yield Path(made)


def kit(bench: Bench, precision: str) -> dict[str, Any]:
    """Run the kit, and print the error of each stage against float32 on a processor."""
    sys.path.insert(0, str(OWN_KIT.parent))  # run_kit.py is a command, and imports its neighbours by name
    from tests.parity.run_kit import run_kit  # noqa: PLC0415

    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = (
        before and precision != "fp32"
    )  # float32 shall be float32; else as the engine runs
    try:
        with folder(short=bench.rehearse and precision != "fp32") as chosen:
            cases = run_kit(chosen, chained=True, device=bench.device, dtype=PRECISIONS[precision])
    finally:
        torch.backends.cudnn.allow_tf32 = before
    errors = {
        f"{case.removeprefix('pipeline_')}/{stage}": error
        for case, stages in cases.items()
        for stage, error in stages.items()
    }
    most = {name: 0.0 if name.endswith(EXACT) else LIMITS[precision] for name in errors}
    most |= {name: max(most[name], PICTURES_LIMIT) for name in errors if name.endswith(PICTURES)}
    above = [name for name, error in errors.items() if not error <= most[name]]
    bench.say(f"kit {precision}: " + ", ".join(f"{name.split('/')[1]} {error:.1e}" for name, error in errors.items()))
    bench.say(f"kit {precision}: {'all stages as expected' if not above else 'ABOVE THE LIMIT: ' + ', '.join(above)}")
    return {"errors": errors, "above": above}
