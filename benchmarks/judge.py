"""What a tracker that is not the project's own sees in talking clips.

    PYTHON_WITH_DLIB benchmarks/judge.py DIR_OR_CLIP… [--json OUT.json] [--seconds 20]

Needs dlib (``dlib-bin``), its 68 points (``face_recognition_models``), OpenCV, SciPy and PyAV in the Python that runs
it; the project itself never uses dlib. A clip that ``portraits.py --clips`` wrote has ``NAME.npz`` beside it: what was
asked of each frame, and how much each pixel ever changed. Any other clip, such as one of a real person, is only
looked at; where ``NAME.lips.npz`` holds the lips' aperture by another tracker, r tells how well two trackers agree.

Lengths are in I, the distance between the eyes' middles in 3-D; brightness is luma over the skin's; angles are degrees.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.signal import medfilt, savgol_filter

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.judge_parts.frame import eye_opening, iris_place, lip_gap, mouth_inside  # noqa: E402
from benchmarks.judge_parts.head import angles, brow_height, fit_head  # noqa: E402
from benchmarks.judge_parts.tables import print_goals, print_head, print_line  # noqa: E402
from benchmarks.judge_parts.tracker import CALM, Tracker, read_frames  # noqa: E402

SPIKE = 5
"""Frames of the median filter before that: points that leap for a frame or two are no movement."""
CLEAR, WEAKER = -0.3, 0.5
"""Detection score from which a face counts as found, 0 being dlib's own threshold for a face anywhere (here it also has
to lie where it lay in the frame before); and how much lower than the still portrait's it may be where that is less:
drawings and turned faces are measured by themselves."""
OPEN = 0.1
"""Gap in I from which the mouth's inside is looked at."""
AWAKE = 0.8
"""Share of its own usual height from which an eye counts as open."""
BLINKING = 0.02
"""Asked blink from which a frame says nothing of the gaze: what the tracker makes of lids in between is no eye."""
SHUT = 0.65
"""Share of its own usual height below which an eye counts as shut."""
DEGREE = 0.0033
"""I by which an iris wanders a degree (an eyeball of 12 mm, eyes 63 mm apart)."""


def spread(curve: np.ndarray) -> float:
    """Standard deviation of a curve (n,) after calming."""
    curve = curve[np.isfinite(curve)]
    return (
        float(np.std(np.asarray(savgol_filter(medfilt(curve, SPIKE), CALM, 2)))) if len(curve) >= CALM else float("nan")
    )


def count_blinks(opening: np.ndarray) -> tuple[int, float]:
    """Count how often the eyes shut, and say how far they do at the deepest, as a share of their usual height."""
    usual = np.nanmedian(opening)
    shut = np.concatenate([[False], opening < SHUT * usual])
    return int((np.diff(shut.astype(int)) == 1).sum()), float(np.nanmin(opening) / usual)


def correlations(seen: np.ndarray, asked: np.ndarray) -> dict[int, float]:
    """Correlate two curves (n,) at lags of −3 … 3 frames; positive: what is seen comes late; gaps are left out."""
    count = len(seen)
    rs = {}
    for lag in range(-3, 4):
        one, other = seen[max(0, lag) : count + min(0, lag)], asked[max(0, -lag) : count - max(0, lag)]
        both = np.isfinite(one)
        rs[lag] = float(np.corrcoef(one[both], other[both])[0, 1]) if both.sum() > CALM else float("nan")
    return rs


def asked_of(file: Path) -> dict[str, np.ndarray]:
    """Read what was asked for: ``gap`` in I, ``blink``, how much each pixel ``changed``; for a real clip the gap."""
    if file.with_suffix(".npz").exists():
        return dict(np.load(file.with_suffix(".npz")))
    lips = file.with_suffix(".lips.npz")
    return {"gap": np.load(lips)["aperture"]} if lips.exists() else {}


def against_asked(gap: np.ndarray, asked: np.ndarray | None) -> dict[str, float]:
    """Compare the gap that is seen (n,) with the one that was asked for."""
    if asked is None:
        return {}
    count = min(len(gap), len(asked))
    gap, asked = gap[:count], asked[:count]
    lags = correlations(gap, asked)
    best = max(lags, key=lambda lag: -2 if np.isnan(lags[lag]) else lags[lag])
    ranges = [np.ptp(np.nanpercentile(curve, [5, 95])) for curve in (gap, asked)]
    shut = (asked < 0.01) & np.isfinite(gap)
    return {
        "r": lags[0], "best_r": lags[best], "lag": best, "reach": float(ranges[0] / max(ranges[1], 1e-6)),
        "shut_gap": float(gap[shut].mean()) if shut.any() else float("nan"),
    }  # fmt: skip


def corners(changed: np.ndarray | None) -> dict[str, float]:
    """Count what ever changed by more than 2/255: share of the two upper corners, and of the outermost 2 pixels."""
    if changed is None:
        return {}
    moved, side = changed > 2, changed.shape[1] // 8
    rim = np.ones_like(moved)
    rim[2:-2, 2:-2] = False
    return {
        "corners": float(np.hstack([moved[:side, :side], moved[:side, -side:]]).mean()),
        "rim": float(moved[rim].mean()),
    }


def judge(file: Path, seconds: float, tracker: Tracker) -> dict[str, Any]:
    """Measure one clip."""
    frames, rate = read_frames(file, seconds)
    scores, points = tracker.track(frames)
    asked = asked_of(file)
    own = portrait_score(file.with_suffix(".portrait.png"), tracker)
    found = scores >= min(CLEAR, own - WEAKER)
    figures: dict[str, Any] = {
        "clip": file.stem, "real": not file.with_suffix(".npz").exists(), "frames": len(frames), "rate": rate,
        "tracked": float(found.mean()), "worst_score": float(scores.min()),
        "portrait_score": None if np.isinf(own) else own,
    }  # fmt: skip
    points[~found] = np.nan
    if found.sum() >= CALM:
        heads = fit_head(points)
        gap = lip_gap(points) / heads[:, 3]
        figures |= movement(heads, points, gap) | eyes(frames, points, heads[:, 3], rate, asked.get("blink"))
        figures |= openings(frames, points, gap) | against_asked(gap, asked.get("gap"))
    return figures | corners(asked.get("changed"))


def portrait_score(file: Path, tracker: Tracker) -> float:
    """Say how clearly the face is found in the still portrait; infinite where there is none to look at."""
    if not file.exists():
        return np.inf
    return float(tracker.find(cv2.cvtColor(np.asarray(cv2.imread(str(file))), cv2.COLOR_BGR2RGB), None)[0])


def movement(heads: np.ndarray, points: np.ndarray, gap: np.ndarray) -> dict[str, float]:
    """Say how much head, brows and lips move."""
    turned, scale = angles(heads), float(np.nanmedian(heads[:, 3]))
    brows = np.array([brow_height(head, lies) for head, lies in zip(heads, points, strict=True)])
    figures = {name: spread(turned[:, axis]) for axis, name in enumerate(("yaw", "pitch", "roll"))}
    figures["sway"] = float(np.hypot(spread(heads[:, 4] / scale), spread(heads[:, 5] / scale)))
    return figures | {"brows": spread(brows), "widest": float(np.nanpercentile(gap, 95))}


def eyes(
    frames: list[np.ndarray], points: np.ndarray, scale: np.ndarray, rate: float, blink: np.ndarray | None
) -> dict[str, float]:
    """Say how much the eyes wander while they are open, and how often and how far they shut."""
    lids = eye_opening(points)
    awake = lids > AWAKE * np.nanmedian(lids)
    if blink is not None:
        awake &= blink[: len(awake)] < BLINKING
    gaze = [iris_place(frames[i], points[i], scale[i]) if awake[i] else np.nan for i in range(len(frames))]
    count, depth = count_blinks(lids)
    return {
        "gaze": spread(np.array(gaze)) / DEGREE, "blinks": count, "blinks_a_minute": 60 * count * rate / len(frames),
        "shut": depth,
    }  # fmt: skip


def openings(frames: list[np.ndarray], points: np.ndarray, gap: np.ndarray) -> dict[str, float]:
    """Look into the open mouth: mean over its frames of the median brightness and of the share near black."""
    looked = np.array([mouth_inside(frames[i], points[i]) for i in np.flatnonzero(gap > OPEN)]).reshape(-1, 2)
    inside, black = np.nanmean(looked, 0) if len(looked) else (np.nan, np.nan)
    return {"open_frames": len(looked), "inside": float(inside), "black": float(black)}


def main() -> None:
    """Judge every clip that is named or lies in a folder that is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--seconds", type=float, default=20.0, help="look at no more than this of each clip")
    asked = parser.parse_args()
    tracker, rows = Tracker(), []
    print_head()
    for clip in asked.clips:
        for file in sorted(clip.glob("*.mp4")) if clip.is_dir() else [clip]:
            rows.append(judge(file, asked.seconds, tracker))
            print_line(rows[-1])
    print_goals(rows)
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
