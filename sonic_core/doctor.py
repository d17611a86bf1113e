"""What this machine can run, and what is missing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    what: str
    good: bool
    detail: str
    needed: bool = True
    """False: there is something else in its place."""


NEEDED = {
    "torch": "torch",
    "numpy": "numpy",
    "soxr": "soxr",
    "opencv-python": "cv2",
    "scikit-image": "skimage",
    "av": "av",
    "Pillow": "PIL",
    "safetensors": "safetensors",
    "diffusers": "diffusers",
    "transformers": "transformers",
    "huggingface_hub": "huggingface_hub",
    "psutil": "psutil",
}
"""Packages of ``requirements.txt`` that the models cannot do without, and what each is imported as."""
OPTIONAL = {"insightface": "insightface", "librosa": "librosa"}
"""Those of them that others can stand in for: there are finders of faces beside insightface's."""
_SAME_AS = {"opencv-python": ("opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")}


def examine() -> list[Finding]:
    """Look at Python, packages, encoders, devices, memory and face finders."""
    found = [Finding("python", sys.version_info >= (3, 10), f"{platform.python_version()} (3.10 or newer)")]
    found += [_package(name, module, needed=True) for name, module in NEEDED.items()]
    found += [_package(name, module, needed=False) for name, module in OPTIONAL.items()]
    checks = {
        "encoder libx264": partial(_encoder, "libx264"),
        "encoder aac": partial(_encoder, "aac"),
        "device": _device,
        "face finder": _finder,
    }
    return [*found, *(_checked(what, check) for what, check in checks.items()), _processors()]


def _package(name: str, module: str, *, needed: bool) -> Finding:
    if not _importable(module):
        return Finding(name, False, f"not installed; pip install {name}", needed)
    installed = [other for other in (name, *_SAME_AS.get(name, ())) if _version(other)]
    return Finding(installed[0], True, _version(installed[0]), needed) if installed else Finding(name, True, "", needed)


def _importable(module: str) -> bool:
    """Say whether there is such a module, without importing it, which may take seconds."""
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False


def _checked(what: str, check: Callable[[], Finding]) -> Finding:
    """Look at what depends on packages that may be missing or broken."""
    try:
        return check()
    except ImportError as error:
        return Finding(what, False, f"cannot be told: {error}")


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
