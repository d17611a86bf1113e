"""The flags by which a face is directed over time."""

from __future__ import annotations

import argparse

from ..direction import NAMES, Direction, combined
from ..errors import SonicError


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


def _directed(text: str) -> Direction:
    try:
        return Direction.of(text)
    except SonicError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def direction_of(options: argparse.Namespace) -> Direction | None:
    """Read off the flags what is directed; what is said last counts."""
    return combined(*options.direct)
