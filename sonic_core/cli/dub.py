"""The command ``dub``: people of a video say something else."""

# ruff: noqa: PLC0415 - torch and its kin load only when they are needed
from __future__ import annotations

import argparse
import time
from dataclasses import asdict

from ..settings import SETTINGS, Settings
from .console import ProgressLine, add_signing, add_weights, answer, mark_of
from .directing import add_direction, direction_of
from .options import add_setting
from .outcome import tell_made
from .speakers import add_speakers, check_sound, speakers_of
from .video import Command, add_output

HEEDED = ("duration", "dynamic_scale", "face_index", "when_longer", "voice", "speaker_voice")
"""Settings that dubbing heeds."""


def add_commands(command: Command) -> None:
    """Offer the command.

    Args:
        command: Adds a command by its name, what it runs and a text about it, and returns its parser.
    """
    dub = command("dub", speak, "let people of a video say another sound; all but their lower faces stays as it is")
    dub.add_argument("video", metavar="VIDEO", help="any video of a face, or several")
    dub.add_argument("--audio", metavar="A", help="what shall be said: any sound or video file")
    add_speakers(dub, "the video, numbered as they appear, the largest first,")
    add_output(dub)
    add_signing(dub)
    for name in HEEDED:
        add_setting(dub, SETTINGS[name])
    add_direction(dub)
    add_weights(dub, "a face finder's weights")


def speak(options: argparse.Namespace) -> int:
    """Dub a video and tell what came of it."""
    from ..models.preview.dub.dubbing import Dubbing
    from ..models.registry import DUBBING
    from ..pipeline import Job, run

    check_sound(options)
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
        mark=mark_of(options),
        video=options.video,
        speakers=speakers_of(options),
    )
    made = run(job, ProgressLine())
    people = [one for one in made.report.flat() if isinstance(one, Dubbing)]
    told = [{name: value for name, value in asdict(one).items() if name != "number"} for one in people]
    several = {"faces": {str(one.number): counts for one, counts in zip(people, told, strict=True)}}
    result = tell_made(made, options.output, time.monotonic() - started) | (told[0] if len(told) == 1 else several)
    answer(options, result, f"{options.output}: {' '.join(one.reason for one in people)}")
    return 0
