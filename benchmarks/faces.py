"""Measure how well and how fast faces are found and read: ``python benchmarks/faces.py LABELS.json ...``.

The labels are tables of picture names beside the files, each with ``faces``, and where there is one ``eye_right`` and
``eye_left`` (the left-in-picture eye first), ``mouth_left`` and ``mouth_right`` in pixels, by another tracker than the
one that is measured. Errors are in eye distances. Pictures that ``--leave`` names, because their labels are known to be
off, are looked at but not counted. ``--boxes`` also reads each face from boxes a third too large, small and beside it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sonic_core.faces import face_finder, quality_warnings, read_landmarks
from sonic_core.media.image import read_image
from sonic_core.types import Box, Face

KEYS = ("eye_right", "eye_left", "mouth_left", "mouth_right")
NEAR = 0.1
"""Error, in eye distances, up to which a face counts as read."""
BOXES = ((1.3, 0.0, 0.0), (0.7, 0.0, 0.0), (1.0, 0.3, 0.0), (1.0, -0.3, 0.0), (1.0, 0.0, 0.3), (1.0, 0.0, -0.3))
"""Size, and shifts to the right and down in sides of the box."""


def measure(face: Face, label: dict[str, list[float]]) -> tuple[float, float, float]:
    """Compute the errors of eyes, mouth corners and the mouth's middle, in eye distances."""
    found, true = np.array(face.points)[[0, 1, 3, 4]], np.array([label[key] for key in KEYS])
    off = np.hypot(*(found - true).T) / np.hypot(*(true[1] - true[0]))
    middle = np.hypot(*(found[2:].mean(0) - true[2:].mean(0))) / np.hypot(*(true[1] - true[0]))
    return float(off[:2].max()), float(off[2:].mean()), float(middle)


def loosened(box: Box) -> list[Box]:
    """Return boxes that are a third off."""
    left, top, right, bottom = box
    x, y, width, height = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
    found = []
    for size, across, down in BOXES:
        a, b, w, h = x + across * width, y + down * height, size * width / 2, size * height / 2
        found.append((a - w, b - h, a + w, b + h))
    return found


def worst_of_boxes(image: torch.Tensor, face: Face) -> float:
    """Return how far, in eye distances, the points read from a loose box lie from a face's at most, on average."""
    if face.landmarks is None:
        return float("inf")
    points = face.landmarks.points[:, :2]
    reads = [read_landmarks(image, box).points[:, :2] for box in loosened(face.box)]
    return max(float(np.hypot(*(read - points).T).mean()) for read in reads) / face.eye_distance


def main() -> None:
    """Print a line per picture and the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labels", type=Path, nargs="+")
    parser.add_argument("--finder", default="embedded")
    parser.add_argument("--leave", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--boxes", action="store_true")
    options = parser.parse_args()
    finder = face_finder(options.finder)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    finder.find(torch.zeros(3, 64, 64))  # loads the networks
    errors, times, loose = [], [], []
    for path in options.labels:
        for name, label in json.loads(path.read_text()).items():
            image = read_image(path.parent / name)
            start = time.process_time()
            faces = finder.find(image)
            times.append(time.process_time() - start)
            said = "; ".join(sentence.split(":")[0] for face in faces[:1] for sentence in quality_warnings(image, face))
            if not label["faces"]:
                print(f"{name:30} {times[-1]:5.3f} s  no human face; {len(faces)} found  {said}")
                continue
            row = measure(faces[0], label) if faces else (float("inf"),) * 3
            counts = not any(name.startswith(left) for left in options.leave)
            errors += [row] if counts else []
            loose += [worst_of_boxes(image, faces[0])] if options.boxes and faces else []
            text = "eyes {:.3f}  corners {:.3f}  mouth {:.3f}".format(*row)
            print(
                f"{name:30} {times[-1]:5.3f} s  {text}  {len(faces)} found{'' if counts else ', not counted'}  {said}"
            )
    table = np.array(errors)
    print(f"found {np.isfinite(table[:, 0]).sum()} of {len(table)}; seconds: median {np.median(times):.3f}, ", end="")
    print(f"most {max(times):.3f}")
    for what, column in zip(("worse eye", "mouth corners", "mouth centre"), table.T, strict=True):
        print(f"{what:14} median {np.median(column):.3f}, within {NEAR}: {(column <= NEAR).mean():.0%}")
    if loose:
        print(
            f"boxes a third off: {np.mean(np.array(loose) <= NEAR / 2):.0%} within {NEAR / 2}, worst {max(loose):.3f}"
        )


if __name__ == "__main__":
    main()
