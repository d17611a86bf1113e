"""How far each part of a mouth moves for a pose: curves measured on people who talk.

All lengths are in I, the distance between the eyes' centres; y is down. Six filmed clips gave the curves: head movement
was removed on eyes, nose bridge and forehead, each clip compared with its own shut frames, and the median taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....easing import smooth_rise
from .pose import Pose

WIDEST = 0.35
"""Gap in I beyond which the corners of a drawn mouth grow bumps; by eye on 13 portraits."""
CLOSABLE = 0.32
"""Own gap in I up to which a portrait's open mouth shuts without its lips being torn; by eye on open mouths:
.30 shuts, .42 does not."""
CLOSING = (0.32, 0.36, 0.44, 0.55), (0.32, 0.34, 0.36, 0.38)
"""Own gaps in I, and by how much mouths that gape so are closed; more tears their lips, and a mouth that hardly moves
was held for broken by who saw it. By eye on six portraits."""
PARTS = (
    "upper", "upper_rim", "lower", "lower_rim", "upper_round", "lower_round", "chin", "tip", "corner", "width", "round",
    "press", "tuck", "close",
)  # fmt: skip
"""What can move, each with its own field: the lips' inner edges and outer rims (down counts), the inner edges' opening
taken from the sides to the middle, the chin's pad and its tip, the corners, and the lips' shapes."""

_GAPS = (0.0, 0.08, 0.13, 0.19, 0.28, 0.39)
_UPPER = (0.0, 0.038, 0.053, 0.070, 0.076, 0.077)
_UPPER_RIM = (0.0, 0.030, 0.040, 0.043, 0.044, 0.042)
_RIM_MORE = (0.0, 0.002, 0.003, 0.005, -0.005, -0.032)  # the lower lip's outer rim beyond its inner edge
_CHIN = (0.0, 0.015, 0.040, 0.065, 0.133, 0.200)
_TIP = (0.0, 0.004, 0.020, 0.050, 0.114, 0.179)
_CORNER = (0.0, -0.006, 0.0, -0.003, 0.012, 0.047)
_JAW_SHARE, _JAW_GAP = 0.4, 0.30  # how much of the chin's way ``jaw`` decides instead of the gap; the gap of a full jaw
_TRIMMED = 0.05  # I of gap over which the dark seam leaves the lips
_SHOWN = 0.08  # I of gap over which raising the upper or lowering the lower lip takes effect: shut lips stay shut
_RAISED, _DRAWN = 0.025, 0.020  # I by which a raised upper, a drawn lower lip shifts the opening up, down
_TUCK_GAP, _TUCK_RAISED = 0.048, 0.005  # I of teeth that f and v show, whatever the gap; of the upper lip's raising
_TUCK_FULL = 0.6  # how much of a tuck it takes for that: then the lower lip meets the upper teeth
_SMILED, _RAISED_CORNERS, _DROPPED = 0.16, 0.05, 0.075  # I: a smile's mouth wider, its corners up; in sadness down
_NARROWED, _TIGHTENED = 0.05, 0.5  # I that an angry or surprised mouth is narrower; of ``press``, an angry one's
_SURPRISED, _OPENED_FULL = 0.09, 0.03  # I that surprise opens a mouth; opened so far, it is not the portrait's own
_ROUND_CALM = 0.5  # of its way up is what an upper lip leaves to the lower one where both are rounded: no tent
_ROUND_KEPT = 0.6  # of a smile's width is what rounding takes away
_WIDTHS = 0.2  # I of width that speech and a smile have together at most
_RIM_SHIFT = 0.75  # share of a shift of the opening that the lips' outer rims follow


@dataclass(frozen=True)
class Limits:
    """How far one portrait's mouth may go."""

    widest: float = WIDEST
    """Gap in I that it is opened to at most."""
    least: float = 0.0
    """Gap in I that it is shut to at least: more than 0 where it gapes in the portrait."""
    shaped: float = 1.0
    """Share of a change of width and of rounding that it follows."""


@dataclass(frozen=True)
class Amounts:
    """A pose as amounts of every part's field."""

    parts: NDArray[np.float32]
    """One for each of ``PARTS``; all zero leaves the portrait as it is."""
    gap: float
    """Distance of the lips in the middle in I."""
    trim: float
    """0 … 1: how far the dark seam has left the lips."""
    tuck: float
    """0 … 1: how much of the lower lip is behind the upper teeth."""
    own: float
    """0 … 1: how much the portrait's own mouth is back."""
    rounding: float
    """0 … 1: how far the lips are pushed forward."""


def measure_amounts(pose: Pose, own_gap: float, seam: float, limits: Limits) -> Amounts:
    """Turn a pose into amounts.

    Args:
        pose: The pose.
        own_gap: The portrait's own gap in I, 0 for shut lips.
        seam: Thickness in I of the dark seam between shut lips, 0 for an open mouth.
        limits: How far this mouth may go.
    """
    live = 1 - _unit(pose.rest)
    tuck, drawn = live * _unit(-pose.lower), live * _unit(pose.lower)
    asked = float(np.clip(pose.gap, 0, limits.widest))
    asked += (_TUCK_GAP - asked) * float(smooth_rise(tuck / _TUCK_FULL))
    asked = limits.least + asked * (1 - limits.least / max(limits.widest, own_gap))
    gap = live * asked + (1 - live) * own_gap
    opened, wider_by, lower_by, pressed = _expressed(pose, live, gap, limits)
    gap += opened
    trim = _unit(gap / _TRIMMED)
    own = (1 - live) * (1 - float(smooth_rise(opened / _OPENED_FULL)))
    rounding = live * limits.shaped * _unit(pose.rounding)
    shift = live * float(smooth_rise(gap / _SHOWN)) * (_RAISED * float(np.clip(pose.upper, -1, 1)) - _DRAWN * drawn)
    shift += _TUCK_RAISED * tuck
    wider = max(gap, own_gap)
    raised = 1 - _ROUND_CALM * rounding
    upper = raised * (_read(wider, _UPPER) - _read(own_gap, _UPPER)) + shift
    lower = wider - own_gap - upper - seam * trim
    low_rim = lower + shift * (1 - _RIM_SHIFT) + _read(wider, _RIM_MORE) - _read(own_gap, _RIM_MORE) + seam * trim / 2
    jaw = live * ((1 - _JAW_SHARE) * asked + _JAW_SHARE * _JAW_GAP * _unit(pose.jaw)) + (1 - live) * own_gap + opened
    parts = {
        "upper": -upper,
        "upper_rim": -(raised * (_read(wider, _UPPER_RIM) - _read(own_gap, _UPPER_RIM)) + _RIM_SHIFT * shift),
        "lower": lower,
        "lower_rim": low_rim,
        "upper_round": -upper * rounding,
        "lower_round": lower * rounding,
        "chin": _read(jaw, _CHIN) - _read(own_gap, _CHIN),
        "tip": _read(jaw, _TIP) - _read(own_gap, _TIP),
        "corner": _read(wider, _CORNER) - _read(own_gap, _CORNER) + lower_by,
        "width": live * limits.shaped * float(pose.width) + wider_by,
        "round": rounding,
        "press": max(live * _unit(pose.closure), pressed),
        "tuck": tuck,
        "close": 1 - gap / own_gap if gap < own_gap else 0.0,
    }
    return Amounts(np.array([parts[name] for name in PARTS], np.float32), gap, trim, tuck, own, rounding)


def _expressed(pose: Pose, live: float, gap: float, limits: Limits) -> tuple[float, float, float, float]:
    """Tell what an expression does to a mouth: opens it, widens it, lowers its corners, in I, and presses the lips."""
    smile, sad, surprise, anger = (_unit(one) for one in (pose.smile, pose.sad, pose.surprise, pose.anger))
    if not (smile or sad or surprise or anger):
        return 0.0, 0.0, 0.0, 0.0
    shut = max(_unit(pose.closure), _unit(-pose.lower / _TUCK_FULL)) * live
    opened = _SURPRISED * surprise * (1 - shut) * max(1 - gap / limits.widest, 0.0)
    freely = limits.shaped * (1 - _ROUND_KEPT * live * _unit(pose.rounding))
    wider = freely * (_SMILED * smile - _NARROWED * max(anger, surprise))
    most = limits.shaped * _WIDTHS
    told = live * limits.shaped * float(pose.width)
    wider = float(np.clip(told + wider, min(-most, told), max(most, told))) - told
    lower = freely * (_DROPPED * sad - _RAISED_CORNERS * smile)
    return opened, wider, lower, _TIGHTENED * anger * (1 - _unit(gap / _SHOWN))


def _read(gap: float, curve: tuple[float, ...]) -> float:
    """Read a measured curve at a gap."""
    return float(np.interp(gap, _GAPS, curve))


def _unit(value: float) -> float:
    """Cut a number to 0 … 1."""
    return min(max(float(value), 0.0), 1.0)
