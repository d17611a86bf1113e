"""The command ``dub``: the person of a video says another sound."""

# ruff: noqa: PLC0415 - torch and its kin load only when they are needed
from __future__ import annotations

import argparse
import time
from dataclasses import asdict

from ..settings import SETTINGS, Settings
from .console import ProgressLine, add_weights, answer
from .directing import add_direction, direction_of
from .options import add_setting
from .outcome import tell_made
from .video import Command, add_output

HEEDED = ("duration", "dynamic_scale", "face_index", "when_longer", "voice", "speaker_voice")
"""Settings that dubbing heeds."""


def add_commands(command: Command) -> None:
    """Offer the command.

    Args:
        command: Adds a command by its name, what it runs and a text about it, and returns its parser.
    """
    dub = command("dub", speak, "let the person of a video say another sound; all but the lower face stays as it is")
    dub.add_argument("video", metavar="VIDEO", help="any video of a face")
    dub.add_argument("--audio", required=True, metavar="A", help="what shall be said: any sound or video file")
    add_output(dub)
    for name in HEEDED:
        add_setting(dub, SETTINGS[name])
    add_direction(dub)
    add_weights(dub, "a face finder's weights")


def speak(options: argparse.Namespace) -> int:
    """Dub a video and tell what came of it."""
    from ..models.preview.dub.dubbing import Dubbing
    from ..models.registry import DUBBING
    from ..pipeline import Job, run

    settings = Settings(**{name: getattr(options, name) for name in HEEDED}, direction=direction_of(options))
    started = time.monotonic()
    job = Job(
        None,
        options.audio,
        settings,
        DUBBING,
        loading={"weights": options.weights},
        output=options.output,
        format=options.format,
        crf=options.crf,
        mark=options.mark,
        video=options.video,
    )
    made = run(job, ProgressLine())
    told = made.report.parts[0]
    counts = asdict(told) if isinstance(told, Dubbing) else {}
    result = tell_made(made, options.output, time.monotonic() - started) | counts
    answer(options, result, f"{options.output}: {told.reason}")
    return 0
