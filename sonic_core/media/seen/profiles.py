"""The colours of pictures, converted to sRGB by what their profiles contain, whatever these are called."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from .boxes import Codes
from .hdr import BT709, HLG, PQ, Chromaticities, as_srgb, converted, gamut, is_strange, levels, srgb_light
from .png import Png

_SRGB_GAMMA = 1 / 2.2
_ALIKE = 0.02
"""Differences of gamma and of chromaticities that are rounding."""
_LIKE_SRGB = 2
"""Levels of 255 by which a profile that is sRGB under any name may change a colour: the library rounds."""
_STEPS = 9
"""Levels per channel on which a profile is tried."""
_TAGS, _TAG = 128, 12
"""Where an ICC profile's table of tags begins, and bytes of its entries."""
_MOST_TAGS = 200
_MODES = {"RGB": "RGB", "CMYK": "CMYK", "GRAY": "L", "LAB": "LAB"}
"""Pillow's name of what a profile is for."""


def profile_codes(profile: bytes) -> Codes | None:
    """Read the codes that a profile of HDR contains; None where it has none.

    Source: ICC.1:2022, 9.2.17 and 10.3 (cicp).
    """
    count = min(int.from_bytes(profile[_TAGS : _TAGS + 4], "big"), _MOST_TAGS)
    for number in range(count):
        entry = profile[_TAGS + 4 + _TAG * number :][:_TAG]
        if entry[:4] == b"cicp":
            content = profile[int.from_bytes(entry[4:8], "big") :][8:12]
            return (content[0], content[1]) if content[1:] else None
    return None


def is_hdr(codes: Codes | None) -> bool:
    """Tell whether codes are those of HDR."""
    return codes is not None and codes[1] in {PQ, HLG}


def in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert to 8-bit RGB, through the profile where it fits what the picture has."""
    if image.mode in {"P", "PA", "1"}:
        image = image.convert("L" if image.mode == "1" else "RGB")
    if not profile:
        return image.convert("RGB") if image.mode != "LAB" else _from_lab(image)
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        core: Any = given.profile
        wanted = _MODES.get(core.xcolor_space.strip())
        if wanted == image.mode or (wanted, image.mode) == ("RGB", "L"):
            return _through(image.convert(wanted), given)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        pass  # a damaged or mismatched profile is no reason to refuse the picture
    return image.convert("RGB") if image.mode != "LAB" else _from_lab(image)


def _through(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    """Convert an image of the profile's mode to sRGB; where the profile is sRGB itself, it is left as it is."""
    transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), image.mode, "RGB")
    if image.mode == "RGB":
        tried = _some_colours()
        shown = ImageCms.applyTransform(tried, transform)
        if np.abs(np.asarray(tried).astype(int) - np.asarray(shown)).max() <= _LIKE_SRGB:
            return image
    return ImageCms.applyTransform(image, transform) or image.convert("RGB")


def _some_colours() -> Image.Image:
    """Make a picture of colours all over the cube."""
    steps = np.linspace(0, 255, _STEPS).round().astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), -1)
    return Image.fromarray(np.ascontiguousarray(cube.reshape(_STEPS, -1, 3)))


def _from_lab(image: Image.Image) -> Image.Image:
    transform = ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
    return ImageCms.applyTransform(image, transform) or image.convert("RGB")


def told_in_srgb(pixels: npt.NDArray[Any], codes: Codes | None, png: Png | None) -> npt.NDArray[Any] | None:
    """Convert pixels by the codes that a file tells, or by a PNG's gamma and primaries; None where they are sRGB.

    Args:
        pixels: (h, w, 1, 3 or 4) uint8 or uint16; the fourth is opacity, and stays.
        codes: Primaries and transfer.
        png: The file, where it is PNG and has no profile.

    Returns:
        (h, w, 3 or 4) float32 in [0, 1].
    """
    opacity = pixels[..., 3:]
    colour = np.repeat(pixels, 3, -1) if pixels.shape[-1] == 1 else pixels[..., :3]
    if codes is not None:
        made = as_srgb(colour, *codes) if is_strange(*codes) else None
    else:
        made = None if png is None else _by_power(colour, png.gamma, png.chromaticities)
    if made is None:
        return None
    whole = np.float32(np.iinfo(pixels.dtype).max)
    return np.concatenate([made, opacity / whole], -1) if opacity.size else made


def _by_power(
    colour: npt.NDArray[Any], gamma: float | None, chromaticities: Chromaticities | None
) -> npt.NDArray[np.float32] | None:
    """Convert by PNG's gAMA and cHRM; None where they mean sRGB or nothing."""
    usual = gamma is None or abs(gamma / _SRGB_GAMMA - 1) <= _ALIKE
    near = chromaticities is None or bool(np.abs(np.array(chromaticities) - np.array(BT709)).max() <= _ALIKE)
    if usual and near:
        return None
    values = levels(colour.dtype.itemsize)
    light = srgb_light(values) if gamma is None or usual else values ** (1 / gamma)
    try:
        matrix = None if chromaticities is None or near else gamut(chromaticities)
    except np.linalg.LinAlgError:  # its primaries lie on a line: they mean nothing
        matrix = None
    return converted(colour, light.astype(np.float32), matrix)
