"""What this machine can run, and what is missing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    what: str
    good: bool
    detail: str
    needed: bool = True
    """False: the main job runs without it."""


PACKAGES = ("torch", "numpy", "soxr", "opencv-python", "scikit-image", "av", "Pillow")
OPTIONAL_PACKAGES = ("insightface", "librosa", "diffusers", "safetensors")
_SAME_AS = {"opencv-python": ("opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")}


def examine() -> list[Finding]:
    """Look at Python, packages, encoders, devices, memory and face finders."""
    found = [Finding("python", sys.version_info >= (3, 10), f"{platform.python_version()} (3.10 or newer)")]
    found += [_package(name, needed=True) for name in PACKAGES]
    found += [_package(name, needed=False) for name in OPTIONAL_PACKAGES]
    if all(finding.good for finding in found if finding.needed):
        found += [_encoder("libx264"), _encoder("aac"), _device(), _finder()]
    return [*found, _processors()]


def _package(name: str, *, needed: bool) -> Finding:
    installed = [other for other in (name, *_SAME_AS.get(name, ())) if _version(other)]
    if installed:
        return Finding(installed[0], True, _version(installed[0]), needed)
    return Finding(name, False, f"not installed; pip install {name}", needed)


def _version(name: str) -> str:
    """Tell a package's version, or "" when it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _encoder(name: str) -> Finding:
    import av  # noqa: PLC0415

    there = name in av.codecs_available
    return Finding(
        f"encoder {name}", there, "there" if there else "this build of PyAV lacks it; pip install --force-reinstall av"
    )


def _device() -> Finding:
    import torch  # noqa: PLC0415

    if torch.cuda.is_available():
        return Finding("device", True, torch.cuda.get_device_name())
    if torch.backends.mps.is_available():
        return Finding("device", True, "Apple GPU (mps)")
    return Finding("device", True, "CPU; sonic-preview needs no more")


def _finder() -> Finding:
    from .faces import face_finder  # noqa: PLC0415

    return Finding("face finder", True, face_finder("auto").name)


def _processors() -> Finding:
    return Finding("processors", True, f"{os.cpu_count()} cores")
