"""The command ``learn``: how weights in this package are made; each task has commands of its own."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module

from ..errors import SonicError

TASKS = {
    "data": ("learn.data.commands", "make a set to learn from out of any talking videos"),
    "lipreading": (
        "learn.lipreading.commands",
        "teach sonic-preview to read lips off a sound, from synthesised speech",
    ),
    "sync": ("learn.sync.commands", "teach sync whether a mouth and a sound belong together, from no video at all"),
    "tune": ("learn.tune.commands", "teach sonic-base how one person speaks, from videos: a LoRA"),
    "distil": (
        "learn.distil.commands",
        "teach a student of sonic-base that needs one branch and few steps: quality live",
    ),
    "landmarks": ("learn.mediapipe", "take the face finder's networks out of MediaPipe's files"),
    "voice": (
        "learn.voice",
        "take the networks that hear where somebody speaks, and who, out of other packages' files",
    ),
}
"""What can be learned: the module that does it, with a ``main``, and a text about it."""
_ABSENT = (
    "learn: the folder sonic_core/learn is not part of this installation, which only animates; clone the repository."
)
Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add_commands(command: Command) -> None:
    """Offer the command.

    Args:
        command: Adds a command by its name, what it runs and a text about it, and returns its parser.
    """
    learn = command("learn", run_task, "make weights anew")
    tasks = "; ".join(f"{name}: {text}" for name, (_, text) in TASKS.items())
    learn.add_argument("task", choices=tuple(TASKS), metavar="TASK", help=tasks)
    learn.add_argument(
        "arguments", nargs=argparse.REMAINDER, metavar="…", help="those of the task; TASK --help lists them"
    )


def run_task(options: argparse.Namespace) -> int:
    """Hand what follows the task's name to the task.

    Raises:
        SonicError: Learning was left out of this installation.
    """
    module, _ = TASKS[options.task]
    try:
        task = import_module(f"..{module}", __package__)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith(str(__package__).rpartition(".")[0]):
            raise SonicError(_ABSENT) from error
        raise
    return task.main(options.arguments)
