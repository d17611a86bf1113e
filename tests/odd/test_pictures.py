"""Huge, damaged and odd pictures are read, or refused in one sentence within one bound of memory."""

import io
import json
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sonic_core.errors import FaceNotFoundError, InputError, MediaError
from sonic_core.faces.finder import choose_face
from sonic_core.media import bounds
from sonic_core.media.image import FORMATS, MAX_PIXELS, read_image
from sonic_core.settings import Settings
from sonic_core.types import Face
from tests.odd.made import chunk, png_bytes, portrait, with_chunk

ROOT = Path(__file__).parents[2]
FACE = portrait()
PLAIN = FACE.transpose(2, 0, 1) / 255


def same(path):
    return bool(np.abs(read_image(path).numpy() - PLAIN).max() < 1e-6)


LONG = zlib.compress(b"words and words " * 200_000)


@pytest.mark.parametrize(
    "chunks",
    [
        [chunk(b"zTXt", b"Comment\0\0" + LONG)],
        [chunk(b"iTXt", b"Comment\0\1\0\0\0" + LONG)],
        [chunk(b"zTXt", b"Comment\0\0" + LONG)] * 40,
        [chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(1_500_000)))],
        [chunk(b"tIME", bytes(7), damage=1)],
        [chunk(b"pHYs", bytes(9), damage=1), chunk(b"gAMA", (100000).to_bytes(4, "big"), damage=1)],
        [chunk(b"eXIf", b"MM\0*\xff\xff\xff\xff")],
        [chunk(b"eXIf", b"no Exif at all")],
        [chunk(b"cICP", b"\1"), chunk(b"iCCP", b"no end"), chunk(b"cHRM", b"short"), chunk(b"gAMA", bytes(4))],
    ],
    ids=[
        *("long text", "long words", "many texts", "long profile", "damaged time", "damaged size"),
        *("Exif that points away", "no Exif", "colours cut short"),
    ],
)
def test_a_png_with_more_than_a_picture_is_the_picture(tmp_path, chunks):
    (tmp_path / "x.png").write_bytes(with_chunk(png_bytes(FACE), *chunks))
    assert same(tmp_path / "x.png")


def test_a_long_profile_in_a_png_counts(tmp_path):
    from tests.odd.test_light import p3_profile

    profile = p3_profile()
    longer = profile + bytes(2_000_000)
    longer = len(longer).to_bytes(4, "big") + longer[4:]
    seen = []
    for given in (profile, longer):
        (tmp_path / "x.png").write_bytes(
            with_chunk(png_bytes(FACE), chunk(b"iCCP", b"wide\0\0" + zlib.compress(given)))
        )
        seen.append(read_image(tmp_path / "x.png").numpy())
    assert np.abs(seen[0] - seen[1]).max() < 1e-6 and np.abs(seen[0] - PLAIN).mean() > 0.003


def test_a_png_damaged_where_it_matters_is_refused(tmp_path):
    content = bytearray(png_bytes(FACE))
    content[content.index(b"IDAT") + 2000] ^= 0xFF
    (tmp_path / "x.png").write_bytes(bytes(content))
    with pytest.raises(MediaError, match="damaged or cut off"):
        read_image(tmp_path / "x.png")


@pytest.mark.parametrize("body", [b"", b"MM", b"MM\0*\0\0\0\x08\xff\xff" + bytes(40), b"II*\0" + b"\xff" * 60])
def test_a_jpeg_with_broken_exif_is_the_picture(tmp_path, body):
    Image.fromarray(FACE).save(tmp_path / "plain.jpg", quality=95)
    content = (tmp_path / "plain.jpg").read_bytes()
    block = b"Exif\0\0" + body
    broken = content[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + content[2:]
    (tmp_path / "x.jpg").write_bytes(broken)
    assert np.abs(read_image(tmp_path / "x.jpg").numpy() - read_image(tmp_path / "plain.jpg").numpy()).max() == 0


def test_exif_in_a_png_still_turns_it(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "x.png").write_bytes(png_bytes(np.rot90(FACE).copy(), exif=exif))
    assert same(tmp_path / "x.png")


@pytest.mark.parametrize("ending", ["gif", "webp"])
@pytest.mark.parametrize("blank", [(0, 0, 0), (255, 255, 255)])
def test_an_animation_that_starts_with_nothing(tmp_path, ending, blank):
    face = Image.fromarray(FACE)
    nothing = Image.new("RGB", face.size, blank)
    options = {"lossless": True} if ending == "webp" else {}
    nothing.save(tmp_path / f"x.{ending}", save_all=True, append_images=[nothing, face], duration=40, **options)
    assert np.abs(read_image(tmp_path / f"x.{ending}").numpy() - PLAIN).mean() < 0.05


@pytest.mark.parametrize("kind", ["eps", "wmf"])
def test_programs_are_no_pictures(tmp_path, kind):
    started = tmp_path / "started"
    words = f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 256 256\n({started}) (w) file closefile\n".encode()
    content = words if kind == "eps" else bytes.fromhex("d7cdc69a0000") + bytes(8) + b"\xff\0\xff\0" * 40
    (tmp_path / "portrait.png").write_bytes(content)
    with pytest.raises(MediaError, match="got something else or a damaged file"):
        read_image(tmp_path / "portrait.png")
    assert not started.exists() and not {"EPS", "WMF", "FITS", "HDF5", "GRIB", "BUFR", "SPIDER"} & set(FORMATS)


READ = """
import json, resource, sys, warnings
import sonic_core.media.image as image
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1 << 20)
before, mean = peak(), 0.0
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    try:
        picture = image.read_image(sys.argv[1])
        said, mean = list(picture.shape), float(picture.mean())
    except Exception as error:
        said = [type(error).__name__, str(error)]
print(json.dumps([said, peak() - before, mean, [str(one.message) for one in told]]))
"""


def read_apart(path):
    """Read a picture in a process of its own: what came of it, the MB that it took there, its mean, and warnings."""
    done = subprocess.run([sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True, cwd=ROOT)
    return json.loads(done.stdout)


def empty_png(width, height, depth, kind):
    """Make a PNG of nothing, a thousandth of its size."""
    channels = {0: 1, 2: 3, 3: 1, 6: 4}[kind]
    pack, body, row = zlib.compressobj(1), b"", bytes(1 + width * channels * depth // 8)
    for _ in range(height):
        body += pack.compress(row)
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([depth, kind, 0, 0, 0])
    palette = [chunk(b"PLTE", bytes(768)), chunk(b"tRNS", bytes(256))] if kind == 3 else []
    parts = [chunk(b"IHDR", head), *palette, chunk(b"IDAT", body + pack.flush()), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("width", "height", "depth", "kind"),
    [(10000, 10000, 8, 6), (7300, 7300, 16, 6)],
)
def test_a_small_file_of_a_large_picture_stays_within_the_bound(tmp_path, width, height, depth, kind):
    pytest.importorskip("resource")
    (tmp_path / "x.png").write_bytes(empty_png(width, height, depth, kind))
    said, taken, _, _ = read_apart(tmp_path / "x.png")
    assert said[0] == 3 and said[1] * said[2] <= MAX_PIXELS, said
    assert taken < bounds.MOST_BYTES >> 20


def test_a_gif_of_fifty_bytes_takes_no_memory(tmp_path):
    pytest.importorskip("resource")
    side = (60000).to_bytes(2, "little") * 2
    (tmp_path / "x.gif").write_bytes(
        b"GIF89a" + side + b"\x80\0\0" + bytes(6) + b"," + bytes(4) + side + b"\0\2\2D\1\0;"
    )
    said, taken, _, _ = read_apart(tmp_path / "x.gif")
    assert said[0] == "InputError" and "at most 1024 MB of memory" in said[1] and taken < 100


def test_a_picture_of_200_megapixels_is_read_smaller_and_a_word_says_so(tmp_path):
    pytest.importorskip("resource")
    grey = Image.fromarray(FACE).convert("L")
    grey.resize((16320, 12240)).save(tmp_path / "x.jpg", quality=80)
    said, taken, mean, told = read_apart(tmp_path / "x.jpg")
    assert said[0] == 3 and 0.2 * MAX_PIXELS < said[1] * said[2] <= MAX_PIXELS and taken < 800
    assert abs(mean - np.asarray(grey).mean() / 255) < 0.01 and "200 megapixels; it was scaled down to" in told[0]


def test_a_picture_of_ordinary_size_is_not_scaled(tmp_path):
    Image.new("RGB", (6000, 5000), (10, 20, 30)).save(tmp_path / "x.jpg")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(tmp_path / "x.jpg").shape == (3, 5000, 6000)


def test_one_bound_is_said_of_pictures_and_films(tmp_path):
    file = io.BytesIO()
    Image.new("L", (64, 64)).save(file, "PNG")
    content = bytearray(file.getvalue())
    content[16:24] = (15000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    (tmp_path / "x.png").write_bytes(bytes(content))
    with pytest.raises(InputError, match=r"picture that takes at most 1024 MB of memory.*would take 1287 MB"):
        read_image(tmp_path / "x.png")


def test_without_a_face_it_is_said_how_to_turn_the_picture():
    class Upright:
        """Finds what lies in the upper left."""

        name = "upright"

        def find(self, image):
            face = Face((0, 0, 20, 20), ((5, 8), (15, 8), (10, 12), (6, 16), (14, 16)), 1.0)
            return [face] if image[0, :20, :20].mean() > 0.5 else []

    image = torch.zeros(3, 100, 80)
    image[:, :20, :20] = 1
    assert choose_face(image, Upright(), Settings()).score == 1
    for quarters, words in [(1, "to the right"), (2, "upside down"), (3, "to the left")]:
        with pytest.raises(FaceNotFoundError, match=f"turn it .*{words}: there is one"):
            choose_face(torch.rot90(image, quarters, (1, 2)), Upright(), Settings())
    with pytest.raises(FaceNotFoundError, match="use a larger"):
        choose_face(torch.zeros(3, 100, 80), Upright(), Settings())
