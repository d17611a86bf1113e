"""What this machine can run, and what is missing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from ..errors import SonicError
from ..models.registry import MODELS


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    what: str
    good: bool
    detail: str
    needed: bool = True
    """False: there is something else in its place."""
    installable: bool = True
    """False: it is a property of the machine."""

    @property
    def word(self) -> str:
        """The finding in a word."""
        return "ok" if self.good else "MISSING" if self.installable else "no"


NEEDED = {
    "torch": "torch",
    "numpy": "numpy",
    "scipy": "scipy",
    "soxr": "soxr",
    "opencv-python": "cv2",
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
_LOOKED_AT = 64
"""Side in pixels of the picture that the finder is tried with."""
_SAME_AS = {"opencv-python": ("opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")}


def examine() -> list[Finding]:
    """Look at Python, packages, encoders, face finders, models, the device, and what sonic-base takes there."""
    found = [Finding("python", sys.version_info >= (3, 10), f"{platform.python_version()} (3.10 or newer)")]
    found += [_package(name, module, needed=True) for name, module in NEEDED.items()]
    found += [_package(name, module, needed=False) for name, module in OPTIONAL.items()]
    checks = {
        "encoder libx264": partial(_encoder, "libx264"),
        "encoder aac": partial(_encoder, "aac"),
        "face finder": _finder,
    }
    found += [_checked(what, check) for what, check in checks.items()]
    try:
        return [*found, *_models(), _processors(), *_machine()]
    except (ImportError, RuntimeError) as error:
        return [*found, *_models(), _processors(), Finding("device", False, f"cannot be told: {error}", needed=False)]


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
    except (ImportError, SonicError) as error:
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


def _machine() -> Iterator[Finding]:
    """Look at the device that sonic-base would take, and estimate what each size takes there."""
    from ..devices import choose_device  # noqa: PLC0415
    from . import machine  # noqa: PLC0415

    device, here = choose_device(), machine.this_machine()
    memory = f"{here.total / 1e9:.1f} GB of memory, {here.free / 1e9:.1f} GB of it free"
    speed = f"{here.rate:.3g} TFLOP/s in {here.precision}"
    least = "; sonic-preview needs no more" if here.kind == "cpu" else ""
    about = machine.capability(device)
    yield Finding("device", True, ", ".join(filter(None, (here.name, about, memory, speed))) + least)
    if here.kind != "cpu":
        halves = machine.half_precisions(device)
        words = ", ".join(halves) or "none; sonic-base takes fp16 unless --precision fp32 is given"
        yield Finding("half precision", bool(halves), words, needed=False, installable=False)
    if here.kind == "cuda":
        words = f"do not run: {here.kernels}; sonic-base takes half as long again" if here.kernels else "run"
        yield Finding("our own kernels", not here.kernels, words, needed=False, installable=False)
    yield Finding("attention", True, machine.attention_kernels(here.kind))
    if library := machine.convolution_library(here.kind):
        yield Finding("convolutions", True, library)
    for side in machine.SIDES:
        found = machine.estimate(here, side)
        yield Finding(f"sonic-base {side}×{side}", found.fits, f"{found}", needed=False, installable=False)


def _finder() -> Finding:
    import torch  # noqa: PLC0415

    from ..faces import face_finder  # noqa: PLC0415

    finder = face_finder("auto")
    finder.find(torch.zeros(3, _LOOKED_AT, _LOOKED_AT))  # reads what it needs
    return Finding("face finder", True, finder.name)


def _models() -> Iterator[Finding]:
    for spec in MODELS:
        fetch = f"its weights are not there; python -m sonic_core download {spec.name}"
        try:
            there = spec.is_there()
        except SonicError as error:
            there, fetch = False, f"{error}"
        yield Finding(f"model {spec.name}", there, "there" if there else fetch, needed=False)


def _processors() -> Finding:
    return Finding("processors", True, f"{os.cpu_count()} cores")
