"""``python -m sonic_core``: the command line."""

from __future__ import annotations

import sys

from .cli.ending import run_program
from .cli.waiting import share_processors


def program() -> int:
    """Run the command line as a program of its own; return its exit status."""
    share_processors()
    return run_program(_run)


def _run() -> int:
    from .cli.main import main  # noqa: PLC0415 - signals are listened to by now

    return main()


if __name__ == "__main__":
    sys.exit(program())
