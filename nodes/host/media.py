"""The host's pictures and sounds, turned into ours and back."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from hashlib import blake2b
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .folders import temporary_file

if TYPE_CHECKING:
    import torch

    from ...sonic_core import Audio


SHOWN = 1024
"""Pixels of the longer side of what a node shows."""
OVERSHOOT, WHITE = 0.5, 255.0
"""How far values leave [0, 1] where a filter sharpened, and what white is where a node forgot to divide."""


def picture_of(image: torch.Tensor) -> torch.Tensor:
    """Turn an IMAGE (b, h, w, c) into one picture (3, h, w); of several the first, transparent parts become white.

    Raises:
        InputError: It is no picture, or holds values that are not numbers.
    """
    from ...sonic_core import InputError, SonicWarning

    check_pictures(image)
    if len(image) > 1:
        warnings.warn(
            f"{len(image)} pictures came in: only the first is animated. For a video of each, put Rebatch Images with "
            "batch_size 1 before this node, or use Sonic Talking Portrait.",
            SonicWarning,
            stacklevel=2,
        )
    picture = image[0].float().permute(2, 0, 1)
    if not bool(picture.isfinite().all()):
        raise InputError("The picture holds values that are not numbers (NaN or infinite): look at the node before.")
    most = float(picture.max())
    if most > WHITE:
        raise InputError(f"image must hold values from 0 to 1, got {most:g}: look at the node before.")
    if most > 1 + OVERSHOOT:
        picture = picture / WHITE
    if len(picture) == 4:
        picture = picture[:3] * picture[3:] + (1 - picture[3:])
    return picture.expand(3, -1, -1).clamp(0, 1).contiguous()


def check_pictures(image: torch.Tensor) -> None:
    """Raise where a tensor holds no pictures, (b, h, w, c).

    Raises:
        InputError: It does not.
    """
    from ...sonic_core import InputError

    if image.ndim != 4 or image.shape[3] not in (1, 3, 4) or 0 in image.shape:
        raise InputError(f"image must be (pictures, height, width, 1, 3 or 4 colours), got {tuple(image.shape)}.")


def image_of(frames: torch.Tensor) -> torch.Tensor:
    """Turn frames (n, 3, h, w) or one picture (3, h, w) into an IMAGE (n, h, w, 3)."""
    return (frames if frames.ndim == 4 else frames[None]).permute(0, 2, 3, 1).float().cpu().contiguous()


def shown(picture: torch.Tensor) -> dict[str, str]:
    """Lay a picture (3, h, w) where the canvas finds it, and say where, in the host's words.

    It is no larger than a node can show, and the same picture is one file, however often it is shown: the host keeps
    these files until it ends.
    """
    from ...sonic_core.media.image import write_png
    from ...sonic_core.media.pixels import as_bytes, as_frames, shrink

    pixels = as_bytes(picture)
    height, width = pixels.shape[:2]
    share = SHOWN / max(height, width)
    if share < 1:
        pixels = shrink(pixels, (max(round(share * height), 1), max(round(share * width), 1)))
    told = blake2b(f"{pixels.shape}".encode() + pixels.tobytes(), digest_size=16).hexdigest()
    path = temporary_file(".png", told)
    if not path.exists():
        write_png(path, as_frames([pixels])[0])
    return {"filename": path.name, "subfolder": "", "type": "temp"}


def sound_of(audio: Mapping[str, Any], *, lenient: bool = False) -> Audio:
    """Turn an AUDIO of one sound into the engine's sound.

    Args:
        audio: What the host's nodes give.
        lenient: Values that are not numbers become silence, with a warning.

    Raises:
        InputError: It is no sound, holds several, or holds values that are not numbers.
    """
    from ...sonic_core import Audio, InputError, SonicWarning

    try:
        waveform, rate = audio["waveform"], int(audio["sample_rate"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise InputError("audio must be a sound as Load Audio gives it; got nothing that can be heard.") from None
    if waveform.ndim != 3 or len(waveform) != 1:
        raise InputError(
            f"audio must hold one sound, (1, channels, samples), got {tuple(waveform.shape)}: send them one by one."
        )
    if rate < 1 or (0 in waveform.shape and not lenient):
        _, channels, samples = waveform.shape
        raise InputError(
            f"audio must hold a sound that can be heard, got {channels} channels of {samples} samples at {rate} per "
            "second: look at the node before."
        )
    if not waveform.is_floating_point():
        waveform = waveform.float() / import_module("torch").iinfo(waveform.dtype).max
    if not bool(waveform.isfinite().all()):
        if not lenient:
            raise InputError("The sound holds values that are not numbers (NaN or infinite): look at the node before.")
        warnings.warn("The sound holds values that are not numbers (NaN or infinite): they are silent now.",
                      SonicWarning, stacklevel=2)  # fmt: skip
        waveform = waveform.nan_to_num(0.0, 0.0, 0.0)
    return Audio(waveform[0].float().cpu().contiguous(), rate)


def check_audible(audio: Mapping[str, Any] | None) -> None:
    """Raise where a sound that takes the place of a video's own could not be heard.

    Raises:
        InputError: It is no sound, holds several, or has no length.
    """
    from ...sonic_core import InputError

    if audio is not None and 0 in sound_of(audio, lenient=True).samples.shape:
        raise InputError("audio holds a sound of no length: link another, or none to keep the video's own.")


def audio_of(audio: Audio) -> dict[str, Any]:
    """Turn the engine's sound into an AUDIO."""
    return {"waveform": audio.samples[None], "sample_rate": audio.rate}
