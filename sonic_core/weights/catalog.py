"""The weights this version can use, as a table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One set of weights."""

    name: str
    purpose: str
    files: tuple[str, ...]
    """Where they may lie below a weight folder, the usual place first. Empty: the weights are part of the program."""
    source: str
    licence: str


CATALOG = (
    Entry("sonic-preview", "animates a portrait, on any CPU", (), "part of this project", "MIT"),
    Entry("embedded", "finds faces, always there", (), "part of this project; cascade of scikit-image", "MIT, BSD"),
    Entry(
        "insightface",
        "finds faces, also turned and small ones",
        (
            "insightface/models/buffalo_l/det_10g.onnx",
            "models/buffalo_l/det_10g.onnx",
            "buffalo_l/det_10g.onnx",
        ),
        "github.com/deepinsight/insightface, model pack buffalo_l",
        "non-commercial research only",
    ),
    Entry(
        "yoloface",
        "finds faces as the published Sonic does",
        ("yoloface_v5m.pt",),
        "huggingface.co/LeonJoe13/Sonic",
        "CC BY-NC-SA 4.0",
    ),
)
