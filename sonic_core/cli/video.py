"""The commands about any talking video: ``sync``, ``refine``, ``smooth``."""

# ruff: noqa: PLC0415 - torch and its kin load only when they are needed
from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from .console import ProgressLine, add_format, add_weights, answer

if TYPE_CHECKING:
    from ..clip import Clip
    from ..sync.offset import SyncMeasurement

Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add_commands(command: Command) -> None:
    """Offer the commands.

    Args:
        command: Adds a command by its name, what it runs and a text about it, and returns its parser.
    """
    sync = command("sync", measure, "measure by how much the sound of a talking video comes late")
    refine = command("refine", align, "bring the sound of a talking video in step with the mouth")
    for one in (sync, refine):
        one.add_argument("video", metavar="VIDEO", help="any video of a speaking face")
        one.add_argument("--audio", metavar="A", help="a sound in place of the video's own")
        add_weights(one, "a face finder's weights")
    add_output(refine)
    refine.add_argument(
        "--max-offset", type=float, default=0.05, metavar="S", help="correct up to this many seconds (%(default)s)"
    )
    refine.add_argument("--force", action="store_true", help="correct any constant offset that could be measured")

    smooth = command("smooth", even_out, "take jitter and flicker out of a talking video")
    smooth.add_argument("video", metavar="VIDEO", help="any video")
    add_output(smooth)
    smooth.add_argument(
        "--strength", type=float, default=1.0, metavar="X", help="0 nothing, 1 usual, 2 most (%(default)s)"
    )
    smooth.add_argument("--method", default="flow", help="flow, or ema: a moving average, stronger (%(default)s)")
    smooth.add_argument("--fps", type=float, metavar="F", help="show at this rate, with frames drawn in between")
    add_weights(smooth)
    smooth.add_argument(
        "--device",
        default="auto",
        help="where frames in between are drawn: cuda, cuda:1, xpu, mps or cpu (%(default)s)",
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """Ask where a video goes and in which format."""
    parser.add_argument("--output", required=True, metavar="O", help="the video to write")
    add_format(parser)


def check_output(options: argparse.Namespace) -> None:
    """Raise before any work when the output could not be written.

    Raises:
        SettingsError: There is no such format, or it has no such quality.
        MediaError: Nothing can be written there.
    """
    from ..media.formats import format_of
    from ..media.video import check_target

    file = format_of(options.output, options.format)
    file.quality(options.crf)
    check_target(options.output, file)


def measure(options: argparse.Namespace) -> int:
    """Say how picture and sound fit together."""
    from ..faces import face_finder
    from ..sync.compare import measure_sync

    clip = _opened(options)
    found = measure_sync(clip, face_finder("auto", options.weights), ProgressLine())
    words = f"{found}"
    answer(options, described(found), words[0].upper() + words[1:] + ".")
    return 0


def align(options: argparse.Namespace) -> int:
    """Move the sound of a video to where it belongs."""
    from ..faces import face_finder
    from ..post.align import Align

    check_output(options)
    align, progress = Align(options.max_offset, options.force), ProgressLine()
    clip = _opened(options)
    made = replace(align, finder=face_finder("auto", options.weights)).apply(clip, progress)
    made.clip.export(options.output, format=options.format, crf=options.crf, mark=options.mark, progress=progress)
    done = made.report
    told = {**described(done.measurement), "moved_seconds": done.moved, "output": options.output}
    answer(options, told, f"{options.output}: {done.reason}")
    return 0


def even_out(options: argparse.Namespace) -> int:
    """Smooth a video, and show it at another rate where one is asked for."""
    from ..clip import open_clip
    from ..devices import choose_device
    from ..faces import face_finder
    from ..post.retime import Retime, best_interpolator
    from ..post.smooth import Smooth

    check_output(options)
    smooth = Smooth(options.strength, options.method)
    retime = None if options.fps is None else Retime(options.fps)
    choose_device(options.device)
    opened = open_clip(options.video)
    made = replace(smooth, finder=face_finder("auto", options.weights)).apply(opened)
    clip, report = made.clip, made.report
    if retime is not None:
        clip = replace(retime, interpolator=best_interpolator(options.weights, options.device)).apply(clip).clip
    clip.export(options.output, format=options.format, crf=options.crf, mark=options.mark, progress=ProgressLine())
    told: dict[str, Any] = {"output": options.output, "frames": clip.length, "fps": float(clip.fps)}
    if report.done is not None:
        told |= asdict(report.done)
    answer(options, told | {"frames": clip.length}, f"{options.output}: {report.reason}")
    return 0


def described(found: SyncMeasurement) -> dict[str, Any]:
    """Put a measurement into words and numbers that JSON knows."""
    return {
        "offset_seconds": round(found.offset, 4),
        "confidence": round(found.confidence, 4),
        "verdict": found.verdict,
        "drift_seconds_per_second": round(found.drift, 5),
        "curve": {
            "offset_seconds": [round(float(offset), 3) for offset in found.offsets],
            "agreement": [round(float(value), 4) for value in found.agreement],
        },
    }


def _opened(options: argparse.Namespace) -> Clip:
    from ..clip import open_clip
    from ..media.audio import read_audio

    clip = open_clip(options.video)
    return replace(clip, audio=read_audio(options.audio)) if options.audio else clip
