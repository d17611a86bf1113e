"""The flags by which a face is directed over time."""

from __future__ import annotations

import argparse

from ..direction import NAMES, Direction, combined
from ..errors import SonicError
from .console import ProgressLine


def add_direction(parser: argparse.ArgumentParser) -> None:
    """Ask what changes over time."""
    parser.add_argument(
        "--direct",
        action="append",
        default=[],
        type=_directed,
        metavar="NAME=CURVE",
        help="change something over time; repeatable. CURVE is a number, or seconds:value such as '0:0, 2:15', or a "
        "file; or name a .json or .csv file of curves. NAME is one of " + ", ".join(NAMES) + ", for one face of "
        "several with its number before, such as 1.smile",
    )


def add_pose(parser: argparse.ArgumentParser) -> None:
    """Ask for a video whose head is followed."""
    parser.add_argument(
        "--pose-from", metavar="VIDEO", help="turn the head as the one in a video turns; --direct counts before it"
    )
    parser.add_argument(
        "--pose-scale", type=float, default=1.0, metavar="X", help="factor on that movement (%(default)s)"
    )
    parser.add_argument(
        "--pose-longer",
        default="bounce",
        metavar="HOW",
        help="after that video's end the head goes back and forth (bounce) or stays (hold) (%(default)s)",
    )
    parser.add_argument(
        "--beat-from",
        metavar="SONG",
        help="nod to the beat of a song; --direct counts before it, it before --pose-from",
    )
    parser.add_argument("--beat-scale", type=float, default=1.0, metavar="X", help="factor on those nods (%(default)s)")


def _directed(text: str) -> Direction:
    try:
        return Direction.of(text)
    except SonicError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def direction_of(options: argparse.Namespace) -> Direction | None:
    """Read off the flags what is directed; what is said last counts."""
    return combined(_followed(options), _nodding(options), *options.direct)


def _followed(options: argparse.Namespace) -> Direction | None:
    if getattr(options, "pose_from", None) is None:
        return None
    from ..faces import face_finder  # noqa: PLC0415 - torch and its kin load only when they are needed
    from ..faces.head_track import follow_head  # noqa: PLC0415

    return follow_head(
        options.pose_from,
        scale=options.pose_scale,
        when_longer=options.pose_longer,
        finder=face_finder("auto", options.weights),
        progress=ProgressLine(),
    )


def _nodding(options: argparse.Namespace) -> Direction | None:
    if getattr(options, "beat_from", None) is None:
        return None
    from ..speech.beat import follow_beat  # noqa: PLC0415 - torch and its kin load only when they are needed

    return follow_beat(options.beat_from, scale=options.beat_scale, progress=ProgressLine())
