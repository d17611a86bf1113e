"""What a tracker that is not the project's own sees in talking clips.

    PYTHON_WITH_DLIB benchmarks/judge.py DIR_OR_CLIP… [--json OUT.json] [--seconds 20]

Needs dlib (``dlib-bin``), its 68 points (``face_recognition_models``), OpenCV, SciPy and PyAV in the Python that runs
it; the project itself never uses dlib. A clip that ``portraits.py --clips`` wrote has ``NAME.npz`` beside it: what was
asked of each frame, and how much each pixel ever changed. Any other clip, such as one of a real person, is only
looked at; where ``NAME.lips.npz`` holds the lips' aperture by another tracker, r tells how well two trackers agree.

What is measured is ``sonic_core.evaluate.landmarks68``'s.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.judge_parts.tables import print_goals, print_head, print_line  # noqa: E402
from benchmarks.judge_parts.tracker import Tracker, read_frames  # noqa: E402
from sonic_core.evaluate.landmarks68.measures import Asked, measure_points  # noqa: E402

CLEAR, WEAKER = -0.3, 0.5
"""Detection score from which a face counts as found, 0 being dlib's own threshold for a face anywhere (here it also has
to lie where it lay in the frame before); and how much lower than the still portrait's it may be where that is less:
drawings and turned faces are measured by themselves."""


def asked_of(file: Path) -> Asked:
    """Read what was asked for; for a real clip the gap that another tracker saw."""
    lips = file.with_suffix(".lips.npz")
    if file.with_suffix(".npz").exists():
        with np.load(file.with_suffix(".npz")) as known:
            return Asked(*(known[name] for name in ("gap", "blink", "changed")))
    return Asked(np.load(lips)["aperture"]) if lips.exists() else Asked()


def judge(file: Path, seconds: float, tracker: Tracker) -> dict[str, Any]:
    """Measure one clip."""
    frames, rate = read_frames(file, seconds)
    scores, points = tracker.track(frames)
    own = portrait_score(file.with_suffix(".portrait.png"), tracker)
    found = scores >= min(CLEAR, own - WEAKER)
    figures: dict[str, Any] = {
        "clip": file.stem, "real": not file.with_suffix(".npz").exists(), "frames": len(frames), "rate": rate,
        "tracked": float(found.mean()), "worst_score": float(scores.min()),
        "portrait_score": None if np.isinf(own) else own,
    }  # fmt: skip
    points[~found] = np.nan
    return figures | measure_points(frames, points, rate, asked_of(file))


def portrait_score(file: Path, tracker: Tracker) -> float:
    """Say how clearly the face is found in the still portrait; infinite where there is none to look at."""
    if not file.exists():
        return np.inf
    return float(tracker.find(cv2.cvtColor(np.asarray(cv2.imread(str(file))), cv2.COLOR_BGR2RGB), None)[0])


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
