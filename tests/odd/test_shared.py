"""The odd files beside the project give what they should."""

import re
import warnings
from pathlib import Path

import pytest
import torch

from sonic_core.clip import open_clip
from sonic_core.media.audio import read_audio
from sonic_core.media.image import read_image
from sonic_core.media.video import probe_video, read_video
from tests.odd.made import ASSETS

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "media" / "odd"
pytestmark = [pytest.mark.media, pytest.mark.skipif(not FOLDER.is_dir(), reason="no odd files beside the project")]


def read(name):
    """Read a file of any kind: what it is, and what was said about it."""
    path = FOLDER / name
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        if name.startswith("v"):
            info = probe_video(path)
            made = info, torch.cat(list(read_video(path, info=info)))
        else:
            made = read_image(path) if name.startswith("p") else read_audio(path)
    return made, " ".join(str(one.message) for one in told)


def means(frames):
    return frames.mean((0, 2, 3)).tolist()


def test_films():
    for name, fps, length, size, word in [
        ("v_hlg.mov", 25, 100, (384, 384), "HDR .* converted"),
        ("v_vfr_phone.mp4", 30, 237, (384, 384), ""),
        ("v_cut.mp4", 25, 121, (384, 384), ""),
        ("v_size_change.ts", 25, 198, (384, 384), "changes its size"),
        ("v_sar.mp4", 25, 198, (384, 384), ""),
        ("v_interlaced_pan.mp4", 25, 198, (384, 384), ""),
    ]:
        (info, frames), told = read(name)
        assert (info.fps, info.length, len(frames), info.size) == (fps, length, length, size), name
        assert re.search(word, told) if word else not told, (name, told)
        assert name == "v_interlaced_pan.mp4" or means(frames) == pytest.approx([0.63, 0.53, 0.45], abs=0.015), name


def test_no_combs():
    (_, frames), _ = read("v_interlaced_pan.mp4")
    rows = frames[20:60]
    combs = (2 * rows[..., 1:-1, :] - rows[..., 2:, :] - rows[..., :-2, :]).abs().mean()
    across = (2 * rows[..., 1:-1] - rows[..., 2:] - rows[..., :-2]).abs().mean()
    assert combs < 1.5 * across


def test_no_frame_of_the_phones_film_is_lost():
    import av

    with av.open(str(FOLDER / "v_vfr_phone.mp4")) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert len({round(time * 30) for time in times}) == len(times) == 179


def test_sounds():
    sound, told = read("a_two_tracks.mp4")
    assert float(sound.samples.abs().max()) > 0.1 and "number 2 was taken" in told
    sound, _ = read("a_mono_then_stereo.mp3")
    halves = sound.samples.split(sound.samples.shape[1] // 2 + 1, 1)
    assert all(float(half.square().mean()) > 1e-4 for half in halves) and sound.duration > 5.5
    sound, told = read("a_amr.amr")
    assert sound.duration == pytest.approx(2.9, abs=0.1) and "left out" in told
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert float(open_clip(FOLDER / "a_two_tracks.mp4").audio.samples.abs().max()) > 0.1


def test_pictures():
    portrait = read_image(ASSETS / "portrait.png")
    for name, most in [("p_ztxt.png", 1e-6), ("p_palette_p3.png", 0.02), ("p_cicp_pq.png", 0.003)]:
        image, told = read(name)
        assert float((image - portrait).abs().mean()) < most and not told, name
    image, told = read("p_108mp.jpg")
    assert image.shape == (3, 4500, 6000) and "scaled down" in told
    assert read("p_side.jpg")[0].shape == (3, 768, 768)
