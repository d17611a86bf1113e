"""GIF, WebP and picture sequences: what is theirs alone."""

import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from sonic_core.errors import MediaError, SonicWarning
from tests.unit.media.written import SILENT, TEXTS, clip_of, pictures, portrait, psnr, smooth, tone, write


def test_a_gifs_colours_are_made_for_it(tmp_path):
    picture = portrait()
    frames = torch.stack([picture.roll(shift, 2) for shift in range(5)])
    made = psnr(pictures(write(tmp_path, "gif", frames), "gif"), frames)
    pixels = Image.fromarray((picture * 255).round().byte().permute(1, 2, 0).numpy())
    web = pixels.quantize(palette=Image.new("P", (1, 1)).convert("RGB").convert("P", palette=Image.Palette.WEB))
    fixed = torch.from_numpy(np.asarray(web.convert("RGB"), np.float32) / 255).permute(2, 0, 1)
    assert made > 38 > psnr(fixed, picture) + 10


@pytest.mark.parametrize(
    ("fps", "length", "shown", "seconds"),
    [(25, 10, {4}, 0.4), (30, 30, {3, 4}, 1.0), (50, 10, {2}, 0.2), (12.5, 5, {8}, 0.4), (100, 20, {2}, 0.2)],
)
def test_a_gif_lasts_as_long_as_its_clip(tmp_path, fps, length, shown, seconds):
    frames = torch.linspace(0, 1, length)[:, None, None, None].expand(length, 3, 32, 32)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        path = write(tmp_path, "gif", frames, fps=Fraction(fps))
    assert [str(one.message).count("50 frames per second") for one in said] == [1] * (fps > 50)
    with Image.open(path) as moving:
        durations = [(moving.seek(index), moving.info["duration"])[1] for index in range(moving.n_frames)]
    assert {duration // 10 for duration in durations} == shown
    assert sum(durations) == round(1000 * seconds)


@pytest.mark.parametrize("name", sorted(SILENT))
def test_pictures_have_no_sound_and_say_so(tmp_path, name):
    with pytest.warns(SonicWarning, match="has no sound"):
        clip_of(smooth(), tone(0.24)).export(tmp_path / f"x.{name}")


def test_a_webp_is_read_as_the_canvas_reads_it(tmp_path):
    """The walk over the chunks that ComfyUI's canvas does, which knows nothing of padding."""
    content = write(tmp_path, "webp", metadata=TEXTS).read_bytes()
    assert int.from_bytes(content[4:8], "little") == len(content) - 8
    place, found = 12, b""
    while place < len(content):
        length = int.from_bytes(content[place + 4 : place + 8], "little")
        if content[place : place + 4] == b"EXIF":
            found = content[place + 8 : place + 8 + length]
        place += 8 + length
    assert f"workflow:{TEXTS['workflow']}\0".encode() in found and f"prompt:{TEXTS['prompt']}\0".encode() in found


def test_a_webp_stores_only_what_changed(tmp_path):
    frames = smooth(1).repeat(8, 1, 1, 1)
    frames[3:, :, 40:56, 60:90] = 0.2
    frames[6, :, 8, 8] = 1.0
    back = pictures(write(tmp_path, "webp", frames, crf=5), "webp")
    assert len(back) == 4  # the first, the patch, the dot, without the dot
    assert (back - frames[[0, 3, 6, 7]]).abs().mean() * 255 < 1.2
    still = write(tmp_path, "webp", smooth(1).repeat(50, 1, 1, 1))
    with Image.open(still) as moving:
        moving.load()
        assert (moving.n_frames, moving.info.get("duration")) == (1, 2000)


def test_a_sequence_never_takes_the_place_of_a_folder(tmp_path):
    path = write(tmp_path, "png16")
    before = sorted((file.name, file.stat().st_mtime_ns) for file in path.iterdir())
    with pytest.raises(MediaError, match="exists"):
        write(tmp_path, "png16")
    assert sorted((file.name, file.stat().st_mtime_ns) for file in path.iterdir()) == before

    def take_the_name(stage, done, total):
        (tmp_path / "late").mkdir(exist_ok=True)

    with pytest.raises(MediaError, match="exists"):
        clip_of(smooth()).export(tmp_path / "late", format="png16", progress=take_the_name)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["late", "x"] and not list((tmp_path / "late").iterdir())


def test_a_gif_keeps_what_is_small_and_of_another_colour(tmp_path):
    """Lips: one pixel in four hundred, and the only red."""
    picture = portrait()
    picture[:, 150:160, 90:102] = torch.tensor([0.72, 0.30, 0.28])[:, None, None]
    frames = picture.expand(3, -1, -1, -1)
    lips = pictures(write(tmp_path, "gif", frames), "gif")[:, :, 151:159, 91:101].mean((0, 2, 3))
    assert (lips - torch.tensor([0.72, 0.30, 0.28])).abs().max() * 255 < 4


@pytest.mark.parametrize(("plays", "gif", "webp"), [(0, 0, 0), (1, None, 1), (2, 1, 2), (5, 4, 5)])
@pytest.mark.parametrize("metadata", [{}, TEXTS])
def test_pictures_that_move_say_how_often(tmp_path, plays, gif, webp, metadata):
    """GIF counts what follows the first time, and says nothing where nothing does; WebP counts all."""
    for name, expected in [("gif", gif), ("webp", webp)]:
        with Image.open(write(tmp_path, name, plays=plays, metadata=metadata)) as moving:
            assert moving.info.get("loop") == expected
            assert moving.n_frames == len(smooth())
            if name == "gif":
                assert bool(moving.info.get("comment")) == bool(metadata)


@pytest.mark.parametrize("name", ["mp4-h264", "png16"])
def test_what_cannot_say_so_has_its_frames_as_often(tmp_path, name):
    frames = smooth(4)
    shown = pictures(write(tmp_path, name, frames, plays=3, crf=4), name)
    assert len(shown) == 12
    assert float((shown[:4] - shown[8:]).abs().max()) < 0.05
