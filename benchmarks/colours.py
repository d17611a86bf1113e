"""How far colours come out from what a converter that is not ours makes of the same bytes.

    python benchmarks/colours.py

HDR, wide gamuts and gammas are compared with colour-science (``pip install colour-science``: curves of BT.2100 and
matrices of primaries), profiles with LittleCMS too, transparency with Pillow's. The picture is the bundled portrait, so
that no light is brighter than white; where light is in the upper quarter, our tone curve makes room for highlights,
which a converter that cuts them off does not: that is why errors are told below the knee as well.
"""

from __future__ import annotations

import io
import sys
import tempfile
import warnings
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from PIL import Image, ImageCms

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
warnings.simplefilter("ignore")

import colour  # noqa: E402  # type: ignore[import-not-found]

from sonic_core.media.image import read_image  # noqa: E402
from sonic_core.media.seen.hdr import BT2020, HLG, KNEE, PQ  # noqa: E402
from tests.odd.made import (  # noqa: E402
    TO_2020,
    chunk,
    hlg,
    linear,
    png_bytes,
    portrait,
    pq,
    shown,
    with_chunk,
    write_film,
)
from tests.odd.test_light import P3_POINTS, coded, hdr_film, p3_profile, to_p3  # noqa: E402

FACE = portrait(512)
LIGHT = linear(FACE)
WHITE = 203.0
"""cd/m² of white in HDR. Source: ITU-R BT.2408."""
HLG_WHITE = 0.75
"""HLG's signal of white, from the same."""
BACKDROP = 204
"""Grey behind what is transparent."""


def to_srgb(light: np.ndarray, space: str) -> np.ndarray:
    """Turn linear light of a colour space to sRGB, (h, w, 3) in [0, 1], by colour-science."""
    return colour.cctf_encoding(np.clip(light @ matrix(space).T, 0, 1), function="sRGB")


def matrix(space: str) -> np.ndarray:
    """Return the matrix from a linear colour space to linear sRGB."""
    spaces = colour.RGB_COLOURSPACES
    return colour.matrix_RGB_to_RGB(spaces[space], spaces["sRGB"], chromatic_adaptation_transform=None)


def light_of(signal: np.ndarray, transfer: int) -> np.ndarray:
    """Decode HDR; white is 1."""
    if transfer == PQ:
        return colour.models.eotf_ST2084(signal) / WHITE
    decode = colour.models.oetf_inverse_BT2100_HLG
    return decode(signal) / decode(HLG_WHITE)


def tell(name: str, made: torch.Tensor, wanted: np.ndarray, light: np.ndarray | None = None) -> None:
    """Print a row: mean error in levels of 255, that below the knee, and by how much the mean colour leans."""
    error = np.abs(made.numpy().transpose(1, 2, 0) - wanted) * 255
    dim = np.ones(error.shape[:2], bool) if light is None else light.max(-1) < KNEE
    lean = np.abs((made.numpy().transpose(1, 2, 0) - wanted).mean((0, 1))).max() * 255
    sys.stdout.write(f"| {name} | {error.mean():.2f} | {error[dim].mean():.2f} | {lean:.2f} |\n")


def hdr(folder: Path) -> None:
    """Pictures and films in PQ and HLG."""
    for name, transfer, curve in (("PQ", PQ, pq), ("HLG", HLG, hlg)):
        pixels = np.round(curve(LIGHT @ TO_2020.T) * 65535).astype(np.uint16)
        _, content = cv2.imencode(".png", pixels[..., ::-1])
        marked = with_chunk(content.tobytes(), chunk(b"cICP", bytes([BT2020, transfer, 0, 1])))
        (folder / "x.png").write_bytes(marked)
        light = light_of(pixels / 65535, transfer)
        tell(f"PNG of 16 bits, {name}", read_image(folder / "x.png"), to_srgb(light, "ITU-R BT.2020"), LIGHT)
    for name, transfer in (("PQ", PQ), ("HLG", HLG)):
        path = hdr_film(folder / "x.mkv", transfer)
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
            signal = frame.reformat(format="rgb48le", src_colorspace=9, dst_colorspace=9).to_ndarray() / 65535
        light = light_of(signal, transfer)
        tell(f"film of 10 bits, {name}", shown(path)[1][0], to_srgb(light, "ITU-R BT.2020"), light)


def profiles(folder: Path) -> None:
    """Profiles, gammas and primaries of pictures."""
    wide = Image.fromarray(coded(LIGHT @ to_p3().T))
    profile = p3_profile()
    best = {"quality": 100, "subsampling": 0}
    for name, picture, ending, options in (
        ("PNG", wide, "png", {}),
        ("JPEG", wide, "jpg", best),
        ("PNG with a palette", wide.quantize(256), "png", {}),
    ):
        picture.save(folder / f"x.{ending}", None, icc_profile=profile, **options)
        with Image.open(folder / f"x.{ending}") as opened:
            plain = opened.convert("RGB")
        values = colour.cctf_decoding(np.asarray(plain) / 255, function="sRGB")
        made = read_image(folder / f"x.{ending}")
        tell(f"{name}, profile of Display P3; colour-science", made, to_srgb(values, "Display P3"))
        srgb, given = ImageCms.createProfile("sRGB"), ImageCms.ImageCmsProfile(io.BytesIO(profile))
        wanted = ImageCms.profileToProfile(plain, given, srgb, ImageCms.Intent.RELATIVE_COLORIMETRIC)
        tell(f"{name}, profile of Display P3; LittleCMS", made, np.asarray(wanted) / 255)
    pixels = np.round(255 * LIGHT).astype(np.uint8)
    (folder / "x.png").write_bytes(with_chunk(png_bytes(pixels), chunk(b"gAMA", (100000).to_bytes(4, "big"))))
    tell("PNG of gamma 1", read_image(folder / "x.png"), to_srgb(pixels / 255, "sRGB"))
    body = b"".join(round(one * 100000).to_bytes(4, "big") for point in ((0.3127, 0.3290), *P3_POINTS) for one in point)
    (folder / "x.png").write_bytes(with_chunk(png_bytes(np.asarray(wide)), chunk(b"cHRM", body)))
    values = colour.cctf_decoding(np.asarray(wide) / 255, function="sRGB")
    tell("PNG of other primaries", read_image(folder / "x.png"), to_srgb(values, "Display P3"))


def transparency(folder: Path) -> None:
    """Pictures and films through which the backdrop is seen."""
    across = np.linspace(0, 255, FACE.shape[1]).round().astype(np.uint8)[None].repeat(len(FACE), 0)
    pixels = np.dstack([FACE, across])
    behind = Image.new("RGBA", FACE.shape[1::-1], (BACKDROP,) * 3 + (255,))
    wanted = np.asarray(Image.alpha_composite(behind, Image.fromarray(pixels)).convert("RGB")) / 255
    Image.fromarray(pixels).save(folder / "x.png")
    tell("PNG with transparency", read_image(folder / "x.png"), wanted)
    for ending, codec, layout in (("mov", "qtrle", "argb"), ("mkv", "ffv1", "bgra")):
        path = write_film(folder / f"x.{ending}", [pixels] * 2, codec=codec, layout=layout, given="rgba")
        tell(f"film with transparency ({codec})", shown(path)[1][0], wanted)


def main() -> None:
    """Measure, and print a table."""
    sys.stdout.write("| conversion | mean error, levels of 255 | below the knee | mean colour leans by |\n")
    sys.stdout.write("|---|---|---|---|\n")
    with tempfile.TemporaryDirectory() as folder:
        for part in (hdr, profiles, transparency):
            part(Path(folder))


if __name__ == "__main__":
    main()
