"""Making a set to learn from: what its thresholds see, and what memory it takes.

    python benchmarks/data.py VIDEO…             each clip as it is and damaged: the measures that are judged by
    python benchmarks/data.py --memory 10        a film of so many minutes, 128 pixels wide: memory by the minute

The film is the beginning of the bundled video, then a grey picture, again every minute, which is a chapter. Memory is
what the process holds at the end of each minute, and what that is beyond the first.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import torch
from torch.nn import functional

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sonic_core.clip import Clip, open_clip  # noqa: E402
from sonic_core.learn.data.chapters import DataTask, make_clips  # noqa: E402
from sonic_core.learn.data.notes import CLIPS  # noqa: E402
from sonic_core.learn.data.plan import DataPlan  # noqa: E402
from sonic_core.media.pixels import resize_lanczos  # noqa: E402
from sonic_core.types import Audio  # noqa: E402

SIDE, MINUTE, TALK = 128, 1500, 100
"""Pixels of the film's sides, frames of a minute of it, and in how many of them somebody speaks."""
SHOWN = ("sharpness", "light", "yaw", "pitch", "roll", "speech", "loudness", "movement", "agreement", "offset")
DAMAGES = {
    "as it is": lambda frame: frame,
    "half as sharp": lambda frame: shrunk(frame, 2),
    "a fourth as sharp": lambda frame: shrunk(frame, 4),
    "dark": lambda frame: frame * 0.15,
    "bright": lambda frame: (frame * 1.8).clamp(0, 1),
}


def shrunk(frame: torch.Tensor, factor: int) -> torch.Tensor:
    """Take detail from a frame (3, h, w)."""
    small = functional.avg_pool2d(frame[None], factor)
    return functional.interpolate(small, frame.shape[-2:], mode="bilinear", align_corners=False)[0]


def film(minutes: int) -> Clip:
    """Show the beginning of the bundled video, small, once a minute."""
    clip = open_clip(ROOT / "assets" / "video.mp4").cut(0, TALK)
    if clip.audio is None:
        sys.exit("The bundled video has lost its sound.")
    frames = torch.stack([resize_lanczos(frame, (SIDE, SIDE)) for frame in clip.frames()])
    grey, length = torch.full_like(frames[:1], 0.5), minutes * MINUTE
    silence = round(MINUTE / float(clip.fps) * clip.audio.rate) - clip.audio.samples.shape[1]
    sound = functional.pad(clip.audio.samples, (0, silence)).repeat(1, minutes)

    def read() -> Iterator[torch.Tensor]:
        for number in range(length):
            place = number % MINUTE
            yield frames[place : place + 1] if place < TALK else grey

    return Clip(read, clip.fps, length, (SIDE, SIDE), Audio(sound, clip.audio.rate))


def measure_memory(minutes: int) -> None:
    """Print what a process holds, minute by minute of a film."""
    process = psutil.Process()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for inside in (CLIPS, "chapters"):
            (folder / inside).mkdir()
        path = film(minutes).export(folder / "film.mp4", crf=23)
        began, before = time.process_time(), 0

        def tell(_stage: str, done: int, total: int) -> None:
            nonlocal before
            if done % MINUTE == 0:
                held = process.memory_info().rss >> 20
                before = before or held
                print(f"{done // MINUTE:3d} of {total // MINUTE} min: {held} MB ({held - before:+d}), "
                      f"{time.process_time() - began:.0f} s of processor", flush=True)  # fmt: skip

        task = DataTask(path, folder, DataPlan(size=64, chapter=60.0, least_sharpness=0.0))
        make_clips(task, progress=tell)
        clips = [clip for verdict in task.verdicts() for clip in verdict["clips"]]
        print(f"{len(clips)} clips, {sum(clip['seconds'] for clip in clips):.0f} s of {60 * minutes}")


def show_measures(videos: list[Path]) -> None:
    """Print what is measured of videos, as they are and damaged."""
    print(f"{'':44}" + "".join(f"{name:>11}" for name in SHOWN))
    for video in videos:
        for name, damage in DAMAGES.items():
            clip = open_clip(video)

            def read(clip: Clip = clip, damage=damage) -> Iterator[torch.Tensor]:  # noqa: ANN001
                for frame in clip.frames():
                    yield damage(frame)[None]

            with tempfile.TemporaryDirectory() as folder:
                for inside in (CLIPS, "chapters"):
                    (Path(folder) / inside).mkdir()
                path = replace(clip, read=read).export(Path(folder) / "damaged.mp4", sound="trimmed")
                task = DataTask(path, Path(folder), DataPlan())
                make_clips(task)
                for verdict in task.verdicts():
                    for one in [*verdict["clips"], *verdict["unused"]]:
                        values = "".join(f"{one[measure]:11.3f}" for measure in SHOWN)
                        print(f"{video.stem[:24]:24}{name:20}{values}  {one.get('reason', '')}", flush=True)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="*", type=Path)
    parser.add_argument("--memory", type=int, metavar="MINUTES", help="make a film so long, and watch the memory")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.memory:
        measure_memory(options.memory)
    if options.videos:
        show_measures(options.videos)


if __name__ == "__main__":
    main()
