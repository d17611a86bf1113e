"""The participles by which the stages were called once, for one more release; each warns and says what to write."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

from ..clip import Clip
from ..types import Frames
from .align import Refinement, refine
from .retime import Interpolator, retime
from .smooth import SmoothReport, smooth


def refined(clip: Clip, **settings: Any) -> tuple[Clip, Refinement]:  # noqa: ANN401
    """Do what ``refine`` does."""
    _warn("refined(clip)", "refine(clip), which gives .clip and .report")
    made = refine(clip, **settings)
    return made.clip, made.report


def smoothed(clip: Clip, *, report: Callable[[SmoothReport], None] | None = None, **settings: Any) -> Clip:  # noqa: ANN401
    """Do what ``smooth`` does.

    Args:
        clip: Any clip.
        report: Called with what was done when the clip has been read to its end.
        **settings: Those of ``smooth``.
    """
    _warn("smoothed(clip)", "smooth(clip).clip")
    made = smooth(clip, **settings)
    if report is None or made.clip is clip:
        return made.clip

    def read() -> Iterator[Frames]:
        yield from made.clip.read()
        if made.report.done is not None:
            report(made.report.done)

    return replace(made.clip, read=read)


def at_rate(clip: Clip, fps: Fraction, interpolator: Interpolator | None = None) -> Clip:
    """Do what ``retime`` does."""
    _warn("at_rate(clip, fps)", "retime(clip, fps).clip")
    return retime(clip, fps, interpolator).clip


def _warn(old: str, new: str) -> None:
    warnings.warn(f"{old} goes with the next release; write {new}.", DeprecationWarning, stacklevel=3)
