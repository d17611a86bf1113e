"""Pictures: files to tensors and back."""

from __future__ import annotations

import io
import math
import os
import re
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, JpegImagePlugin, UnidentifiedImageError

from ..errors import InputError, MediaError, SonicWarning
from .bounds import MOST_BYTES, check_memory, too_large
from .colour import BACKDROP
from .files import check_readable, check_writable, file_errors, written_beside
from .pixels import Pixels, as_bytes, as_frames
from .seen.boxes import Codes, box_codes
from .seen.png import START, Png, read_png
from .seen.profiles import in_srgb, is_hdr, profile_codes, told_in_srgb

MIN_SIDE = 64
"""Fewest pixels on the shorter side in which a face can be found."""
MAX_ASPECT = 8.0
"""Longer side over shorter side beyond which no portrait is meant."""
MAX_PIXELS = 1 << 25
"""Most pixels of a picture once it is read: a larger one is scaled down, with a warning."""
FORMATS = (
    *("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "HEIF", "JPEG2000", "PPM", "ICO", "PCX", "SGI"),
    *("QOI", "PSD", "TGA"),
)
"""Pillow's names of what is read, where it was built with it: pictures of pixels, never programs, as PostScript is."""

_WANTED = "a picture (JPEG, PNG, WebP, GIF, BMP or TIFF)"
_ORIENTATION = 0x0112
_FULL = np.float32(255)
"""What white is in pictures of floating-point numbers that Pillow made."""
_BLANK = 8
"""Levels of 255 below which a frame is black, and as far from 255 white."""
_MOST_BLANK = 250
"""Frames of an animation that are looked at for one that shows something."""
_DEEP_BYTES = 20
"""Bytes per pixel that a 16-bit PNG takes while it is read; a larger one is read with 8 bits."""
_PIXEL_BYTES, _TRANSPARENT_BYTES = 6, 9
"""Bytes per pixel that Pillow may take by its own bound, and where colours and opacity come apart."""
_ANIMATED = {"GIF", "WEBP", "AVIF"}
_BRANDS = 64
"""Bytes of a file in which it names the kinds that it is of."""
_HEIC_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"mif2", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
_HEAD = 1 << 20
"""Bytes of a file that are searched for its colours."""
_DECODE_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, IndexError, KeyError, EOFError, AttributeError, OverflowError,
    ZeroDivisionError, struct.error, zlib.error,
)  # fmt: skip
"""What Pillow's decoders raise for damaged files."""
_JPEG_START = b"\xff\xd8\xff"
_TURNS = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}
"""Exif orientation to (quarter turns to the left, then mirrored left to right)."""


def read_image(path: str | os.PathLike[str]) -> torch.Tensor:
    """Read a picture as it is meant to be seen.

    It is turned upright by its Exif tag, transparent pixels show a light grey (``BACKDROP``), 16-bit values are scaled,
    what it tells of its colours (a profile, PNG's chunks, AVIF's codes) is converted to sRGB, HDR with its highlights
    pressed together, and of an animation the first frame that shows anything is taken; of a picture with a gain map for
    HDR screens, the base that others show. One beyond ``MAX_PIXELS`` is
    scaled down, with a warning. The header is checked before anything is decoded. HEIC is read where the
    ``pillow-heif`` opener is registered, else refused with the advice to convert.

    Args:
        path: A file of one of ``FORMATS``.

    Returns:
        (3, h, w) RGB float32 in [0, 1], contiguous.

    Raises:
        MediaError: The file is missing, damaged or not a picture.
        InputError: The picture is too small or too narrow to hold a face, or would take more memory than there may be.

    Source: Exif 2.32, tag 0x0112 (orientation).
    """
    path = check_readable(path, _WANTED)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large sizes, odd metadata and palettes: handled here
            pixels, stored = _decode(path)
    except Image.DecompressionBombError as error:
        pixels = int(next(iter(re.findall(r"\d+", str(error))), 0))
        raise InputError(too_large(path, "picture", f"{pixels / 1e6:.0f} megapixels", pixels * _PIXEL_BYTES)) from error
    except UnidentifiedImageError as error:
        raise MediaError(_not_a_picture(path)) from error
    except InputError:
        raise
    except _DECODE_ERRORS as error:
        raise MediaError(f"The picture {path} is damaged or cut off ({error}); save or download it again.") from error
    if stored[0] * stored[1] > MAX_PIXELS:
        height, width = pixels.shape[:2]
        warnings.warn(
            f"{path} has {stored[0] * stored[1] / 1e6:.0f} megapixels; it was scaled down to {width}×{height}.",
            SonicWarning,
            stacklevel=2,
        )
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


@dataclass(frozen=True)
class _Opened:
    """A picture whose header was read, and what its file tells of its colours."""

    image: Image.Image
    png: Png | None
    profile: bytes | None
    codes: Codes | None
    """Primaries and transfer, as of ITU-T H.273; None where the profile or nothing tells them."""


def _decode(path: Path) -> tuple[Pixels, tuple[int, int]]:
    """Decode to (h, w, 1, 3 or 4) uint8 or uint16 or float32, upright, RGB; and tell the (w, h) that is stored."""
    opened = _open(path)
    with opened.image as image:
        stored = image.size
        _check_shape(path, *stored)
        _draft(image)
        height, width = image.size[::-1]
        check_memory(path, (height, width), _bytes_per_pixel(image), "picture")
        pixels = _deep_colour(opened, height * width)
        if pixels is None:
            _first_shown(image)
            pixels = _channels(opened)
        converted = None if pixels.dtype == np.float32 else _by_codes(pixels, opened)
        pixels = pixels if converted is None else converted
        return _upright(pixels, opened), stored


def from_pillow(image: Image.Image) -> torch.Tensor:
    """Take a picture that Pillow opened or made, of any mode, as ``read_image`` takes a file.

    Returns:
        (3, h, w) RGB float32 in [0, 1], contiguous.

    Raises:
        InputError: It has no pixels, or its file is damaged.
    """
    if 0 in image.size:
        raise InputError(f"Expected a picture, got one of {image.size[0]}×{image.size[1]} pixels.")
    opened = _Opened(image, None, image.info.get("icc_profile"), None)
    try:
        image.load()
        pixels = _channels(opened)
        if pixels.dtype.kind == "f" and pixels.max() > 1:
            pixels = pixels / _FULL
        return _tensor(_upright(pixels, opened))
    except _DECODE_ERRORS as error:
        raise InputError(f"The picture cannot be read any more ({error}); open it again.") from error


def _upright(pixels: Pixels, opened: _Opened) -> Pixels:
    turn = _TURNS.get(_orientation(opened))
    if turn is None:
        return pixels
    pixels = np.rot90(pixels, turn[0])
    return pixels[:, ::-1] if turn[1] else pixels


def _open(path: Path) -> _Opened:
    """Read a picture's header."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
        png = read_png(head + file.read()) if head.startswith(START) else None
    Image.init()
    formats = [name for name in FORMATS if name in Image.OPEN]
    try:
        image = Image.open(io.BytesIO(png.plain) if png else path, formats=formats)
    except Image.DecompressionBombError:  # of JPEG a part can be read, whatever the whole would take
        if not head.startswith(_JPEG_START):
            raise
        image = JpegImagePlugin.JpegImageFile(path)
    profile = png.profile if png else image.info.get("icc_profile")
    codes = png.codes if png else box_codes(head) if image.format in {"AVIF", "HEIF"} else None
    if profile and not is_hdr(codes) and not (png and codes):
        inner = profile_codes(profile)
        codes = inner if is_hdr(inner) else None
    return _Opened(image, png, None if codes else profile, codes)


def _by_codes(pixels: Pixels, opened: _Opened) -> Pixels | None:
    """Convert pixels that have no profile by what else the file tells; None where it means sRGB."""
    if opened.profile:
        return None
    return told_in_srgb(pixels, opened.codes, opened.png)


def _draft(image: Image.Image) -> None:
    """Let a JPEG that is too large be decoded at a half, a quarter or an eighth of its size."""
    times = math.sqrt(image.size[0] * image.size[1] / MAX_PIXELS)
    if times > 1 and isinstance(image, JpegImagePlugin.JpegImageFile):
        part = 1 << math.ceil(math.log2(times))
        image.draft(None, (-(-image.size[0] // part), -(-image.size[1] // part)))


def _bytes_per_pixel(image: Image.Image) -> int:
    return _TRANSPARENT_BYTES if _is_transparent(image) or image.mode == "P" else _PIXEL_BYTES


def _is_transparent(image: Image.Image) -> bool:
    return image.mode in {"RGBA", "RGBa", "LA", "La", "PA"} or "transparency" in image.info


def _first_shown(image: Image.Image) -> None:
    """Decode, and go on to the first frame of an animation that shows something."""
    image.load()
    if image.format not in _ANIMATED or not _is_blank(image):
        return
    for number in range(1, min(getattr(image, "n_frames", 1), _MOST_BLANK)):
        image.seek(number)
        image.load()
        if not _is_blank(image):
            return


def _is_blank(image: Image.Image) -> bool:
    """Tell whether there is nothing to see: all is black, white or transparent."""
    planes = [np.asarray(plane) for plane in image.convert("LA").split()]
    (dark, bright), (clear, opaque) = ((int(plane.min()), int(plane.max())) for plane in planes)
    return opaque == 0 or (clear == opaque and (bright < _BLANK or dark > 255 - _BLANK))


def _orientation(opened: _Opened) -> int:
    """Return Exif's number of how the picture is turned; 1, upright, where it is damaged."""
    try:
        exif = opened.image.getexif()
        if opened.png and "eXIf" in opened.png.told:
            exif.load(opened.png.told["eXIf"])
        return exif.get(_ORIENTATION, 1)
    except _DECODE_ERRORS:
        return 1


def _check_shape(path: Path, width: int, height: int) -> None:
    shape, shorter, longer = f"{width}×{height}", min(width, height), max(width, height)
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


def _not_a_picture(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(_BRANDS)
    brands = {start[place : place + 4] for place in range(8, min(int.from_bytes(start[:4], "big"), len(start)), 4)}
    if start[4:8] == b"ftyp" and brands & _HEIC_BRANDS and not brands & _AVIF_BRANDS:
        return f"The picture {path} is HEIC, which cannot be read here; convert it to JPEG or PNG."
    if start[4:8] == b"ftyp" and brands & _AVIF_BRANDS:
        return f"The picture {path} is AVIF, which this Pillow cannot read; update Pillow or convert it to JPEG or PNG."
    return f"Expected {_WANTED} in {path}, got something else or a damaged file; save it anew as JPEG or PNG."


def _deep_colour(opened: _Opened, count: int) -> Pixels | None:
    """Decode a 16-bit PNG with OpenCV, since Pillow keeps only 8 bits of colour; None for everything else."""
    if opened.png is None or not opened.png.deep or opened.profile or count * _DEEP_BYTES > MOST_BYTES:
        return None
    pixels = cv2.imdecode(np.frombuffer(opened.png.plain, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        return None
    step = _step(count)
    if step > 1:
        size = -(-pixels.shape[1] // step), -(-pixels.shape[0] // step)
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    if pixels.ndim == 2:
        return pixels[..., None]
    order = [2, 1, 0, 3][: pixels.shape[2]]
    return pixels[..., order]


def _step(count: int) -> int:
    """Tell by how much a picture of so many pixels is scaled down along each side."""
    return max(1, math.ceil(math.sqrt(count / MAX_PIXELS)))


def _channels(opened: _Opened) -> Pixels:
    """Turn any Pillow mode into (h, w, 1, 3 or 4)."""
    image, transparent = opened.image, _is_transparent(opened.image)
    step = _step(image.size[0] * image.size[1])
    if image.mode == "F":
        return np.asarray(image, np.float32)[::step, ::step, None]
    if image.mode.startswith("I"):
        return np.clip(np.asarray(image)[::step, ::step], 0, 65535).astype(np.uint16)[..., None]
    if not transparent:
        if step > 1:
            image = (image.convert("RGB") if image.mode in {"P", "1"} else image).reduce(step)
        return np.asarray(in_srgb(image, opened.profile))
    grey = image.mode in {"LA", "La"}
    mode = "LA" if grey else "RGBA"
    rgba = image if image.mode == mode else image.convert(mode)
    rgba = rgba.reduce(step) if step > 1 else rgba
    colour = in_srgb(rgba.convert("L" if grey else "RGB"), opened.profile)
    return np.dstack([np.asarray(colour), np.asarray(rgba.getchannel("A"))])


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
