r"""Everything that a graphics card can tell about sonic-base, in one command of at most seven minutes.

    python benchmarks/card.py --json card.json --markdown card.md
    python benchmarks/card.py --rehearse                           every part at tiny size, on the processor

No file of weights is read: the networks have their published sizes and random weights, drawn on the card. Every line is
printed as soon as it is known, the most telling first, and the JSON file is renewed after each part, so that whoever is
interrupted keeps what was measured. A part for which no time is left is skipped with a line that says so; one that
fails is told in a line; one that hangs, or takes its process with it, is ended, and the others go on in a new process.

It needs Python 3.10 or newer, torch, transformers, numpy, scipy, OpenCV (headless will do), safetensors,
Pillow, psutil and huggingface_hub, and of four packages just their wheels, without what they ask for. Where the machine
with the card has no network, fetch these beside the project on another one and put them on the path:

    pip download --no-deps --python-version 3.12 --only-binary=:all: --dest wheels \
        diffusers==0.42.1 av==18.1.0 soxr==1.1.0 importlib-metadata
    pip install --no-deps --no-index --target brought wheels/*.whl
    PYTHONPATH=brought python benchmarks/card.py --json card.json --markdown card.md
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.card_parts.record import Record  # noqa: E402
from benchmarks.card_parts.table import markdown  # noqa: E402

LIMIT = 400.0
"""Seconds after which nothing new is begun."""
GRACE = 20.0
"""Seconds beyond the limit that the last part may take."""
STARTING = 120.0
"""Seconds that a process may take until it begins its first part."""
LOOK = 0.2
"""Seconds between looks at the record."""


def main() -> int:
    """Measure, and return 1 when a part failed."""
    options = arguments()
    if options.record is not None:
        from benchmarks.card_parts.run import run  # noqa: PLC0415 - torch is for the process that measures

        return run(options)
    began = time.time()
    with tempfile.TemporaryDirectory() as folder:
        record = Record(Path(folder) / "record.jsonl")
        while measure(options, record.path, began):
            record = Record.read(record.path)
        record = Record.read(record.path)
    found = summary(options, record, began)
    if options.markdown:
        options.markdown.write_text(markdown(found), encoding="utf-8")
    print(markdown(found), flush=True)
    write(options, found)
    print(json.dumps(found), flush=True)
    return 1 if record.errors else 0


def measure(options: argparse.Namespace, path: Path, began: float) -> bool:
    """Let one process measure what is not measured yet, and write down what became of it.

    Returns:
        Whether the process was lost, so that another should go on.
    """
    before = Record.read(path)
    process = subprocess.Popen(command(options, path, began), cwd=ROOT, env=environment(options))
    started = time.time() - began
    written, why = -1, ""
    while process.poll() is None:
        time.sleep(LOOK)
        if path.is_file() and path.stat().st_size != written:
            written = path.stat().st_size
            write(options, summary(options, Record.read(path), began))
        if why := overdue(Record.read(path), started, time.time() - began, options.limit):
            process.kill()
            process.wait()
            break
    record = Record.read(path)
    why = why or (f"its process ended with status {process.returncode}" if process.returncode else "")
    if not why:
        return False
    nothing = len(record.done) + len(record.errors) == len(before.done) + len(before.errors)
    if record.begun or nothing:
        lost = record.begun or "start"
        print(f"[{time.time() - began:5.1f} s] {lost}: FAILED: {why}", flush=True)
        record.write("error", lost, why=why)
    return "start" not in record.errors and time.time() - began < options.limit


def overdue(record: Record, started: float, now: float, limit: float) -> str:
    """Tell why a process should be ended; nothing when it should not."""
    if record.begun and now - record.at > record.most:
        return f"it took more than {record.most:.0f} s"
    if not record.begun and now - started > STARTING and not (record.done or record.errors):
        return f"its process began nothing for {STARTING:.0f} s"
    return f"it went on {GRACE:.0f} s beyond the limit of {limit:.0f} s" if now > limit + GRACE else ""


def command(options: argparse.Namespace, path: Path, began: float) -> list[str]:
    """Return the command of the process that measures."""
    listed = [sys.executable, __file__, "--record", str(path), "--began", str(began), "--limit", str(options.limit)]
    listed += ["--device", options.device, "--parts", *options.parts]
    return [*listed, *(["--rehearse"] if options.rehearse else [])]


def environment(options: argparse.Namespace) -> dict[str, str]:
    """Return the environment of the process that measures; tiny networks are quickest on one thread."""
    return {**({"OMP_NUM_THREADS": "1"} if options.rehearse else {}), **os.environ}


def summary(options: argparse.Namespace, record: Record, began: float) -> dict[str, Any]:
    """Return everything as one object."""
    told = {"rehearsal": options.rehearse, "limit": options.limit, "seconds": time.time() - began}
    return told | record.summary()


def write(options: argparse.Namespace, found: dict[str, Any]) -> None:
    """Write the JSON file, whole or not at all."""
    if options.json:
        beside = options.json.with_name(options.json.name + ".part")
        beside.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        beside.replace(options.json)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds after which nothing new is begun")
    parser.add_argument("--json", type=Path, help="file for everything that was measured")
    parser.add_argument("--markdown", type=Path, help="file for the tables")
    parser.add_argument("--rehearse", action="store_true", help="every part at tiny size, on the processor")
    parser.add_argument("--device", default="", help="the card; cuda:0 by itself")
    parser.add_argument("--parts", nargs="*", default=[], help="beginnings of the keys of the parts that are wanted")
    parser.add_argument("--record", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.device = options.device or ("cpu" if options.rehearse else "cuda:0")
    return options


if __name__ == "__main__":
    raise SystemExit(main())
