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
import io
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
import wave
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from sonic_core import pipeline  # noqa: F401 - what every command would load, and the limits on memory concern too
from sonic_core.cli import ending
from sonic_core.cli import main as program
from sonic_core.models.preview import model  # noqa: F401 - the same

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 60.0
"""Seconds after which a case hangs."""
MOST_MEMORY = 1500
"""MiB that a case may take."""
MOST_SPACE = 4096
"""MiB of addresses, beyond those of a program that has loaded everything, that a case may ask for: what would fill the
machine ends there, and has failed."""
TIGHT_SPACE = (64, 128, 256, 512, 1024)
"""MiB beyond them where memory is meant to run out; threads alone ask for 64 each."""
BLAS_SIDE = 512
"""Rows of a matrix that OpenBLAS takes its threads for. A program has them once it is loaded, a fork only once it asks,
and where there is no memory for them then, OpenBLAS waits for itself for ever."""
NO_MEMORY = "not enough memory"
STATUSES = {0, 1, 2, 129, 130, 141, 143}
CUT = 0.95
"""Of damages leave what comes behind them."""
RATES = {".ogg": 24000}
"""Of what takes no other."""
OLD = b"an older video, which must stay as it is unless a new one is whole"
# fmt: off
BAD_NUMBERS = (
    "nan", "inf", "-inf", "-1", "0", "1e309", "1e-300", "1e6", "9999999999999", "-0.0", "0x10", "1_000", "١٢", "½",
    "''", "1,5", "None", "True", "1e", "12abc", "--",
)
BAD_TEXTS = (
    "", " ", "x" * 5000, "\n", "a\x00b", "💋" * 90, "/", "..", "-", "~nobody/x", "/dev/null", "con", "\udcff", "%s%n",
)
NUMBERS = (
    "duration", "min-resolution", "expand-ratio", "inference-steps", "dynamic-scale", "motion-scale", "seed", "fps",
    "face-index", "crf", "window", "window-overlap", "deepcache",
)
TEXTS = (
    "model", "format", "face", "quality", "weights", "device", "precision", "acceleration", "output", "image", "audio",
)
# fmt: on
KINDS = ("arguments", "files", "signals", "limits")
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass
class Case:
    """A command, and what is done to it."""

    arguments: list[str]
    files: dict[str, bytes] = field(default_factory=dict)
    """Written before it begins, by name."""
    kept: frozenset[str] = frozenset()
    """Names of files that it may write where it ends well."""
    signal_after: float | None = None
    """Seconds after which it is asked to end."""
    signal: int = signal.SIGTERM
    limit: tuple[int, int] | None = None
    """A resource and how much of it there is."""


class Seeds:
    """Whole files, small ones, of every kind that is read."""

    def __init__(self) -> None:
        from PIL import Image

        import sonic_core as sonic

        picture = Image.open(ROOT / "assets" / "portrait.png").convert("RGB").resize((192, 192))
        self.pictures = {
            f"p.{kind}": self._saved(picture, kind) for kind in ("png", "jpeg", "webp", "gif", "bmp", "tiff")
        }
        sound = sonic.read_audio(ROOT / "assets" / "speech.wav", duration=1.0).samples
        self.sounds = {"s.wav": self._wave(sound)}
        still = torch.from_numpy(np.asarray(picture).astype(np.float32) / 255).permute(2, 0, 1)
        clip = sonic.Clip(
            lambda: iter([still[None].repeat(8, 1, 1, 1)]),
            Fraction(25),
            8,
            (192, 192),
            sonic.Audio(sound[:, :7056], 22050),
        )
        self.videos = {}
        with tempfile.TemporaryDirectory() as folder:
            for name in ("v.mp4", "v.webm", "v.mov", "v.gif", "v.webp"):
                clip.export(Path(folder) / name)
                self.videos[name] = (Path(folder) / name).read_bytes()
            for name in ("s.mp3", "s.ogg", "s.flac", "s.m4a"):
                self.sounds[name] = self._coded(sound, Path(folder) / name)
        weights = sorted((ROOT / "sonic_core").rglob("*.safetensors"))
        self.weights = {"unet.safetensors": min(weights, key=lambda path: path.stat().st_size).read_bytes()}
        self.lists = {
            "m.csv": b"image,audio,output\np.png,s.wav,o.mp4\n",
            "m.jsonl": b'{"image": "p.png", "audio": "s.wav", "output": "o.mp4", "duration": 0.1}\n',
        }

    @staticmethod
    def _saved(picture, kind: str) -> bytes:
        file = io.BytesIO()
        picture.save(file, kind)
        return file.getvalue()

    @staticmethod
    def _wave(samples) -> bytes:
        file = io.BytesIO()
        with wave.open(file, "wb") as written:
            written.setparams((1, 2, 22050, 0, "NONE", ""))
            written.writeframes((samples[0].numpy() * 32767).astype("<i2").tobytes())
        return file.getvalue()

    @staticmethod
    def _coded(samples, path: Path) -> bytes:
        import av

        codec = {".mp3": "mp3", ".ogg": "libopus", ".flac": "flac", ".m4a": "aac"}[path.suffix]
        planes = (samples[:1].numpy() * 32767).astype("<i2")
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=RATES.get(path.suffix, 22050))
            stream.layout = "mono"
            frame = av.AudioFrame.from_ndarray(planes, format="s16", layout="mono")
            frame.sample_rate = 22050
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path.read_bytes()


def damaged(chance: random.Random, content: bytes) -> bytes:
    """Damage bytes in one of the ways in which files are damaged."""
    data = content
    for _ in range(chance.choice((1, 1, 2, 8, 60))):
        place, size = chance.randrange(len(data) + 1), chance.choice((1, 4, 32, 512))
        before, there, after = data[:place], data[place : place + size], data[place + size :]
        put = (
            chance.randbytes(len(there)),
            b"",
            there + chance.randbytes(size),
            bytes(len(there)),
            chance.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4), b"\x80\0\0\0")),
            there + there,
        )
        data = before + chance.choice(put) + (after if chance.random() < CUT else b"")
    return data


def draw_case(chance: random.Random, seeds: Seeds, kind: str | None = None) -> tuple[str, Case]:
    """Draw a case, of a kind or of any; tell its kind too."""
    kind = kind or chance.choice((*KINDS, "files"))
    kinds: tuple[Callable[[random.Random, Seeds], Case], ...] = (_arguments, _bytes, _signal, _limit)
    return kind, kinds[KINDS.index(kind)](chance, seeds)


def _good(seeds: Seeds, **changed: str) -> list[str]:
    del seeds
    options = {"image": "p.png", "audio": "s.wav", "output": "o.mp4", "model": "sonic-preview", "duration": "0.2"}
    options |= {"min-resolution": "128"} | changed
    return ["generate", *(part for name, value in options.items() for part in (f"--{name}={value}",))]


def _whole(seeds: Seeds) -> dict[str, bytes]:
    return {"p.png": seeds.pictures["p.png"], "s.wav": seeds.sounds["s.wav"], "v.mp4": seeds.videos["v.mp4"]}


def _arguments(chance: random.Random, seeds: Seeds) -> Case:
    """Settings that are none."""
    changed = {}
    for _ in range(chance.choice((1, 1, 2, 4))):
        number = chance.random() < 0.6
        changed[chance.choice(NUMBERS if number else TEXTS)] = chance.choice(BAD_NUMBERS if number else BAD_TEXTS)
    command = chance.randrange(5)
    if command == 0:
        arguments = ["smooth", "v.mp4", "--output=o.mp4", f"--fps={chance.choice(BAD_NUMBERS)}"]
    elif command == 1:
        verb = chance.choice(
            ("sync", "refine", "faces", "evaluate", "batch", "models", "convert", "download", "dub", "nothing")
        )
        arguments = [
            verb,
            *(chance.choice((*BAD_TEXTS, "--json", "--output", "v.mp4")) for _ in range(chance.randrange(4))),
        ]
    else:
        arguments = _good(seeds, **changed)
    return Case(arguments, _whole(seeds), frozenset({"o.mp4"}))


def _bytes(chance: random.Random, seeds: Seeds) -> Case:
    """A damaged file, read by a command that takes its kind."""
    files, kind = _whole(seeds), chance.randrange(5)
    if kind == 0:
        name, content = chance.choice(sorted(seeds.pictures.items()))
        arguments = _good(seeds, image=name) if chance.random() < 0.7 else ["faces", name, "--json"]
    elif kind == 1:
        name, content = chance.choice(sorted(seeds.sounds.items()))
        arguments = _good(seeds, audio=name)
    elif kind == 2:
        name, content = chance.choice(sorted(seeds.videos.items()))
        verb = chance.choice(("sync", "refine", "smooth", "evaluate"))
        arguments = [verb, name, *(() if verb in {"sync", "evaluate"} else ("--output=o.mp4",))]
    elif kind == 3:
        name, content = chance.choice(sorted(seeds.lists.items()))
        arguments = ["batch", name, "--output=made", "--model=sonic-preview", "--check"]
    else:
        name, content = chance.choice(sorted(seeds.weights.items()))
        arguments = _good(seeds, model="sonic-base", weights=name)
    files[name] = damaged(chance, content)
    if chance.random() < 0.1:  # a name that promises something else
        other = chance.choice(sorted(files))
        files[other] = files[name]
    return Case(arguments, files, frozenset({"o.mp4"}))


def _signal(chance: random.Random, seeds: Seeds) -> Case:
    """A video that is asked to end while it is made, over an older one."""
    name = chance.choice(("o.mp4", "o.gif", "o.webm", "o.webp"))
    case = Case(_good(seeds, output=name, duration="0.9"), _whole(seeds) | {name: OLD}, frozenset({name}))
    case.signal, case.signal_after = chance.choice(SIGNALS), chance.uniform(0.0, 2.5)
    return case


def _limit(chance: random.Random, seeds: Seeds) -> Case:
    """A disk that is full, too few files that may be open, or too little memory."""
    name = chance.choice(("o.mp4", "o.gif", "o.webm", "o.mov"))
    case = Case(_good(seeds, output=name), _whole(seeds) | {name: OLD}, frozenset({name}))
    case.limit = chance.choice(
        (
            (resource.RLIMIT_FSIZE, chance.choice((0, 100, 4096))),
            (resource.RLIMIT_NOFILE, chance.randrange(4, 24)),
            (resource.RLIMIT_AS, chance.choice(TIGHT_SPACE) << 20),
        )
    )
    return case


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
