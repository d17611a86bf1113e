"""What a face tracker sees in the clips that ``portraits.py --clips`` wrote.

    PYTHON_WITH_MEDIAPIPE benchmarks/judge.py DIR

Needs mediapipe (0.10, with its ``solutions``) in the Python that runs it; the project itself does not use it. Per clip:
share of frames with a tracked face; correlation of the tracked gap between the lips with the one that was asked for, at
no lag and at the best lag; the gap when a closed mouth was asked for; and how many pixels ever changed that do not
belong to the person.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import av
import cv2
import numpy as np

UPPER, LOWER = 13, 14
"""Face Mesh's points in the middle of the lips' inner edges."""
EYES = [33, 133], [362, 263]
"""Its points at the eyes' corners."""
SOLUTIONS = import_module("mediapipe").solutions
_AROUND = 0.03  # of the picture's width: a person's outline is not known more exactly


def track(file: Path) -> np.ndarray:
    """Measure the gap between the lips in eye distances, frame by frame: (n,), NaN where no face is tracked."""
    gaps = []
    with SOLUTIONS.face_mesh.FaceMesh(refine_landmarks=True, max_num_faces=1) as mesh, av.open(file) as video:
        for frame in video.decode(video=0):
            found = mesh.process(frame.to_ndarray(format="rgb24")).multi_face_landmarks
            if not found:
                gaps.append(np.nan)
                continue
            points = np.array([(p.x * frame.width, p.y * frame.height) for p in found[0].landmark])
            apart = np.linalg.norm(points[EYES[0]].mean(0) - points[EYES[1]].mean(0))
            gaps.append(np.linalg.norm(points[UPPER] - points[LOWER]) / apart)
    return np.array(gaps)


def correlations(seen: np.ndarray, asked: np.ndarray) -> dict[int, float]:
    """Correlate two curves (n,) at lags of −3 … 3 frames; positive: what is seen comes late."""
    count = len(seen)
    return {
        lag: float(
            np.corrcoef(
                seen[max(0, lag) : count + min(0, lag)],
                asked[max(0, -lag) : count - max(0, lag)],
            )[0, 1]
        )
        for lag in range(-3, 4)
    }


def beyond_the_person(folder: Path, name: str) -> int:
    """Count pixels that changed and lie outside of the person."""
    portrait = np.asarray(cv2.imread(str(folder / f"{name}.portrait.png")))
    changed = np.asarray(cv2.imread(str(folder / f"{name}.changed.png"), cv2.IMREAD_GRAYSCALE)) > 0
    with SOLUTIONS.selfie_segmentation.SelfieSegmentation(model_selection=0) as person:
        mask = person.process(cv2.cvtColor(portrait, cv2.COLOR_BGR2RGB)).segmentation_mask > 0.2
    reach = 2 * round(_AROUND * mask.shape[1]) + 1
    around = cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
    return int((changed & ~around).sum())


def main() -> None:
    """Judge every clip of a folder."""
    folder = Path(sys.argv[1])
    for file in sorted(folder.glob("*.mp4")):
        gaps, asked = track(file), np.load(file.with_suffix(".npz"))["opening"]
        found = ~np.isnan(gaps)
        seen = np.where(found, gaps, np.nanmedian(gaps))
        lags = correlations(seen, asked)
        best = max(lags, key=lags.__getitem__)
        shut, outside = asked < 0.01, beyond_the_person(folder, file.stem)
        print(
            f"{file.stem:28s} tracked {found.mean():.3f}  correlation {lags[0]:.3f}, best {lags[best]:.3f} at {best:+d}"
            f"  gap when shut {seen[shut].mean() if shut.any() else np.nan:.3f}"
            f"  range {np.ptp(np.percentile(seen, [5, 95])):.3f}  changed beyond {outside}",
            flush=True,
        )


if __name__ == "__main__":
    main()
