"""Bad input, damaged files, signals and limits without end: nothing may crash, hang, or leave anything behind.

    python -m tests.fuzz [--minutes 1 | --cases N] [--kind KIND] [--seed S] [--only N]

Each case is a command of the real command line in a process of its own (forked from one that has loaded everything),
drawn from the seed and its number, so that ``--only`` runs one again. A case fails on a traceback, a crash, a status
that the command line does not have, more than one line of error, a file that is left half-written or changed, a
minute's wait, 1.5 GB of memory, or asking for 4 GB where nobody limits it. Exits with 1 where any failed, and tells how
many of each kind there were, and the most memory that one of them took.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from sonic_core import pipeline  # noqa: F401 - what every command would load, and the limits on memory concern too
from sonic_core.cli import ending
from sonic_core.cli import main as program
from sonic_core.models.preview import model  # noqa: F401 - the same
from tests.fuzz_cases import KINDS, SIGNALS, Case, Seeds, draw_case

PATIENCE = 60.0
"""Seconds after which a case hangs."""
MOST_MEMORY = 1500
"""MiB that a case may take."""
MOST_SPACE = 4096
"""MiB of addresses, beyond those of a program that has loaded everything, that a case may ask for: what would fill the
machine ends there, and has failed."""
BLAS_SIDE = 512
"""Rows of a matrix that OpenBLAS takes its threads for. A program has them once it is loaded, a fork only once it asks,
and where there is no memory for them then, OpenBLAS waits for itself for ever."""
NO_MEMORY = "not enough memory"
STATUSES = {0, 1, 2, 129, 130, 141, 143}


def run_case(case: Case) -> tuple[list[str], float]:
    """Run a case; tell what is wrong with how it went, and the most memory that it took (MiB)."""
    with tempfile.TemporaryDirectory() as outer:
        place = Path(outer) / "work"
        for folder in (place, Path(outer) / "home"):
            folder.mkdir()
        for name, content in case.files.items():
            (place / name).write_bytes(content)
        began = time.monotonic()
        reading, writing = os.pipe()
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until the child listens
        child = os.fork()
        if child == 0:
            os.close(reading)
            _be(case, place, writing)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        os.close(writing)
        with os.fdopen(reading, errors="replace") as said, ThreadPoolExecutor(1) as listener:
            heard = listener.submit(said.read)  # not a file, which a limit would concern too
            faults, status, memory = _wait(child, case, began)
            errors = heard.result()
        if "Traceback" in errors or status not in STATUSES:
            faults.append(f"status {status}: {errors.strip()[-900:]}")
        elif (
            status == 2 and sum(line.startswith("sonic: ") for line in errors.splitlines() if "encode" not in line) < 1
        ):
            faults.append(f"no sentence: {errors!r}")
        if NO_MEMORY in errors and (case.limit or (None,))[0] != resource.RLIMIT_AS:
            faults.append(f"asks for more than {MOST_SPACE} MiB: {errors.strip()[-300:]}")
        if memory > MOST_MEMORY:
            faults.append(f"{memory:.0f} MiB")
        faults += _left(case, place, status)
        shutil.rmtree(place, ignore_errors=True)
    return faults, memory


def _be(case: Case, place: Path, errors: int) -> None:
    """Be the program, in the child; never returns."""
    status = 70
    try:
        os.chdir(place)
        os.environ["HOME"] = os.environ["XDG_CACHE_HOME"] = str(place.parent / "home")
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number, where in ((0, nowhere), (1, nowhere), (2, errors)):
            os.dup2(where, number)
        sys.stdin, sys.stdout, sys.stderr = (open(number, mode, closefd=False) for number, mode in enumerate("rww"))  # noqa: SIM115
        np.linalg.solve(np.eye(BLAS_SIDE), np.ones(BLAS_SIDE))
        kind, most = case.limit or (resource.RLIMIT_AS, MOST_SPACE << 20)
        if kind == resource.RLIMIT_AS:
            most += int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
        resource.setrlimit(kind, (most, resource.getrlimit(kind)[1]))
        status = ending.run_program(lambda: _heed(case.arguments))
    except BaseException:  # noqa: BLE001 - told by the parent
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(status)


def _heed(arguments: list[str]) -> int:
    """Run the command line from when signals are listened to."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    return program.main(arguments)


def _wait(child: int, case: Case, began: float) -> tuple[list[str], int, float]:
    """Wait for the child, and do to it what the case says: faults, its status, its peak in MiB."""
    faults, asked = list[str](), False
    while True:
        done, raw, usage = os.wait4(child, os.WNOHANG)
        if done:
            return faults, os.waitstatus_to_exitcode(raw), usage.ru_maxrss / 1024
        spent = time.monotonic() - began
        if case.signal_after is not None and not asked and spent > case.signal_after:
            os.kill(child, case.signal)
            asked = True
        if spent > PATIENCE and spent - _starved(child) > PATIENCE and not faults:
            faults.append(f"hangs: more than {PATIENCE:g} s")
            os.kill(child, signal.SIGKILL)
        time.sleep(0.01)


def _starved(child: int) -> float:
    """Seconds for which a process wanted a processor and others had them, as far as Linux tells."""
    try:
        told = [path.read_text("ascii").split() for path in Path(f"/proc/{child}/task").glob("*/schedstat")]
    except OSError:  # a thread that is gone by now
        return 0.0
    return max((int(waited) / 1e9 for _, waited, *_ in told), default=0.0)


def _left(case: Case, place: Path, status: int) -> list[str]:
    """Tell of files that should not be there, and of those that are not as they were."""
    faults = []
    for path in sorted(place.rglob("*")):
        name = path.relative_to(place).as_posix()
        if name in case.files:
            may = status == 0 or case.signal_after is not None  # it may come when the new file is in its place already
            if path.read_bytes() != case.files[name] and not (may and name in case.kept):
                faults.append(f"{name} was changed")
        elif status != 0 or name not in case.kept:
            if status == 0 and name.startswith(("out", "o.")):
                continue  # what was asked for under another name
            faults.append(f"{name} was left behind")
    faults += [f"{name} is gone" for name in case.files if not (place / name).exists()]
    return faults


def say(text: str) -> None:
    """Tell on standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run cases until the time is over, or as many as are wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, help="1 where nothing is said")
    parser.add_argument("--cases", type=int, help="how many, however long they take")
    parser.add_argument("--kind", choices=KINDS, help="cases of this kind alone")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--only", type=int, help="run this case alone, and tell what it is")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as maker:
        seeds = maker.submit(Seeds).result()  # a process that has used its libraries' threads cannot be forked
    minutes = options.minutes or (1.0 if options.cases is None else float("inf"))
    until, failed, most, run = time.monotonic() + 60 * minutes, 0, 0.0, Counter[str]()
    for number in [options.only] if options.only is not None else range(options.cases or 1 << 62):
        if time.monotonic() > until:
            break
        kind, case = draw_case(random.Random(f"{options.seed} {number}"), seeds, options.kind)  # noqa: S311
        if options.only is not None:
            say(f"{case.arguments} {sorted(case.files)} {case.signal_after} {case.limit}")
        faults, memory = run_case(case)
        run[kind], most = run[kind] + 1, max(most, memory)
        if faults:
            failed += 1
            command = ascii(" ".join(case.arguments))
            say(f"case {number} ({command:.300}): {'; '.join(faults)}")
    kinds = ", ".join(f"{count} of {kind}" for kind, count in sorted(run.items()))
    say(f"{run.total()} cases of seed {options.seed} ({kinds}), {failed} failed; the most memory: {most:.0f} MiB")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
