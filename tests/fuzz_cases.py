"""What the fuzzer tries: commands with bad settings or damaged files, signals and limits, drawn by chance."""

from __future__ import annotations

import io
import random
import resource
import signal
import tempfile
import wave
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
TIGHT_SPACE = (64, 128, 256, 512, 1024)
"""MiB beyond them where memory is meant to run out; threads alone ask for 64 each."""
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
