"""HDR, wide gamuts and profiles come out as sRGB that looks like the picture they were made of."""

import io
import warnings

import av
import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, features

from sonic_core.errors import SonicWarning
from sonic_core.media.image import read_image
from sonic_core.media.seen.boxes import box_codes
from sonic_core.media.seen.hdr import BT2020, HLG, KNEE, LINEAR, P3, PQ, as_srgb
from sonic_core.media.threads import usual_priority
from tests.odd.made import (
    TO_2020,
    chunk,
    hlg,
    linear,
    png_bytes,
    portrait,
    pq,
    shown,
    video_frames,
    with_chunk,
    with_colours_of_another_item,
    write_film,
)

FACE = portrait()
PLAIN = FACE.transpose(2, 0, 1) / 255
LIGHT = linear(FACE) @ TO_2020.T
CURVES = {PQ: pq, HLG: hlg}
SRGB = 13
"""The code of sRGB's transfer (ITU-T H.273, table 3)."""
P3_POINTS = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))


def to_p3():
    """Linear BT.709 to linear Display P3, by lcms's own arithmetic of the primaries."""

    def xyz(points):
        columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in (*points, (0.3127, 0.3290))]).T
        return columns[:, :3] * np.linalg.solve(columns[:, :3], columns[:, 3])

    return np.linalg.inv(xyz(P3_POINTS)) @ xyz(((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)))


def coded(light):
    """Code light as sRGB in 8 bits."""
    light = np.clip(light, 0, 1)
    return np.round(255 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)).astype(
        np.uint8
    )


def error(image, wanted=PLAIN):
    return float(np.abs(image.numpy() - wanted).mean())


def hdr_film(path, transfer, primaries=BT2020):
    """Write the video as phones record HDR: 10 bits, BT.2020."""

    def tell(stream):
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = primaries, transfer, 9, 1

    frames = []
    for pixels in video_frames(6):
        values = CURVES[transfer](linear(pixels) @ TO_2020.T)
        red, green, blue = np.moveaxis(values, -1, 0)
        luma = 0.2627 * red + 0.6780 * green + 0.0593 * blue
        planes = [64 + 876 * luma, 512 + 896 * (blue - luma) / 1.8814, 512 + 896 * (red - luma) / 1.4746]
        halved = [cv2.resize(plane, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for plane in planes[1:]]
        frame = av.VideoFrame(pixels.shape[1], pixels.shape[0], "yuv420p10le")
        for plane, values_of in zip(frame.planes, [planes[0], *halved], strict=True):
            room = np.frombuffer(plane, np.uint16).reshape(-1, plane.line_size // 2)
            room[: plane.height, : plane.width] = np.round(values_of)
        frames.append(frame)
    options = {"x265-params": "log-level=none:crf=4"}
    return write_film(path, frames, codec="libx265", layout="yuv420p10le", prepare=tell, **options)


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("ending", ["mov", "mkv"])
def test_hdr_films_look_as_they_did_before_and_a_word_is_said(tmp_path, transfer, ending):
    path = hdr_film(tmp_path / f"x.{ending}", transfer)
    with pytest.warns(SonicWarning, match="HDR.*converted") as told:
        info, frames = shown(path)
    assert len(told) == 1 and info.length == 6
    wanted = torch.stack([torch.from_numpy(pixels) for pixels in video_frames(6)]).permute(0, 3, 1, 2) / 255
    assert (frames.mean((0, 2, 3)) - wanted.mean((0, 2, 3))).abs().max() < 0.015
    assert (frames - wanted).abs().mean() < 0.02


def test_ordinary_films_are_not_touched_and_nothing_is_said(tmp_path):
    path = write_film(tmp_path / "x.mkv", video_frames(3), codec="ffv1", layout="bgr0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, frames = shown(path)
    wanted = torch.stack([torch.from_numpy(pixels) for pixels in video_frames(3)]).permute(0, 3, 1, 2) / 255
    assert torch.equal((frames * 255).round(), (wanted * 255).round())


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_the_tone_curve_rises_keeps_what_is_dim_and_ends_at_white(transfer):
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1).repeat(3, 2)
    made = as_srgb(values, 1, transfer)[..., 0].ravel()
    assert (np.diff(made) >= -1e-6).all() and made[0] == 0 and made[-1] == 1
    light = np.linspace(0, 0.99 * KNEE, 50)
    dim = np.round(CURVES[transfer](light) * 65535).astype(np.uint16)[None, :, None].repeat(3, 2)
    assert np.abs(as_srgb(dim, 1, transfer)[0, :, 0] * 255 - coded(light)).max() <= 0.6
    white = np.full((1, 1, 3), round(float(CURVES[transfer](1.0)) * 65535), np.uint16)
    assert 0.93 < as_srgb(white, 1, transfer)[0, 0, 0] < 0.97


def test_pressing_bright_light_keeps_its_hue():
    light = np.array([[[2.0, 1.0, 0.5]]])
    made = linear(as_srgb(np.round(pq(light) * 65535).astype(np.uint16), 1, PQ).astype(np.float64) * 255)[0, 0]
    assert made[0] <= 1 and abs(made[1] / made[0] - 0.5) < 0.01 and abs(made[2] / made[0] - 0.25) < 0.01


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_png_of_hdr(tmp_path, deep, transfer):
    values = CURVES[transfer](LIGHT)
    if deep:
        _, content = cv2.imencode(".png", np.round(values * 65535).astype(np.uint16)[..., ::-1])
        content = content.tobytes()
    else:
        content = png_bytes(np.round(values * 255).astype(np.uint8))
    (tmp_path / "x.png").write_bytes(with_chunk(content, chunk(b"cICP", bytes([BT2020, transfer, 0, 1]))))
    assert error(read_image(tmp_path / "x.png")) < (0.008 if deep else 0.012)


@pytest.mark.parametrize("gamma", [1.0, 0.55556, 0.45455, 0.4545])
def test_png_of_another_gamma(tmp_path, gamma):
    pixels = FACE if abs(gamma - 1 / 2.2) < 0.01 else np.round(255 * linear(FACE) ** gamma).astype(np.uint8)
    content = with_chunk(png_bytes(pixels), chunk(b"gAMA", round(gamma * 100000).to_bytes(4, "big")))
    (tmp_path / "x.png").write_bytes(content)
    assert error(read_image(tmp_path / "x.png")) < (0.008 if gamma > 0.5 else 1e-6)
    again = with_chunk(content, chunk(b"sRGB", b"\0"))
    (tmp_path / "srgb.png").write_bytes(again)
    assert error(read_image(tmp_path / "srgb.png"), pixels.transpose(2, 0, 1) / 255) < 1e-6


def test_png_of_other_primaries(tmp_path):
    points = ((0.3127, 0.3290), *P3_POINTS)
    body = b"".join(round(one * 100000).to_bytes(4, "big") for point in points for one in point)
    content = with_chunk(png_bytes(coded(linear(FACE) @ to_p3().T)), chunk(b"cHRM", body))
    (tmp_path / "x.png").write_bytes(content)
    assert error(read_image(tmp_path / "x.png")) < 0.004
    (tmp_path / "nothing.png").write_bytes(with_chunk(png_bytes(FACE), chunk(b"cHRM", bytes(32))))
    assert error(read_image(tmp_path / "nothing.png")) < 1e-6


def p3_profile(name="Display P3"):
    """An sRGB profile whose primaries are Display P3's, under any name."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    own = np.array(
        [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
    )
    columns = own @ np.linalg.inv(to_p3())
    for tag, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns.T, strict=True):
        entry = content.index(tag)
        place = int.from_bytes(content[entry + 4 : entry + 8], "big") + 8
        content[place : place + 12] = b"".join(round(one * 65536).to_bytes(4, "big", signed=True) for one in column)
    return bytes(content).replace("sRGB".encode("utf-16-be"), name[:4].encode("utf-16-be"))


@pytest.mark.parametrize("name", ["Disp", "sRGB"])
@pytest.mark.parametrize("mode", ["RGB", "P", "RGBA", "JPEG"])
def test_a_profile_is_taken_for_what_it_contains(tmp_path, name, mode):
    wide = Image.fromarray(coded(linear(FACE) @ to_p3().T))
    plain = Image.fromarray(FACE)
    if mode == "P":
        wide = wide.quantize(256)
        plain = wide.convert("RGB")
        wanted = coded(linear(np.asarray(plain)) @ np.linalg.inv(to_p3()).T).transpose(2, 0, 1) / 255
    else:
        wanted = PLAIN
    if mode == "RGBA":
        wide.putalpha(255)
    path = tmp_path / ("x.jpg" if mode == "JPEG" else "x.png")
    wide.save(path, icc_profile=p3_profile(name), **({"quality": 100, "subsampling": 0} if mode == "JPEG" else {}))
    assert error(read_image(path), wanted) < 0.006


def test_an_srgb_profile_changes_nothing_under_any_name(tmp_path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name in ("sRGB", "what"):
        profile = srgb.replace("sRGB".encode("utf-16-be"), name.encode("utf-16-be"))
        Image.fromarray(FACE).save(tmp_path / "x.png", icc_profile=profile)
        assert error(read_image(tmp_path / "x.png")) < 1e-6


def test_a_profile_that_says_hdr_is_hdr(tmp_path):
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    entry, place = profile.index(b"cprt", 128), len(profile)
    profile[entry : entry + 12] = b"cicp" + place.to_bytes(4, "big") + (12).to_bytes(4, "big")
    profile += b"cicp" + bytes(4) + bytes([BT2020, PQ, 0, 1])
    profile[:4] = len(profile).to_bytes(4, "big")
    Image.fromarray(np.round(pq(LIGHT) * 255).astype(np.uint8)).save(tmp_path / "x.png", icc_profile=bytes(profile))
    assert error(read_image(tmp_path / "x.png")) < 0.012


def test_avif_of_hdr(tmp_path):
    if not features.check("avif"):
        pytest.skip("This Pillow reads no AVIF.")
    file = io.BytesIO()
    Image.fromarray(np.round(pq(LIGHT) * 255).astype(np.uint8)).save(file, "AVIF", quality=95, subsampling="4:4:4")
    content = bytearray(file.getvalue())
    place = content.index(b"colrnclx") + 8
    content[place : place + 4] = bytes([0, BT2020, 0, PQ])
    (tmp_path / "x.avif").write_bytes(bytes(content))
    assert error(read_image(tmp_path / "x.avif")) < 0.02


def write_avif_10(path, pixels, codes, full):
    """Encode (h, w, 3) uint16 as an AVIF of 10 bits; the codes are primaries, transfer and matrix."""
    primaries, transfer, matrix = codes
    options = {"crf": "5", "preset": "9", "svtav1-params": "avif=1"}
    with av.open(str(path), "w", format="avif") as container:
        stream = container.add_stream("libsvtav1", rate=1, options=options)
        stream.height, stream.width, _ = pixels.shape
        stream.pix_fmt = "yuv420p10le"
        told = stream.codec_context
        told.color_primaries, told.color_trc, told.colorspace, told.color_range = primaries, transfer, matrix, 1 + full
        frame = av.VideoFrame.from_ndarray(pixels, "rgb48le")
        frame = frame.reformat(format=stream.pix_fmt, dst_colorspace=matrix, dst_color_range=1 + full)
        with usual_priority():
            told.open()
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("transfer", "worst"), [(SRGB, 0.01), (PQ, 0.02), (HLG, 0.02)])
def test_avif_of_ten_bits(tmp_path, monkeypatch, transfer, full, worst):
    """Mean error against the picture that was coded; 4:2:0 alone costs half of it."""
    if not features.check("avif") or "libsvtav1" not in av.codecs_available:
        pytest.skip("This Pillow reads no AVIF, or this PyAV writes none.")
    monkeypatch.setenv("SVT_LOG", "0")
    values = CURVES[transfer](LIGHT) if transfer in CURVES else FACE / 255
    codes = (BT2020, transfer, 9) if transfer in CURVES else (1, transfer, 1)
    write_avif_10(tmp_path / "x.avif", np.round(values * 65535).astype(np.uint16), codes, full)
    image = read_image(tmp_path / "x.avif")
    assert error(image) < worst
    assert np.abs((image.numpy() - PLAIN).mean((1, 2))).max() < 0.012  # no colour leans


@pytest.mark.parametrize("profile", [False, True])
def test_the_colours_of_a_gain_map_are_not_the_pictures(tmp_path, profile):
    if not features.check("avif"):
        pytest.skip("This Pillow reads no AVIF.")
    told = {"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()} if profile else {}
    file = io.BytesIO()
    Image.fromarray(FACE).save(file, "AVIF", quality=95, subsampling="4:4:4", **told)
    (tmp_path / "x.avif").write_bytes(with_colours_of_another_item(file.getvalue(), (BT2020, PQ)))
    assert error(read_image(tmp_path / "x.avif")) < 0.01


def test_of_a_jpeg_with_a_gain_map_the_base_is_taken(tmp_path):
    map_ = Image.fromarray(FACE).convert("L").resize((64, 64))
    Image.fromarray(FACE).save(tmp_path / "x.jpg", "MPO", quality=95, save_all=True, append_images=[map_])
    assert error(read_image(tmp_path / "x.jpg")) < 0.01


def test_a_sequence_which_has_no_items_tells_its_tracks_colours():
    assert box_codes(b"\0\0\0\x0cftypavis" + b"\0\0\0\x13colrnclx\0\x09\0\x10\0\x09\0") == (BT2020, PQ)


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_boxes_that_are_cut_off_tell_nothing_wrong(cut):
    if not features.check("avif"):
        pytest.skip("This Pillow writes no AVIF.")
    file = io.BytesIO()
    Image.fromarray(FACE).save(file, "AVIF")
    assert box_codes(file.getvalue()) in {None, (1, SRGB)}
    assert box_codes(file.getvalue()[:cut]) in {None, (1, SRGB)}


@pytest.mark.parametrize("mode", ["L", "LA", "LAB"])
def test_other_kinds_of_pixels_with_a_profile(tmp_path, mode):
    grey = Image.fromarray(FACE).convert("L")
    if mode == "LAB":
        there = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
        ImageCms.applyTransform(Image.fromarray(FACE), there).save(tmp_path / "x.tif")
        assert error(read_image(tmp_path / "x.tif")) < 0.01
        return
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    grey.convert(mode).save(tmp_path / "x.png", icc_profile=profile)
    assert error(read_image(tmp_path / "x.png"), np.stack([np.asarray(grey) / 255] * 3)) < 0.003


def test_linear_light_is_coded():
    values = np.linspace(0, 65535, 64).astype(np.uint16)[None, :, None].repeat(3, 2)
    assert np.abs(as_srgb(values, 1, LINEAR)[0, :, 0] * 255 - coded(values[0, :, 0] / 65535)).max() <= 0.51
    assert np.abs(as_srgb(coded(LIGHT), P3, 1) - as_srgb(coded(LIGHT), BT2020, 1)).mean() > 0.001
