"""Measure how well and how fast a finder finds faces: ``python benchmarks/faces.py LABELS.json [--finder NAME]``.

The labels are a table of picture names beside the file, each with ``eye_right``, ``eye_left`` (the left-in-picture eye
first), ``mouth_left`` and ``mouth_right`` in pixels. Errors are in eye distances.
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

from sonic_core.faces import face_finder
from sonic_core.types import Face

KEYS = ("eye_right", "eye_left", "mouth_left", "mouth_right")


def measure(face: Face, label: dict[str, list[float]]) -> tuple[float, float, float]:
    """Compute the errors of eyes, mouth corners and the mouth's middle, in eye distances."""
    found, true = np.array(face.points)[[0, 1, 3, 4]], np.array([label[key] for key in KEYS])
    off = np.hypot(*(found - true).T) / np.hypot(*(true[1] - true[0]))
    middle = np.hypot(*(found[2:].mean(0) - true[2:].mean(0))) / np.hypot(*(true[1] - true[0]))
    return float(off[:2].mean()), float(off[2:].mean()), float(middle)


def main() -> None:
    """Print a line per picture and the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--finder", default="embedded")
    options = parser.parse_args()
    finder = face_finder(options.finder)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    mouths = []
    for name, label in json.loads(options.labels.read_text()).items():
        pixels = cv2.imread(str(options.labels.parent / name))
        if pixels is None:
            continue
        image = torch.from_numpy(pixels[..., ::-1].copy()).permute(2, 0, 1).float() / 255
        start = time.process_time()
        faces = finder.find(image)
        seconds = time.process_time() - start
        eyes, corners, mouth = measure(faces[0], label) if faces else (float("inf"),) * 3
        mouths.append(mouth)
        print(
            f"{name:28} {seconds:5.2f} s  eyes {eyes:.3f}  corners {corners:.3f}  mouth {mouth:.3f}  {len(faces)} found"
        )
    near = sum(mouth <= 0.15 for mouth in mouths)
    print(f"mouth within 0.15: {near} of {len(mouths)}, median {np.median(mouths):.3f}")


if __name__ == "__main__":
    main()
