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
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sonic_core.clip import open_clip
from sonic_core.faces.track import FaceTracker
from sonic_core.post.flow import as_gray, as_pixels, dense_flow
from sonic_core.post.interpolators.dis import DisInterpolator

REPEATED = 1e-3
"""Mean difference below which a frame repeats the one before."""
EVEN = 0.15
"""Distance from the middle of the motion up to which a frame counts as evenly moving."""


def psnr(one: torch.Tensor, other: torch.Tensor) -> float:
    """Return the peak signal-to-noise ratio in decibels."""
    return float(-10 * torch.log10((one - other).square().mean() + 1e-12))


def phase(first: torch.Tensor, middle: torch.Tensor, last: torch.Tensor) -> float:
    """Return where on the way from the first to the last frame the middle one is, 0 to 1."""
    grays = [as_gray(as_pixels(frame)) for frame in (first, middle, last)]
    whole, half = dense_flow(grays[0], grays[2]), dense_flow(grays[0], grays[1])
    return float((whole * half).sum() / max(float((whole * whole).sum()), 1e-6))


def measure(path: Path, pairs: int) -> None:
    """Print a clip's figures."""
    tracker, interpolator = FaceTracker(), DisInterpolator()
    frames: list[torch.Tensor] = []
    gains, even = [], []
    count = 0
    for frame in open_clip(path).frames():
        if frames and float((frame - frames[-1]).abs().mean()) < REPEATED:
            continue
        frames, count = [*frames[-2:], frame.clone()], count + 1
        if count < 3 or count % 2 == 0:
            continue
        if len(gains) == pairs:
            break
        first, middle, last = frames
        face = tracker.follow(middle)
        drawn, blend = interpolator.between(first, last, 0.5), (first + last) / 2
        parts = [(slice(None), slice(None))]
        if face is not None:
            left, top, right, bottom = (max(0, round(side)) for side in face.box)
            parts.append((slice(top, bottom), slice(left, right)))
        gain = [psnr(drawn[:, a, b], middle[:, a, b]) - psnr(blend[:, a, b], middle[:, a, b]) for a, b in parts]
        gains.append((*gain, *([float("nan")] * (2 - len(gain)))))
        even.append(abs(phase(first, middle, last) - 0.5) <= EVEN)
    report(path.stem, np.array(gains), np.array(even))


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
