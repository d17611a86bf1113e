"""Measure frames drawn by optical flow against plain blending: ``python benchmarks/interpolate.py VIDEO… [--pairs N]``.

Every other frame is dropped and restored, as from half the rate; per clip the gain in decibels over blending, mean and
worst, in the whole frame and in the face. Where a clip repeats frames, or shows them early or late because its rate was
once changed, nobody can know where between its neighbours a frame is; the figures of frames that lie within 0.15 of the
middle of their neighbours' motion are given beside those of all frames that are not repeated.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sonic_core.clip import open_clip
from sonic_core.evaluate.between import measure_between
from sonic_core.post.interpolators.dis import DisInterpolator


def measure(path: Path, pairs: int) -> None:
    """Print a clip's figures."""
    gains = list(measure_between(open_clip(path).frames(), DisInterpolator(), pairs))
    report(path.stem, np.array([(one.frame, one.face) for one in gains]), np.array([one.even for one in gains]))


def report(name: str, gains: np.ndarray, even: np.ndarray) -> None:
    """Print mean and worst gains of all frames and of those that move evenly."""
    for title, chosen in (("all", gains), ("even", gains[even])):
        if len(chosen):
            (whole, face), (least, least_face) = np.nanmean(chosen, 0), np.nanmin(chosen, 0)
            print(
                f"{name:24} {title:5} {len(chosen):4} frames  frame {whole:+.2f} dB (worst {least:+.2f})  "
                f"face {face:+.2f} dB (worst {least_face:+.2f})"
            )


def main() -> None:
    """Measure the clips of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--pairs", type=int, default=60, help="frames that are restored, from the beginning on")
    options = parser.parse_args()
    for path in options.videos:
        measure(path, options.pairs)


if __name__ == "__main__":
    main()
