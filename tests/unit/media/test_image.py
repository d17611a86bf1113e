"""Every picture that people have, and every one that cannot be used."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from sonic_core.errors import InputError, MediaError
from sonic_core.media.image import BACKDROP, read_image, write_png

HEIGHT, WIDTH = 80, 100
RAMP = np.linspace(0, 255, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.uint8)
COLOURS = np.dstack([RAMP, RAMP[::-1], RAMP[:, ::-1]])
DEEP = np.linspace(0, 65535, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.uint16)


def expected(pixels, full=255):
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1) / full)).float()


def check(path, wanted, tolerance=1e-6):
    image = read_image(path)
    assert image.dtype == torch.float32 and image.is_contiguous() and len(image) == 3
    torch.testing.assert_close(image, wanted, atol=tolerance, rtol=0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_exif_turns_the_picture_upright(tmp_path, orientation, ending):
    upright = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    upright[:40, :50] = [255, 0, 0]
    upright[:40, 50:] = [0, 255, 0]
    upright[40:, :50] = [0, 0, 255]
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright), 7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    image = Image.fromarray(np.ascontiguousarray(stored))
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(
        tmp_path / f"turned.{ending}", exif=exif, **({"quality": 100, "subsampling": 0} if ending == "jpg" else {})
    )
    check(tmp_path / f"turned.{ending}", expected(upright), 0.03 if ending == "jpg" else 1e-6)


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "webp", "gif"])
def test_colour_files(tmp_path, ending):
    pixels = COLOURS if ending != "gif" else np.dstack([RAMP // 8 * 8] * 3)
    Image.fromarray(pixels).save(tmp_path / f"x.{ending}", **({"lossless": True} if ending == "webp" else {}))
    check(tmp_path / f"x.{ending}", expected(pixels))


def test_grey_and_bilevel(tmp_path):
    Image.fromarray(RAMP).save(tmp_path / "grey.png")
    check(tmp_path / "grey.png", expected(np.dstack([RAMP] * 3)))
    Image.fromarray(RAMP > 127).save(tmp_path / "bits.png")
    check(tmp_path / "bits.png", expected(np.dstack([(RAMP > 127) * 255] * 3)))


def test_alpha_shows_the_backdrop(tmp_path):
    Image.fromarray(np.dstack([COLOURS, RAMP])).save(tmp_path / "x.png")
    alpha = RAMP[..., None] / 255
    check(tmp_path / "x.png", expected((COLOURS / 255) * alpha + BACKDROP * (1 - alpha), 1))
    Image.fromarray(np.dstack([RAMP, RAMP[::-1]])).save(tmp_path / "la.png")
    alpha = RAMP[::-1, :, None] / 255
    check(tmp_path / "la.png", expected((np.dstack([RAMP] * 3) / 255) * alpha + BACKDROP * (1 - alpha), 1))


def test_palette_with_transparency(tmp_path):
    indices = np.zeros((HEIGHT, WIDTH), np.uint8)
    indices[:, 50:] = 1
    image = Image.fromarray(indices).convert("P")
    image.putdata(indices.ravel().tolist())
    image.putpalette([255, 0, 0, 0, 255, 0])
    for ending in ("png", "gif"):
        image.save(tmp_path / f"x.{ending}", transparency=1)
        wanted = torch.zeros(3, HEIGHT, WIDTH)
        wanted[0, :, :50] = 1
        wanted[:, :, 50:] = BACKDROP
        check(tmp_path / f"x.{ending}", wanted)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_keep_their_scale(tmp_path, channels):
    colours = np.dstack([DEEP, DEEP[::-1], DEEP[:, ::-1], DEEP.max() - DEEP])[..., :channels]
    stored = colours[..., 0] if channels == 1 else colours[..., [2, 1, 0, 3][:channels]]
    assert cv2.imwrite(str(tmp_path / "deep.png"), stored)
    wanted = expected(colours, 65535)
    if channels == 4:
        wanted = wanted[:3] * wanted[3:] + BACKDROP * (1 - wanted[3:])
    check(tmp_path / "deep.png", wanted.expand(3, -1, -1))


def test_sixteen_bit_grey_with_alpha_and_tiff(tmp_path):
    def part(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    rows = np.dstack([DEEP, np.full_like(DEEP, 32768)]).astype(">u2")
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 4, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    png = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", data) + part(b"IEND", b"")
    (tmp_path / "x.png").write_bytes(png)
    grey = expected(np.dstack([DEEP] * 3), 65535)
    check(tmp_path / "x.png", grey / 2 + BACKDROP / 2, 1e-5)
    Image.fromarray(DEEP).save(tmp_path / "x.tif")
    check(tmp_path / "x.tif", grey)


def test_print_colours(tmp_path):
    Image.new("CMYK", (WIDTH, HEIGHT), (0, 255, 255, 0)).save(tmp_path / "x.jpg", quality=100)
    red = read_image(tmp_path / "x.jpg").mean((1, 2))
    assert red[0] > 0.9 and red[1:].max() < 0.1


def swapped_profile():
    """An RGB profile in which red is blue and blue is red."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile.replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))
    return profile.replace(b"rXYZ", b"tmp!").replace(b"bXYZ", b"rXYZ").replace(b"tmp!", b"bXYZ")


def test_colour_profile_is_converted(tmp_path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    alpha = np.full_like(RAMP, 255)
    for name, profile, pixels, wanted in [
        ("srgb", srgb, COLOURS, COLOURS),
        ("swapped", swapped_profile(), COLOURS, COLOURS[..., ::-1]),
        ("swapped_alpha", swapped_profile(), np.dstack([COLOURS, alpha]), COLOURS[..., ::-1]),
        ("broken", b"no profile at all", COLOURS, COLOURS),
    ]:
        Image.fromarray(pixels).save(tmp_path / f"{name}.png", icc_profile=profile)
        check(tmp_path / f"{name}.png", expected(wanted), 2 / 255 if name.startswith("swapped") else 1e-6)


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_first_frame_of_an_animation(tmp_path, ending):
    red, blue = (Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ("red", "blue"))
    red.save(tmp_path / f"x.{ending}", save_all=True, append_images=[blue])
    assert read_image(tmp_path / f"x.{ending}").mean((1, 2))[0] > 0.95


def test_png_round_trip(tmp_path):
    assert write_png(tmp_path / "x.png", expected(COLOURS)) == tmp_path / "x.png"
    check(tmp_path / "x.png", expected(COLOURS))
    write_png(tmp_path / "grey.png", torch.full((1, HEIGHT, WIDTH), 2.0))
    check(tmp_path / "grey.png", torch.ones(3, HEIGHT, WIDTH))
    with pytest.raises(MediaError, match=r"ends in \.png"):
        write_png(tmp_path / "x.jpg", expected(COLOURS))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["grey.png", "x.png"]


def jpeg():
    file = io.BytesIO()
    Image.fromarray(COLOURS).save(file, "JPEG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.png", None, "no file is there"),
        ("empty.png", b"", "empty file"),
        ("text.png", b"this is no picture, only words\n" * 9, "something else"),
        ("cut.jpg", jpeg()[: len(jpeg()) // 2], "damaged or cut off"),
        ("cut.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "damaged"),
        ("phone.png", b"\0\0\0\x18ftypheic" + b"\0" * 50, "HEIC.*convert"),
        ("gain.heic", b"\0\0\0\x1cftypMiHB\0\0\0\0mif1heictmap" + b"\0" * 50, "HEIC.*convert"),
    ],
)
def test_unreadable_files(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(MediaError, match=words) as caught:
        read_image(tmp_path / name)
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder(tmp_path):
    with pytest.raises(MediaError, match="got the folder"):
        read_image(tmp_path)


@pytest.mark.parametrize(
    ("size", "words"), [((10, 10), "at least 64 pixels"), ((20000, 20), "at most 8 times"), ((63, 300), "at least 64")]
)
def test_unusable_sizes(tmp_path, size, words):
    Image.new("L", size).save(tmp_path / "x.png")
    with pytest.raises(InputError, match=words) as caught:
        read_image(tmp_path / "x.png")
    assert f"{size[0]}×{size[1]}" in str(caught.value)


@pytest.mark.parametrize("side", [13400, 30000])
def test_the_size_is_checked_before_decoding(tmp_path, side):
    Image.new("L", (64, 64)).save(tmp_path / "x.png")
    png = bytearray((tmp_path / "x.png").read_bytes())
    png[16:24] = struct.pack(">II", side, side)
    png[29:33] = struct.pack(">I", zlib.crc32(bytes(png[12:29])))
    (tmp_path / "x.png").write_bytes(bytes(png))
    with pytest.raises(InputError, match=r"at most 1024 MB of memory.*would take.*scale"):
        read_image(tmp_path / "x.png")
