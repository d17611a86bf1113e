"""Pictures: files to tensors and back."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageCms, UnidentifiedImageError

from ..errors import InputError, MediaError
from .colour import BACKDROP
from .files import check_readable, check_writable, file_errors, written_beside
from .pixels import Pixels, as_bytes, as_frames

MIN_SIDE = 64
"""Fewest pixels on the shorter side in which a face can be found."""
MAX_ASPECT = 8.0
"""Longer side over shorter side beyond which no portrait is meant."""
MAX_PIXELS = 100_000_000
"""Most pixels of a picture: 1.2 GB once decoded."""
_WANTED = "a picture (JPEG, PNG, WebP, GIF, BMP or TIFF)"
_ORIENTATION = 0x0112
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_DEPTH = 24
_DECODE_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, IndexError, KeyError, EOFError, AttributeError, OverflowError,
    ZeroDivisionError, struct.error, zlib.error,
)  # fmt: skip
"""What Pillow's decoders raise for damaged files."""
_TURNS = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}
"""Exif orientation to (quarter turns to the left, then mirrored left to right)."""


def read_image(path: str | os.PathLike[str]) -> torch.Tensor:
    """Read a picture as it is meant to be seen.

    It is turned upright by its Exif tag, transparent pixels show a light grey (``BACKDROP``), 16-bit values are scaled,
    an embedded colour profile is converted to sRGB, and of an animation the first frame is taken. The header is
    checked before anything is decoded. HEIC is read where the ``pillow-heif`` opener is registered, else refused with
    the advice to convert.

    Args:
        path: A JPEG, PNG, WebP, GIF, BMP, TIFF or any other file that Pillow reads.

    Returns:
        (3, h, w) RGB float32 in [0, 1], contiguous.

    Raises:
        MediaError: The file is missing, damaged or not a picture.
        InputError: The picture is too small, too large or too narrow to hold a face.

    Source: Exif 2.32, tag 0x0112 (orientation).
    """
    path = check_readable(path, _WANTED)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large sizes, odd metadata and palettes: handled here
            pixels = _decode(path)
    except Image.DecompressionBombError as error:
        raise InputError(_too_large(path, "far more")) from error
    except UnidentifiedImageError as error:
        raise MediaError(_not_a_picture(path)) from error
    except InputError:
        raise
    except _DECODE_ERRORS as error:
        raise MediaError(f"The picture {path} is damaged or cut off ({error}); save or download it again.") from error
    return _tensor(pixels)


def write_png(path: str | os.PathLike[str], image: torch.Tensor) -> Path:
    """Write ``image`` as an 8-bit PNG; nothing is left behind when that fails.

    Args:
        path: Ends in ``.png``.
        image: (3, h, w) RGB or (1, h, w) grey, float in [0, 1]; what lies outside is clipped.

    Raises:
        MediaError: The file cannot be written.
    """
    target = check_writable(path, ".png")
    pixels = as_bytes(image)
    with written_beside(target) as part, file_errors(target):
        Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(part, format="PNG")
    return target


def _decode(path: Path) -> Pixels:
    """Decode to (h, w, 1, 3 or 4) uint8 or uint16 or float32, upright, RGB."""
    with Image.open(path) as image:
        _check_size(path, *image.size)
        deep = _deep_colour(path, image)
        image.load()
        pixels = _channels(image) if deep is None else deep
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    if turn is None:
        return pixels
    pixels = np.rot90(pixels, turn[0])
    return pixels[:, ::-1] if turn[1] else pixels


def _check_size(path: Path, width: int, height: int) -> None:
    shape, shorter, longer = f"{width}×{height}", min(width, height), max(width, height)
    if width * height > MAX_PIXELS:
        raise InputError(_too_large(path, f"{shape}, {width * height / 1e6:.0f} megapixels"))
    if shorter < 1 or longer / shorter > MAX_ASPECT:
        raise InputError(
            f"Expected a portrait whose longer side is at most {MAX_ASPECT:g} times the shorter, "
            f"got {shape} in {path}; crop it to the head."
        )
    if shorter < MIN_SIDE:
        raise InputError(
            f"Expected a picture of at least {MIN_SIDE} pixels on the shorter side, got {shape} in {path}; "
            "use a larger one."
        )


def _too_large(path: Path, got: str) -> str:
    return f"Expected at most {MAX_PIXELS / 1e6:.0f} megapixels, got {got} in {path}; scale the picture down first."


def _not_a_picture(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(16)
    if start[4:8] == b"ftyp" and start[8:12] in {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"}:
        return f"The picture {path} is HEIC, which cannot be read here; convert it to JPEG or PNG."
    if start[4:8] == b"ftyp" and start[8:12] in {b"avif", b"avis"}:
        return f"The picture {path} is AVIF, which this Pillow cannot read; update Pillow or convert it to JPEG or PNG."
    return f"Expected {_WANTED} in {path}, got something else or a damaged file; save it anew as JPEG or PNG."


def _deep_colour(path: Path, image: Image.Image) -> Pixels | None:
    """Decode a 16-bit PNG with OpenCV, since Pillow keeps only 8 bits of colour; None for everything else."""
    if image.format != "PNG" or "icc_profile" in image.info:
        return None
    encoded = path.read_bytes()
    if not encoded.startswith(_PNG_START) or encoded[_PNG_DEPTH] != 16:
        return None
    pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        return None
    if pixels.ndim == 2:
        return pixels[..., None]
    order = [2, 1, 0, 3][: pixels.shape[2]]
    return pixels[..., order]


def _channels(image: Image.Image) -> Pixels:
    """Turn any Pillow mode into (h, w, 1, 3 or 4)."""
    if image.mode == "F":
        return np.asarray(image, np.float32)[..., None]
    if image.mode.startswith("I"):
        return np.clip(np.asarray(image), 0, 65535).astype(np.uint16)[..., None]
    transparent = image.mode in {"RGBA", "RGBa", "LA", "La", "PA"} or "transparency" in image.info
    if not transparent:
        return np.asarray(_in_srgb(image))
    rgba = image.convert("RGBA")
    rgb = rgba.convert("RGB")
    rgb.info["icc_profile"] = image.info.get("icc_profile") if image.mode.startswith("RGB") else None
    return np.dstack([np.asarray(_in_srgb(rgb)), np.asarray(rgba.getchannel("A"))])


def _in_srgb(image: Image.Image) -> Image.Image:
    """Convert to RGB, through the embedded profile where there is one that fits (Display P3, Adobe RGB, print)."""
    profile = image.info.get("icc_profile")
    if profile and image.mode in {"RGB", "CMYK"}:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "srgb" not in ImageCms.getProfileDescription(source).lower():
                converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
                return image.convert("RGB") if converted is None else converted
        except (ImageCms.PyCMSError, OSError):  # a damaged or mismatched profile is no reason to refuse the picture
            pass
    return image.convert("RGB")


def _tensor(pixels: Pixels) -> torch.Tensor:
    """Scale (h, w, 1, 3 or 4) to [0, 1], lay transparent pixels over the backdrop: (3, h, w) float32."""
    if pixels.dtype.kind == "u":
        planes = as_frames([pixels])[0]
    else:
        planes = torch.from_numpy(np.ascontiguousarray(np.moveaxis(pixels, -1, 0), np.float32))
    if len(planes) == 4:
        colour, alpha = planes[:3], planes[3:]
        planes = colour.sub_(BACKDROP).mul_(alpha).add_(BACKDROP)
    return planes.nan_to_num_(0.0).clamp_(0, 1).expand(3, -1, -1).contiguous()
