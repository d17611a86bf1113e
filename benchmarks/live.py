"""How long sonic-preview takes to answer, and what it loses by not knowing the rest of the sound.

    python benchmarks/live.py [SOUND…] [--resolution 512]

Each sound is spoken into a pipe at its own speed; what comes out is looked at as it comes, and each frame's delay is
the time from the moment when its own sound had been spoken to the moment when the fragment of the video that holds it
came. "Behind" is the delay from the fourth second on, when the start is made up for. Beside it stands how the mouth's
opening, heard so, goes with that read off the whole sound: their correlation, and that from the sixth second on.
"""

from __future__ import annotations

import argparse
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sonic_core.media.audio import read_audio  # noqa: E402
from sonic_core.speech import Speech  # noqa: E402
from sonic_core.speech.live import AHEAD, listen  # noqa: E402
from sonic_core.types import Audio  # noqa: E402

FPS = 25
SECONDS = 20.0
"""Of each sound that are spoken at most."""
PIECE = 0.02
"""Seconds that are spoken at a time."""
READY = 6.0
"""Seconds after which the talker begins: the portrait has been read by then."""
CAUGHT_UP, JUDGED = 3.0, 5.0
"""Seconds after which delays, and openings, are judged by themselves."""


def wave(audio: Audio) -> tuple[bytes, bytes]:
    """Make the head of a WAV whose length nobody knows, and its samples."""
    samples = (audio.samples.mean(0).clamp(-1, 1).numpy() * 32767).astype("<i2")
    form = struct.pack("<IHHIIHH", 16, 1, 1, audio.rate, audio.rate * 2, 2, 16)
    return b"RIFF\xff\xff\xff\xffWAVEfmt " + form + b"data\xff\xff\xff\xff", samples.tobytes()


def delays(audio: Audio, image: Path, resolution: int) -> np.ndarray:
    """Speak a sound into the command line; tell each frame's delay in seconds."""
    command = [sys.executable, "-m", "sonic_core", "generate", "--image", str(image), "--audio", "-", "--output", "-"]
    command += ["--model", "sonic-preview", "--min-resolution", str(resolution)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        talker, video = cast("BinaryIO", process.stdin), cast("BinaryIO", process.stdout)
        time.sleep(READY)
        began = time.perf_counter()
        threading.Thread(target=speak, args=(audio, talker, began), daemon=True).start()
        arrived = [time.perf_counter() - began for count in _video_samples(video) for _ in range(count)]
    return np.array(arrived) - np.arange(len(arrived)) / FPS


def speak(audio: Audio, into: BinaryIO, began: float) -> None:
    """Write a sound at its own speed, as a talker would who began at ``began``."""
    head, samples = wave(audio)
    into.write(head)
    size = round(PIECE * audio.rate) * 2
    for number, start in enumerate(range(0, len(samples), size)):
        time.sleep(max(0.0, began + (number + 1) * PIECE - time.perf_counter()))
        into.write(samples[start : start + size])
        into.flush()
    into.close()


def _video_samples(stream: BinaryIO) -> Iterator[int]:
    """Read MP4's boxes as they come; tell how many of the first track's samples each fragment holds."""
    held = 0
    while len(head := stream.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        body = stream.read(size - 8)
        if kind == b"moof":
            held = sum(_run(part) for name, part in _boxes(body) if name == b"traf")
        elif kind == b"mdat":
            yield held


def _run(fragment: bytes) -> int:
    parts = dict(_boxes(fragment))
    track = struct.unpack(">I", parts[b"tfhd"][4:8])[0]
    return struct.unpack(">I", parts[b"trun"][4:8])[0] if track == 1 else 0


def _boxes(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    while body:
        size, kind = struct.unpack(">I4s", body[:8])
        yield kind, body[8:size]
        body = body[size:]


class _Spoken:
    """Samples of a sound, followed by silence."""

    def __init__(self, samples: torch.Tensor) -> None:
        self.samples = samples

    def __getitem__(self, place: tuple[slice, slice]) -> torch.Tensor:
        some = self.samples[place]
        return torch.nn.functional.pad(some, (0, place[1].stop - place[1].start - some.shape[1]))


def likeness(audio: Audio) -> tuple[float, float]:
    """Correlate the opening heard while it comes with that of the whole, in all and from ``JUDGED`` on."""
    count = int(audio.duration * FPS)
    whole = Speech.of(audio).motion.at(np.arange(count) / FPS).opening
    heard = np.zeros(count)
    coming = Audio(audio.samples, audio.rate)
    object.__setattr__(coming, "samples", _Spoken(audio.samples))
    for passage in takewhile(lambda one: one.start < audio.duration, listen(coming)):
        first, last = (min(round(moment * FPS), count) for moment in (passage.start, passage.settled))
        times = np.arange(first, last) / FPS - passage.begin
        heard[first:last] = passage.speech.motion.at(times).opening
    late = round(JUDGED * FPS)
    return (float(np.corrcoef(heard, whole)[0, 1]), float(np.corrcoef(heard[late:], whole[late:])[0, 1]))


def main() -> None:
    """Measure each sound."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sounds", nargs="*", type=Path, default=[ROOT / "assets" / "speech.wav"])
    parser.add_argument("--image", type=Path, default=ROOT / "assets" / "portrait.png")
    parser.add_argument("--resolution", type=int, default=512)
    options = parser.parse_args()
    print(f"{'sound':<24} first frame  behind: median  most   opening  from {JUDGED:g} s on  (look-ahead {AHEAD:g} s)")
    for path in options.sounds:
        audio = read_audio(path, duration=SECONDS)
        late = delays(audio, options.image, options.resolution)
        steady = late[round(CAUGHT_UP * FPS) :]
        alike, later = likeness(audio)
        print(
            f"{path.name:<24} {late[0]:>9.2f} s  {np.median(steady):>13.2f} s {steady.max():>5.2f} s "
            f"{alike:>8.3f} {later:>8.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
