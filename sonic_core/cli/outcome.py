"""What is said of a video that was made, by every command that makes one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .console import say

if TYPE_CHECKING:
    from ..pipeline import Result
    from ..sync.check import LipsCheck


def tell_made(made: Result, output: str, spent: float) -> dict[str, Any]:
    """Say how it went, and return it for JSON.

    Args:
        made: What came of the job.
        output: As it was asked for.
        spent: Seconds.
    """
    say(f"{made.model}: {made.seconds:.2f} s of video in {spent:.1f} s.")
    if made.lips is not None:
        say(made.lips.reason)
    return {
        "output": output,
        "model": made.model,
        "frames": made.clip.length,
        "fps": float(made.clip.fps),
        "seconds": made.seconds,
        "size": list(made.clip.size),
        "took_seconds": round(spent, 2),
        "lips": None if made.lips is None else _plain(made.lips),
    }


def _plain(lips: LipsCheck) -> dict[str, Any]:
    """Tell of lips and sound in JSON's words."""
    return {
        "speech_seconds": round(lips.speech, 2),
        "pauses": [[round(moment, 2) for moment in pause] for pause in lips.pauses],
        "closures": lips.closures,
        "movement": round(lips.movement, 3),
        "offset_seconds": None if lips.sync is None else round(lips.sync.offset, 4),
        "words": lips.reason,
    }
