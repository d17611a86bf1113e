"""Measure how soon a run ends when it is cancelled in ComfyUI, and what stays: ``python -m benchmarks.cancel``.

Starts every ComfyUI that the tests find, queues the bundled prompts (sonic-base with tiny random weights), cancels each
at several moments, and prints after how many seconds it was over, in which node it was, and which files were left.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.host.harness import ROOT, Comfy, Shelf, checkouts, python_of, started
from tests.parity.make_weights import write_set

MOMENTS = (0.3, 1.0, 2.0, 4.0, 8.0, 12.0)
"""Seconds after the prompt was queued."""
CHANGES: dict[str, Mapping[str, Mapping[str, Any]]] = {
    "fast_digital_human": {"6": {"min_resolution": 1024}, "8": {"format": "mp4-h265"}},
    "high_quality_digital_human": {"6": {"min_resolution": 256, "duration": 4.0}, "7": {"inference_steps": 10}},
    "talking_video_repair": {},
}
"""What is changed in the prompts, so that they are long enough to be cancelled."""


def measure(comfy: Comfy, prompt: Mapping[str, Any], moment: float) -> tuple[float, str, int]:
    """Cancel a run after ``moment`` seconds.

    Returns:
        Seconds from there to its end, the node in which it was ("-": it was over), and how many new files are left
        although the run did not finish.
    """
    before = comfy.litter()
    with comfy.listening() as listener:
        ticket = comfy.queue(prompt, client=listener.client)
        if not isinstance(ticket, str):
            raise SystemExit(ticket.complaint)
        time.sleep(moment)
        began = time.monotonic()
        comfy.ask("/interrupt", {})
        run = comfy.wait(ticket)
    took = time.monotonic() - began
    stopped = run.events.get("execution_interrupted")
    left = [path for path in comfy.litter() - before if path not in comfy.temporary_videos]  # those are results, cached
    return took, stopped["node_type"] if stopped else "-", len(left) if stopped else 0


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--host", type=Path, action="append", help="a ComfyUI; again for several")
    hosts = parser.parse_args().host or checkouts()
    with tempfile.TemporaryDirectory() as folder:
        write_set(Path(folder) / "tiny", tiny=True, single_file=True)
        for checkout in hosts:
            python = python_of(checkout)
            if python is None:
                raise SystemExit(f"There is no Python for {checkout}: set $COMFYUI_PYTHON.")
            with started(checkout, python, Path(folder) / checkout.name) as comfy:
                Shelf(Path(folder) / "tiny", comfy.home / "models/sonic", comfy.home / "elsewhere/stable").fill()
                _print_table(comfy, checkout.name)


def _print_table(comfy: Comfy, name: str) -> None:
    for kind, changes in CHANGES.items():
        for turn, moment in enumerate(MOMENTS):
            prompt = json.loads((ROOT / f"assets/prompts/{kind}.json").read_text(encoding="utf-8"))
            for node, inputs in changes.items():
                prompt[node]["inputs"] |= inputs
            if "7" in prompt:
                prompt["7"]["inputs"]["seed"] = turn  # nothing of the run before is taken
            took, node, left = measure(comfy, prompt, moment)
            print(f"{name:16} {kind:28} {moment:5.1f} s  {node:18} {took:5.2f} s  {left} files left", flush=True)


if __name__ == "__main__":
    main()
