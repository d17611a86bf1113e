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

from sonic_core.evaluate.labels import (
    MISSED,
    NEAR,
    compare_with_label,
    measure_looseness,
    summarise_reading,
)
from sonic_core.faces import face_finder, quality_warnings
from sonic_core.media.image import read_image


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
            row = compare_with_label(faces[0], label) if faces else MISSED
            counts = not any(name.startswith(left) for left in options.leave)
            errors += [row] if counts else []
            loose += [measure_looseness(image, faces[0])] if options.boxes and faces else []
            text = f"eyes {row.eye:.3f}  corners {row.corners:.3f}  mouth {row.mouth:.3f}"
            print(
                f"{name:30} {times[-1]:5.3f} s  {text}  {len(faces)} found{'' if counts else ', not counted'}  {said}"
            )
    told = summarise_reading(errors)
    print(f"found {told.found} of {told.faces}; seconds: median {np.median(times):.3f}, most {max(times):.3f}")
    for what, middle, near in zip(("worse eye", "mouth corners", "mouth centre"), told.medians, told.near, strict=True):
        print(f"{what:14} median {middle:.3f}, within {NEAR}: {near:.0%}")
    if loose:
        print(
            f"boxes a third off: {np.mean(np.array(loose) <= NEAR / 2):.0%} within {NEAR / 2}, worst {max(loose):.3f}"
        )


if __name__ == "__main__":
    main()
