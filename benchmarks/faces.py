"""Measure how well and how fast faces are found and measured: ``python benchmarks/faces.py LABELS.json [--mesh FILE]``.

The labels are a table of picture names beside the file, each with ``eye_right``, ``eye_left`` (the left-in-picture eye
first), ``mouth_left`` and ``mouth_right``, and where they are known ``lip_top``, ``lip_bottom`` (the inner edges'
middles) and ``chin``, in pixels. A mesh file is a table of picture names with the points (x, y, …) of MediaPipe's Face
Mesh each, in pixels. Errors are in eye distances.
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

from sonic_core import Settings
from sonic_core.faces import crop_portrait, face_finder
from sonic_core.models.preview.anatomy import EYE_STATIONS, MOUTH_STATIONS, Frame, measure_anatomy
from sonic_core.types import Face, Portrait

KEYS = ("eye_right", "eye_left", "mouth_left", "mouth_right")


def measure(face: Face, label: dict[str, list[float]]) -> tuple[float, float, float]:
    """Compute the errors of eyes, mouth corners and the mouth's middle, in eye distances."""
    found, true = np.array(face.points)[[0, 1, 3, 4]], np.array([label[key] for key in KEYS])
    off = np.hypot(*(found - true).T) / np.hypot(*(true[1] - true[0]))
    middle = np.hypot(*(found[2:].mean(0) - true[2:].mean(0))) / np.hypot(*(true[1] - true[0]))
    return float(off[:2].mean()), float(off[2:].mean()), float(middle)


Edge = tuple[Frame, float, np.ndarray, np.ndarray]
MESH = {
    "upper_outer": (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
    "upper_inner": (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
    "lower_inner": (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
    "lower_outer": (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291),
    "left upper_lid": (33, 246, 161, 160, 159, 158, 157, 173, 133),
    "left lower_lid": (33, 7, 163, 144, 145, 153, 154, 155, 133),
    "right upper_lid": (362, 398, 384, 385, 386, 387, 388, 466, 263),
    "right lower_lid": (362, 382, 381, 380, 374, 373, 390, 249, 263),
}
"""Points of the mesh on each edge, from left to right in the picture."""


def measure_contours(
    portrait: Portrait, label: dict[str, list[float]], mesh: list[list[float]] | None
) -> dict[str, float]:
    """Compute how far lips, chin and lids of the anatomy lie from labels and mesh, in eye distances."""
    anatomy = measure_anatomy(portrait)
    left, top, right, _ = portrait.placement.box
    scale, mouth = portrait.image.shape[2] / (right - left), anatomy.mouth
    distance = float(np.hypot(*np.subtract(label["eye_left"], label["eye_right"]))) * scale

    def local(frame: Frame, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return frame.local(*((points[:, :2] - (left, top)) * scale).T)

    found = {"lip_top": mouth.upper_inner, "lip_bottom": mouth.lower_inner, "chin": np.full(33, mouth.chin)}
    errors = {}
    for name in found.keys() & label.keys():
        along, down = local(mouth.frame, np.array([label[name]]))
        errors[name] = float(abs(np.interp(along / mouth.half_width, MOUTH_STATIONS, found[name]) - down)[0]) / distance
    edges: dict[str, Edge] = {
        name: (mouth.frame, mouth.half_width, MOUTH_STATIONS, getattr(mouth, name)) for name in list(MESH)[:4]
    }
    for side, eye in zip(("left", "right"), anatomy.eyes, strict=True):
        for lid in ("upper_lid", "lower_lid"):
            edges[f"{side} {lid}"] = eye.frame, eye.half_width, EYE_STATIONS, getattr(eye, lid)
    for name, (frame, half, stations, edge) in edges.items() if mesh else ():
        along, down = local(frame, np.array(mesh)[list(MESH[name])])
        inner = np.abs(along) < 0.9 * half
        off = np.abs(np.interp(along / half, stations, edge) - down)[inner]
        errors[name] = float(off.mean()) / distance if inner.any() else float("inf")
    return errors


def main() -> None:
    """Print a line per picture and the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--finder", default="embedded")
    parser.add_argument("--mesh", type=Path)
    options = parser.parse_args()
    meshes = json.loads(options.mesh.read_text()) if options.mesh else {}
    finder = face_finder(options.finder)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    mouths, contours = [], []
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
        if faces:
            portrait = crop_portrait(image, faces[0], Settings())
            contours.append(measure_contours(portrait, label, meshes.get(name)))
        print(
            f"{name:28} {seconds:5.2f} s  eyes {eyes:.3f}  corners {corners:.3f}  mouth {mouth:.3f}  {len(faces)} found"
        )
    near = sum(mouth <= 0.15 for mouth in mouths)
    print(f"mouth within 0.15: {near} of {len(mouths)}, median {np.median(mouths):.3f}")
    for edge in ("lip_top", "lip_bottom", "chin", *MESH):
        errors = [one[edge] for one in contours if edge in one]
        if errors:
            print(f"{edge:16} median {np.median(errors):.3f}, nine in ten within {np.percentile(errors, 90):.3f}")


if __name__ == "__main__":
    main()
