"""The files of sonic-base."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...weights.catalog import BASE, STUDENT, TINY_VAE
from ...weights.search import Weights
from ...weights.store import find_parts


@dataclass(frozen=True)
class BaseFiles:
    """Everything sonic-base is read from."""

    unet: Path
    audio2token: Path
    audio2bucket: Path
    whisper: Path
    """A folder in the hub's form."""
    interpolator: Path
    svd: Path
    """A single ``.safetensors`` file, or a diffusers folder with ``vae`` and ``image_encoder``."""
    sizes: Path | None
    """``sonic-base.json`` beside the unet: sizes of a model other than the published one."""
    tiny_vae: Path | None = None
    """The tiny decoder's file, where there is one."""
    student: Path | None = None
    """The few-step student beside the unet, a UNet or a LoRA, where there is one."""


def find_base(weights: Weights = ()) -> BaseFiles:
    """Find every file of sonic-base.

    Args:
        weights: Folders that are looked into before all others, and files or folders of single parts.

    Raises:
        CheckpointError: Files are missing; the message lists all of them, where each belongs and where it comes from.
    """
    found = find_parts(BASE.name, BASE.parts, weights)
    named = {part.name: found[part.name] for part in BASE.parts if part.required}
    sizes = named["unet"].with_name("sonic-base.json")
    return BaseFiles(
        **named,
        sizes=sizes if sizes.is_file() else None,
        tiny_vae=found.get(TINY_VAE.name),
        student=found.get(STUDENT.name),
    )
