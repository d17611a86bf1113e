"""How fast sonic-preview is, end to end, and how much memory it takes.

    python benchmarks/preview.py [--resolution 512] [--seconds 20]          seconds of video per second
    python benchmarks/preview.py --memory 60 240                             peak memory for each length of sound

Each figure comes from a process of its own that reads files, finds the face, animates, encodes and writes the MP4.
Beside it stands what encoding alone takes: frames of the same clip that are in memory already, some of them forward and
backward again until there are as many; no drawing can make a video faster than that.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
JOB = """
import json, resource, sys, time
sys.path.insert(0, {root!r})
started = time.perf_counter()
import sonic_core as sonic
loaded = time.perf_counter()
model = sonic.load_model("sonic-preview")
clip = model.generate({audio!r}, {image!r}, min_resolution={resolution})
prepared = time.perf_counter()
clip.export({output!r})
ended = time.perf_counter()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
figures = dict(video=float(clip.duration), start=loaded - started, prepare=prepared - loaded, encode=ended - prepared,
               peak_mib=peak)
if {alone!r}:
    from dataclasses import replace
    from itertools import islice
    frames = [frame.clone() for frame in islice(clip.frames(), {kept!r})]
    turn = [*range(len(frames)), *range(len(frames) - 2, 0, -1)] or [0]
    again = replace(clip, read=lambda: (frames[turn[i % len(turn)]][None] for i in range(clip.length)))
    began = time.perf_counter()
    again.export({output!r})
    figures["alone"] = time.perf_counter() - began
print(json.dumps(figures))
"""
KEPT = 60
"""Frames that are kept in memory to be encoded alone: 0.19 GB of them at 512², 0.75 GB at 1024²."""


def measure(seconds: float, resolution: int, image: Path, speech: Path, *, alone: bool) -> dict[str, float]:
    """Run the main job once in a fresh process, encode its frames ``alone`` after it, and return its figures."""
    with tempfile.TemporaryDirectory() as folder:
        audio = Path(folder) / "speech.wav"
        with wave.open(str(speech), "rb") as file:
            parameters, sound = file.getparams(), file.readframes(file.getnframes())
        length = int(seconds * parameters.framerate) * parameters.sampwidth * parameters.nchannels
        with wave.open(str(audio), "wb") as file:
            file.setparams(parameters)
            file.writeframes((sound * (length // len(sound) + 1))[:length])
        job = JOB.format(
            root=str(ROOT),
            audio=str(audio),
            image=str(image),
            resolution=resolution,
            output=f"{folder}/out.mp4",
            alone=alone,
            kept=KEPT,
        )
        done = subprocess.run([sys.executable, "-c", job], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolution", type=int, nargs="+", default=[512])
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the sound (the bundled one, repeated)")
    parser.add_argument(
        "--memory", type=float, nargs="+", default=[], metavar="S", help="compare these lengths instead"
    )
    parser.add_argument("--image", type=Path, default=ROOT / "assets" / "portrait.png")
    parser.add_argument("--audio", type=Path, default=ROOT / "assets" / "speech.wav", help="a PCM WAV file")
    options = parser.parse_args()
    runs = [(length, options.resolution[0]) for length in options.memory]
    runs = runs or [(options.seconds, resolution) for resolution in options.resolution]
    print("resolution  video  start  prepare  encode  (alone)  video s/s (end to end)  times encoding alone  peak MiB")
    for length, resolution in runs:
        figures = measure(length, resolution, options.image, options.audio, alone=not options.memory)
        whole, alone = figures["prepare"] + figures["encode"], figures.get("alone", float("nan"))
        print(
            f"{resolution:10d} {figures['video']:5.1f}s {figures['start']:5.1f}s {figures['prepare']:7.2f}s "
            f"{figures['encode']:6.1f}s {alone:7.1f}s {figures['video'] / whole:23.2f} {whole / alone:21.2f} "
            f"{figures['peak_mib']:9.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
