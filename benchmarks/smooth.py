"""Measure what smoothing takes and what it leaves: ``python benchmarks/smooth.py VIDEO… [--frames N] [--method M]``.

Frames are shaken by white sub-pixel translations (σ 0.7 pixels) and made to flicker by white gains (σ 2 %); then it is
measured how much of the energy of both is gone: against the clean clip, against the clean clip smoothed as well (which
leaves out that a clip's own uneven motion is smoothed), and above half of the frame rate's band, where shake is seen.
Beside it: sharpness (mean gradient), what smoothing does to the clean clip, and the processor's time per frame. With
``--tracker PYTHON``, an interpreter that has mediapipe, the opening of the lips is tracked before and after.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sonic_core.clip import Clip, open_clip
from sonic_core.faces.track import FaceTracker
from sonic_core.post.flow import as_pixels
from sonic_core.post.smooth import METHODS, smooth
from sonic_core.types import Face, Frames

SHAKE, FLICKER = 0.7, 0.02
TRACKING = """
import sys
import mediapipe, numpy as np
mesh = mediapipe.solutions.face_mesh.FaceMesh(max_num_faces=1, refine_landmarks=True, min_detection_confidence=0.3)
found = []
for pixels in np.load(sys.argv[1] + "/frames.npy", mmap_mode="r"):
    faces = mesh.process(np.ascontiguousarray(pixels)).multi_face_landmarks
    if not faces:
        found.append(np.nan)
        continue
    marks = np.array([(mark.x * pixels.shape[1], mark.y * pixels.shape[0]) for mark in faces[0].landmark])
    eyes = marks[[33, 133]].mean(0) - marks[[263, 362]].mean(0)
    found.append(np.linalg.norm(marks[13] - marks[14]) / np.linalg.norm(eyes))
np.save(sys.argv[1] + "/lips.npy", found)
"""
LARGEST = 1280
"""Longer side to which larger clips are shrunk."""


class KnownFace:
    """A finder that was asked before the clock ran."""

    name = "known"

    def __init__(self, faces: list[Face]) -> None:
        self.faces = faces

    def find(self, image: torch.Tensor) -> list[Face]:
        """Return the faces of the first frame."""
        return self.faces


def shortened(clip: Clip, frames: int) -> Clip:
    """Keep the first frames, shrunk to what is measured."""
    factor = min(1.0, LARGEST / max(clip.size))
    height, width = (round(side * factor) for side in clip.size)

    def read() -> Iterator[Frames]:
        for number, frame in enumerate(clip.frames()):
            if number == frames:
                return
            small = cv2.resize(as_pixels(frame), (width, height), interpolation=cv2.INTER_AREA)
            yield torch.from_numpy(small).permute(2, 0, 1).contiguous()[None]

    return replace(clip, read=read, length=min(frames, clip.length), size=(height, width))


def shaken(clip: Clip) -> Clip:
    """Add shake and flicker."""

    def read() -> Iterator[Frames]:
        chance = np.random.default_rng(0)
        for frame in clip.frames():
            right, down = SHAKE * chance.standard_normal(2)
            matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
            pixels = cv2.warpAffine(
                as_pixels(frame), matrix, clip.size[::-1], flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT_101
            )
            lit = np.clip(pixels * (1 + FLICKER * chance.standard_normal()), 0, 1).astype(np.float32)
            yield torch.from_numpy(lit).permute(2, 0, 1).contiguous()[None]

    return replace(clip, read=read)


def displacement(one: torch.Tensor, other: torch.Tensor) -> np.ndarray:
    """Register two frames: (2,) pixels."""
    halves = [
        cv2.resize(frame.mean(0).numpy(), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for frame in (one, other)
    ]
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-5)
    begin = np.eye(2, 3, dtype=np.float32)
    try:
        return 2 * cv2.findTransformECC(halves[0], halves[1], begin, cv2.MOTION_TRANSLATION, criteria, None, 3)[1][:, 2]  # type: ignore[call-overload]
    except cv2.error:  # it did not converge
        return np.zeros(2)


def light(frame: torch.Tensor) -> float:
    """Return a frame's mean, without its edges."""
    return float(frame[:, 8:-8, 8:-8].mean())


def slope(frame: torch.Tensor) -> float:
    """Return the mean gradient of luma."""
    luma = frame.mean(0)
    return float(luma.diff(dim=0).abs().mean() + luma.diff(dim=1).abs().mean())


def gone(before: np.ndarray, after: np.ndarray) -> str:
    """Say which share of the energy is gone, of all and of its fourth differences."""
    shares = [
        1 - np.square(b).sum() / np.square(a).sum()
        for a, b in ((before, after), (np.diff(before, 4, 0), np.diff(after, 4, 0)))
    ]
    return f"{shares[0]:.0%} ({shares[1]:.0%} of the quick part)"


def measure(path: Path, frames: int, method: str, tracker: str | None) -> None:
    """Print a clip's figures."""
    clean = shortened(open_clip(path), frames)
    first = next(clean.frames())
    face = FaceTracker().follow(first)
    finder = KnownFace([] if face is None else [face])
    bad = shaken(clean)
    mended, kept = (smooth(one, method=method, finder=finder) for one in (bad, clean))
    clips = [clean, bad, mended.clip, kept.clip]
    moves: list[list[np.ndarray]] = []
    lights, slopes, errors = [], [], []
    for true, ill, cured, spared in zip(*(clip.frames() for clip in clips), strict=True):
        moves.append([displacement(one, other) for one, other in ((true, ill), (true, cured), (spared, cured))])
        lights.append([light(one) for one in (true, ill, cured, spared)])
        slopes.append([slope(one) for one in (true, ill, cured)])
        errors.append(float((true - spared).square().mean()))
    shift, (true, ill, cured, spared), sharp = (
        np.array(moves).transpose(1, 0, 2),
        np.array(lights).T,
        np.mean(slopes, 0),
    )
    print(f"{path.stem}: {len(errors)} frames of {clean.size[1]}×{clean.size[0]}")
    print(f"  shaken: {mended.report.reason}\n  clean: {kept.report.reason}")
    print(f"  shake gone against clean {gone(shift[0], shift[1])}, against smoothed clean {gone(shift[0], shift[2])}")
    flicker, left, left_of_smoothed = ill / true - 1, cured / true - 1, cured / spared - 1
    print(f"  flicker gone against clean {gone(flicker, left)}, against smoothed {gone(flicker, left_of_smoothed)}")
    print(f"  sharpness kept {sharp[2] / sharp[1]:.1%} of the shaken, {sharp[2] / sharp[0]:.1%} of the clean clip's")
    worst, low = np.percentile(-10 * np.log10(np.maximum(errors, 1e-10)), [0, 5])
    whole = -10 * np.log10(max(float(np.mean(errors)), 1e-10))
    print(f"  clean clip's change: PSNR {whole:.1f} dB over all, worst frame {worst:.1f}, worst twentieth {low:.1f}")
    speed(bad, method, finder)
    if tracker:
        lips(clips, tracker)


def speed(clip: Clip, method: str, finder: KnownFace) -> None:
    """Print the time per frame, of frames that are in memory."""
    held = torch.cat(list(clip.read()))[:60]
    clip = replace(clip, read=lambda: iter(held.split(4)), length=len(held))
    begin, used = time.perf_counter(), time.process_time()
    for _ in smooth(clip, method=method, finder=finder).clip.frames():
        pass
    passed, used = time.perf_counter() - begin, time.process_time() - used
    print(f"  {1000 * used / len(held):.1f} ms of processor per frame, {len(held) / passed:.0f} frames per second")


def lips(clips: list[Clip], python: str) -> None:
    """Print how far the lips open and when, by MediaPipe's face mesh."""
    true, _, cured, spared = (aperture(clip, python) for clip in clips)
    for name, one in (("shaken and smoothed", cured), ("smoothed", spared)):
        known = ~(np.isnan(true) | np.isnan(one))
        ours, theirs = one[known], true[known]
        kept = np.subtract(*np.percentile(ours, [95, 5])) / np.subtract(*np.percentile(theirs, [95, 5]))
        fine = np.linspace(-3, 3, 601)
        number = np.arange(len(ours))
        match = [np.corrcoef(np.interp(number + lag, number, ours)[4:-4], theirs[4:-4])[0, 1] for lag in fine]
        lag = 1000 * float(fine[int(np.argmax(match))] / clips[0].fps)
        print(f"  lips, {name}: range kept {kept:.1%}, lag {lag:+.1f} ms, correlation {max(match):.4f}")


def aperture(clip: Clip, python: str) -> np.ndarray:
    """Track the gap between the inner lips in eye distances, (n,)."""
    frames = (torch.cat(list(clip.read())).permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "frames.npy"), frames)
        subprocess.run([python, "-c", TRACKING, folder], check=True, capture_output=True)
        return np.load(Path(folder, "lips.npy"))


def main() -> None:
    """Measure the clips of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--method", choices=METHODS, default="flow")
    parser.add_argument("--tracker", metavar="PYTHON", help="an interpreter that has mediapipe, to track the lips")
    options = parser.parse_args()
    for path in options.videos:
        measure(path, options.frames, options.method, options.tracker)


if __name__ == "__main__":
    main()
