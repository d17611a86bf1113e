"""Pictures and sounds as people have them at hand, taken where there is no doubt what is meant, else refused."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..errors import InputError
from ..types import Audio
from .audio import SHORTEST, read_audio
from .colour import BACKDROP
from .files import in_a_file
from .image import from_pillow, read_image
from .mixing import mixed_blocks

_PICTURE = "a picture (a file's name, a PIL image, or an array or tensor of (3, height, width) in [0, 1])"
_SOUND = "a sound (a file's name, or Audio(samples, rate) with samples of (channels, n) within ±1)"
_COLOURS = (1, 3, 4)
"""Channels of grey, of colours, and of colours and opacity."""
_OVERSHOOT = 0.5
"""How far values may leave [0, 1], as sharpening filters leave it, and still mean that range."""
_FULL = (255, 65535)
"""What white may be besides 1."""
_LOUDEST = 64.0
"""Times full scale, 36 dB, beyond which samples were never divided by the range of their integers."""


def as_picture(image: Any) -> torch.Tensor:  # noqa: ANN401 - whatever is given
    """Take a picture.

    Args:
        image: A file's name, bytes or a stream of a picture file, a PIL image of any mode, or a tensor or NumPy array:
            (3, h, w), (h, w, 3), grey or with opacity, (h, w), or one such in a batch; float in [0, 1], or whole
            numbers or float in 0 … 255 or 0 … 65535.

    Returns:
        (3, h, w) RGB float32 in [0, 1] on the CPU; where that is what was given, the same object.

    Raises:
        InputError: It is no picture, or there is doubt what it means.
        MediaError: A file cannot be read.
    """
    if isinstance(image, (str, os.PathLike)):
        return read_image(image)
    if isinstance(image, bytes):
        image = io.BytesIO(image)
    if hasattr(image, "read"):
        with in_a_file(image, "a picture") as path:
            return read_image(path)
    if isinstance(image, Image.Image):
        return from_pillow(image)
    planes = _planes(_tensor(image, _PICTURE))
    if 0 in planes.shape:
        raise InputError(f"Expected {_PICTURE}, got one without a pixel: {_shape(image)}.")
    return _flat(_scaled(planes))


def as_sound(audio: Any) -> Audio:  # noqa: ANN401 - whatever is given
    """Take a sound.

    Args:
        audio: A file's name, ``Audio``, or a mapping with ``waveform`` and ``sample_rate``.

    Returns:
        A sound with at least one channel and ``SHORTEST`` seconds, all samples finite; ``audio`` itself where it is so.

    Raises:
        InputError: It is no sound, is too short, or holds samples that are not numbers or of no known range.
        MediaError: A file cannot be read.
    """
    if isinstance(audio, (str, os.PathLike)):
        return read_audio(audio)
    if isinstance(audio, Mapping) and {"waveform", "sample_rate"} <= set(audio):
        audio = Audio(audio["waveform"], audio["sample_rate"])
    if not isinstance(audio, Audio):
        raise InputError(f"Expected {_SOUND}, got {_shape(audio)}; give arrays as Audio(samples, rate).")
    if not isinstance(audio.samples, torch.Tensor):  # it is still coming
        return audio
    _check_samples(audio)
    return audio


def _check_samples(audio: Audio) -> None:
    if not audio.samples.shape[0]:
        raise InputError(f"Expected {_SOUND}, got one without a channel; look at where it comes from.")
    if audio.duration < SHORTEST:
        raise InputError(f"Expected at least {SHORTEST:g} s of sound, got {audio.duration:.3g} s; use a longer one.")
    loudest = 0.0
    for block in mixed_blocks(audio, None):
        loudest = max(loudest, *map(float, block.abs().aminmax()))
        if not bool(block.isfinite().all()):
            raise InputError("The sound has samples that are not numbers (NaN or infinite); export it again.")
    if loudest > _LOUDEST:
        raise InputError(
            f"Expected {_SOUND}, got samples up to {loudest:g}; divide them by the largest number they can be."
        )


def _tensor(given: Any, wanted: str) -> torch.Tensor:  # noqa: ANN401
    try:
        if isinstance(given, torch.Tensor):
            return given.detach().cpu()
        if isinstance(given, np.ndarray):
            return torch.from_numpy(np.ascontiguousarray(given.astype(given.dtype.newbyteorder("="))))
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"Expected {wanted}, got {_shape(given)}; convert it to float32 first.") from error
    raise InputError(f"Expected {wanted}, got {_shape(given)}; read it with sonic_core.read_image or Pillow.")


def _planes(pixels: torch.Tensor) -> torch.Tensor:
    """Put the channels of one picture first."""
    match tuple(pixels.shape):
        case (1, _, _, _):
            return _planes(pixels[0])
        case (count, _, _, _):
            raise InputError(f"Expected one picture, got {count} in a batch, {_shape(pixels)}; give one of them.")
        case (_, _):
            return pixels[None]
        case (channels, _, _) if channels in _COLOURS:
            return pixels
        case (_, _, channels) if channels in _COLOURS:
            return pixels.permute(2, 0, 1)
    raise InputError(f"Expected {_PICTURE}, got {_shape(pixels)}; bring it into that form.")


def _scaled(planes: torch.Tensor) -> torch.Tensor:
    """Bring values to [0, 1] as float32."""
    if planes.dtype.is_complex or planes.dtype == torch.bool:
        raise InputError(f"Expected {_PICTURE}, got {_shape(planes)}; convert it to float32 in [0, 1].")
    whole, deep, planes = not planes.is_floating_point(), planes.dtype is torch.uint16, planes.float()
    least, most = (float(value) for value in planes.aminmax())
    if not (np.isfinite(least) and np.isfinite(most)):
        raise InputError("The picture holds values that are not numbers (NaN or infinite); look at where it was made.")
    if least >= -_OVERSHOOT and most <= 1 + _OVERSHOOT and not whole:
        return planes if least >= 0 and most <= 1 else planes.clamp(0, 1)
    full = next((full for full in _FULL[deep:] if most <= full), _FULL[-1])
    if least < 0 or most > full:
        raise InputError(
            f"Expected a picture whose values are from 0 to 1, or from 0 to 255, got {least:g} to {most:g}; scale them."
        )
    return planes / full


def _flat(planes: torch.Tensor) -> torch.Tensor:
    """Lay what is transparent over the backdrop, and make three colours of grey."""
    grey, colours, transparent = _COLOURS
    if len(planes) == transparent:
        planes = (planes[:colours] - BACKDROP) * planes[colours:] + BACKDROP
    planes = planes.expand(colours, -1, -1) if len(planes) == grey else planes
    return planes.contiguous()


def _shape(given: Any) -> str:  # noqa: ANN401
    """Say what was given, in a few words."""
    shape = getattr(given, "shape", None)
    kind = type(given).__name__
    return f"{kind} of {getattr(given, 'dtype', '?')} {tuple(shape)}" if shape is not None else f"{kind}"
