"""The flag that gives each of several people a sound."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..cast.mixed import voice_of
from ..cast.speakers import Speaker, read_speaker
from ..errors import SettingsError

if TYPE_CHECKING:
    from ..post.stage import Reports


def add_speakers(parser: argparse.ArgumentParser, where: str = "the picture, as 'faces' numbers them,") -> None:
    """Ask who says what.

    Args:
        parser: Of the command.
        where: What the faces are in, and how they are numbered.
    """
    parser.add_argument(
        "--speaker",
        action="append",
        default=[],
        type=_spoken,
        metavar="N=A[@S]",
        help=f"instead of --audio: face N of {where} says the sound A, from S seconds on; "
        "once for each who speaks; with --audio a voice of that, as 0=voice:1",
    )


def _spoken(text: str) -> tuple[int, Speaker]:
    try:
        return read_speaker(text)
    except SettingsError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def check_sound(options: argparse.Namespace) -> None:
    """Raise where there is no sound, or two for one face.

    Raises:
        SettingsError: It is so.
    """
    numbers = [number for number, *_ in options.speaker]
    if options.audio is None and not numbers:
        raise SettingsError("--audio A is wanted, the sound that is said; or --speaker N=A for each of several people.")
    if options.audio is not None and any(voice_of(one) is None for _, one in options.speaker):
        raise SettingsError(
            "--audio is said by one, --speaker by each of several people; leave one of them out, or share out the "
            "voices of one sound: --speaker 0=voice:1."
        )
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        raise SettingsError(
            f"--speaker names face {twice[0]} {numbers.count(twice[0])} times; give each face one sound."
        )


def speakers_of(options: argparse.Namespace) -> dict[int, Speaker]:
    """Tell who says what."""
    return dict(getattr(options, "speaker", ()))


def described(report: Reports) -> dict[str, Any]:
    """Tell what became of each face, where there were several."""
    from ..cast.people import CastReport  # noqa: PLC0415 - torch and its kin load only when they are needed

    roles = [one.roles for one in report.parts if isinstance(one, CastReport)]
    return {"faces": {str(number): role for number, role in roles[0].items()}} if roles else {}
