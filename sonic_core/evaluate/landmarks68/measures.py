"""What lips, head, brows, lids and gaze do in a clip, from the 68 landmarks of each frame.

Lengths are in I, the distance between the eyes' middles in space; brightness is luma over the skin's; angles are
degrees, and movements standard deviations after calming.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..statistics import CALM, RANGE, Curve, best_lag, correlations, count_blinks, spread, usual
from .frame import eye_opening, iris_place, lip_gap, mouth_inside
from .head import angles, brow_height, fit_head

OPEN = 0.1
"""Gap in I from which the mouth's inside is looked at."""
AWAKE = 0.8
"""Share of its own usual height from which an eye counts as open."""
BLINKING = 0.02
"""Asked blink, 0 to 1, from which a frame says nothing of the gaze: what a tracker makes of such lids is no eye."""
DEGREE = 0.0033
"""I by which an iris wanders a degree (an eyeball of 12 mm, eyes 63 mm apart)."""
LATEST = 3
"""Frames by which lips may come early or late."""
SHUT_GAP = 0.01
"""Gap in I below which lips are asked to be shut."""
CHANGED = 2
"""Steps of 1/255 from which on a pixel counts as changed."""
RIM = 2
"""Pixels at the edge of a picture that should stay."""

Figures = dict[str, float]


@dataclass(frozen=True, eq=False)
class Asked:
    """What a clip was asked to show, frame by frame; None where nobody knows."""

    gap: Curve | None = None
    """(n,) gap between the lips, in I or in any other unit."""
    blink: Curve | None = None
    """(n,) how far the lids are shut, 0 to 1."""
    changed: NDArray[np.uint8] | None = None
    """(h, w) by how much each pixel ever differed from the portrait, in 1/255."""


def measure_points(
    frames: Sequence[NDArray[np.uint8]], points: NDArray[np.float64], rate: float, asked: Asked | None = None
) -> Figures:
    """Measure a clip by the landmarks that a tracker read.

    Args:
        frames: (h, w, 3) RGB bytes each.
        points: (n, 68, 2) pixels, not numbers where no face was found.
        rate: Frames per second.
        asked: What should be seen.

    Returns:
        By name: ``yaw``, ``pitch``, ``roll``, ``sway``, ``brows``, ``widest``, ``gaze``, ``blinks``,
        ``blinks_a_minute``, ``shut``, ``open_frames``, ``inside``, ``black``; ``r``, ``best_r``, ``lag``, ``reach`` and
        ``shut_gap`` where a gap was asked for; ``corners`` and ``rim`` where it is known what changed. Without a face
        in ``CALM`` frames only the last two.
    """
    asked, figures = asked or Asked(), {}
    if np.isfinite(points[:, 0, 0]).sum() >= CALM:
        heads = fit_head(points)
        gap = lip_gap(points) / heads[:, 3]
        figures |= measure_movement(heads, points, gap)
        figures |= measure_eyes(frames, points, heads[:, 3], rate, asked.blink)
        figures |= look_inside(frames, points, gap)
        figures |= {} if asked.gap is None else compare_gaps(gap, asked.gap)
    return figures | ({} if asked.changed is None else count_changed(asked.changed))


def measure_movement(heads: Curve, points: NDArray[np.float64], gap: Curve) -> Figures:
    """Say how much head, brows and lips move: ``widest`` is the gap's 95th percentile.

    Args:
        heads: (n, 6) as of ``fit_head``.
        points: (n, 68, 2).
        gap: (n,) in I.
    """
    turned, scale = angles(heads), usual(heads[:, 3])
    brows = np.array([brow_height(head, lies) for head, lies in zip(heads, points, strict=True)])
    figures = {name: _spread(turned[:, axis]) for axis, name in enumerate(("yaw", "pitch", "roll"))}
    figures["sway"] = float(np.hypot(_spread(heads[:, 4] / scale), _spread(heads[:, 5] / scale)))
    return figures | {"brows": _spread(brows), "widest": float(np.nanpercentile(gap, RANGE[1]))}


def measure_eyes(
    frames: Sequence[NDArray[np.uint8]],
    points: NDArray[np.float64],
    scale: Curve,
    rate: float,
    blink: Curve | None = None,
) -> Figures:
    """Say how much the eyes wander while they are open, how often they shut, and to which share of their height.

    Args:
        frames: (h, w, 3) RGB bytes each.
        points: (n, 68, 2).
        scale: (n,) pixels for I.
        rate: Frames per second.
        blink: (n,) how far the lids were asked to be shut.
    """
    lids = eye_opening(points)
    awake = lids > AWAKE * usual(lids)
    if blink is not None:
        awake &= blink[: len(awake)] < BLINKING
    gaze = [iris_place(frames[i], points[i], scale[i]) if awake[i] else np.nan for i in range(len(lids))]
    count = count_blinks(lids)
    return {
        "gaze": _spread(np.array(gaze)) / DEGREE, "blinks": count, "blinks_a_minute": 60 * count * rate / len(lids),
        "shut": float(np.nanmin(lids) / usual(lids)),
    }  # fmt: skip


def look_inside(frames: Sequence[NDArray[np.uint8]], points: NDArray[np.float64], gap: Curve) -> Figures:
    """Look into the open mouth: mean over its frames of the median brightness and of the share near black."""
    looked = np.array([mouth_inside(frames[i], points[i]) for i in np.flatnonzero(gap > OPEN).tolist()]).reshape(-1, 2)
    known = looked[np.isfinite(looked).all(1)]
    inside, black = known.mean(0) if len(known) else (np.nan, np.nan)
    return {"open_frames": len(looked), "inside": float(inside), "black": float(black)}


def compare_gaps(gap: Curve, asked: Curve) -> Figures:
    """Compare the gap that is seen (n,), not a number where no face is, with the one that was asked for (m,).

    Returns:
        ``r`` at once, ``best_r`` at the ``lag`` in frames at which they are most alike (positive: seen late),
        ``reach``: the seen range over the asked one, and ``shut_gap``: the mean gap where none is asked for.
    """
    count = min(len(gap), len(asked))
    gap, asked = gap[:count], asked[:count]
    found = correlations(asked, gap, LATEST)
    lag = best_lag(found)
    low, high = np.ptp(np.nanpercentile(asked, RANGE)), np.ptp(np.nanpercentile(gap, RANGE))
    shut = (asked < SHUT_GAP) & np.isfinite(gap)
    return {
        "r": found[0], "best_r": found[lag], "lag": lag, "reach": float(high / max(low, 1e-6)),
        "shut_gap": float(gap[shut].mean()) if shut.any() else float("nan"),
    }  # fmt: skip


def count_changed(changed: NDArray[np.uint8]) -> Figures:
    """Count what ever changed: share of the two upper corners (an eighth of the width), and of the outermost pixels.

    Args:
        changed: (h, w) in 1/255.
    """
    moved, side = changed > CHANGED, changed.shape[1] // 8
    rim = np.ones_like(moved)
    rim[RIM:-RIM, RIM:-RIM] = False
    return {
        "corners": float(np.hstack([moved[:side, :side], moved[:side, -side:]]).mean()),
        "rim": float(moved[rim].mean()),
    }


def _spread(curve: Curve) -> float:
    found = spread(curve)
    return float("nan") if found is None else found
