"""Smoothing takes shake and flicker away, and leaves motion, speech, sharpness and cuts as they are."""

import logging
from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch

from sonic_core.clip import Clip
from sonic_core.errors import SettingsError
from sonic_core.post.paths import Correction, fit_through, guarded
from sonic_core.post.smooth import Smooth, SmoothReport, _Scene, _Tally, _watched, applied, carried, smooth
from sonic_core.types import Audio, Face

SIZE = (144, 176)
LENGTH = 48
MIDDLE = slice(8, -8)
"""Frames that have a whole window."""
FACE = Face((48, 22, 128, 122), ((70.0, 60.0), (106.0, 60.0), (88.0, 78.0), (74.0, 96.0), (102.0, 96.0)), 0.9)


class NoFace:
    """A finder that never finds anything."""

    name = "none"

    def find(self, image):
        return []


class Known:
    """A finder that knows where the face is."""

    name = "known"

    def find(self, image):
        return [FACE]


def texture(seed, grain=1.5):
    noise = np.random.default_rng(seed).standard_normal((SIZE[0] + 60, SIZE[1] + 60, 3)).astype(np.float32)
    blobs = cv2.GaussianBlur(noise, (0, 0), grain) * grain + cv2.GaussianBlur(noise, (0, 0), 4 * grain) * 4 * grain
    return np.clip(0.45 + 0.13 * blobs / blobs.std(), 0.02, 0.98)


WALLS = {seed: texture(seed) for seed in (1, 2, 3)}


def seen(wall, right, down):
    """A window onto a wall that lies ``right`` and ``down`` from its place."""
    matrix = np.float32([[1, 0, right - 30], [0, 1, down - 30]])
    return cv2.warpAffine(wall, matrix, SIZE[::-1], flags=cv2.INTER_LANCZOS4)


def opening(number):
    """Half height in pixels of the mouth in frame ``number``: it opens and shuts four times a second."""
    return 1.0 + 5.0 * (0.5 + 0.5 * np.sin(number * 2 * np.pi * 4 / 25))


def frames_of(shake=0.7, flicker=0.02, *, seed=5, mouth=False, cut=None, drift=0.6, length=LENGTH):
    """Draw a wall that passes evenly, shaken and flickering; with a dark mouth; with another wall from ``cut`` on."""
    chance = np.random.default_rng(seed)
    steps, gains = shake * chance.standard_normal((length, 2)), 1 + flicker * chance.standard_normal(length)
    rows, columns = np.indices(SIZE, np.float32)
    made = []
    for number, ((right, down), gain) in enumerate(zip(steps, gains, strict=True)):
        wall = WALLS[1] if cut is None or number < cut else WALLS[3][:, ::-1]
        pixels = seen(wall, drift * (number - length / 2) + right, down)
        if mouth:
            away = np.hypot((columns - 88 - right) / 13, (rows - 98 - down) / opening(number))
            pixels = pixels * np.clip((away - 1) * 5 + 0.1, 0.1, 1)[..., None].astype(np.float32)
        made.append(np.clip(pixels * gain, 0, 1))
    return torch.from_numpy(np.stack(made).astype(np.float32)).permute(0, 3, 1, 2).contiguous(), steps, gains


def clip_of(frames, chunk=4, audio=None):
    return Clip(lambda: iter(frames.split(chunk)), Fraction(25), len(frames), tuple(frames.shape[2:]), audio)


def read(clip):
    return torch.cat(list(clip.read()))


def displacement(one, other):
    """By how many pixels, (x, y), the second frame lies beside the first, away from the edges."""
    grays = [frame.mean(0).numpy()[8:-8, 8:-8].astype(np.float32) for frame in (one, other)]
    matrix = np.eye(2, 3, dtype=np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-6)
    return cv2.findTransformECC(*grays, matrix, cv2.MOTION_TRANSLATION, criteria, None, 3)[1][:, 2]


def slope(frames):
    return float(frames.diff(dim=-1).abs().mean() + frames.diff(dim=-2).abs().mean())


def psnr(one, other):
    return float(-10 * torch.log10((one - other).square().mean()))


@pytest.mark.parametrize(("method", "least"), [("flow", 0.6), ("ema", 0.6)])
def test_shake_and_flicker_go_and_sharpness_stays(method, least):
    clean, shaken = frames_of(0, 0)[0], frames_of()[0]
    staged = smooth(clip_of(shaken), method=method, finder=NoFace())
    assert staged.report.done is None and "when the clip has been read" in staged.report.reason
    made = read(staged.clip)
    pairs = list(zip(clean, shaken, made, strict=True))[MIDDLE]
    before, after = (np.array([displacement(one[0], one[which]) for one in pairs]) for which in (1, 2))
    assert 1 - (after**2).sum() / (before**2).sum() > least
    lights = [np.array([float(one[which].mean() / one[0].mean()) for one in pairs]) for which in (1, 2)]
    assert 1 - lights[1].var() / lights[0].var() > least
    assert slope(made) > 0.95 * slope(shaken)
    report = staged.report.done
    assert staged.report.reason == f"{report}."
    assert (report.frames, report.cuts, report.faces) == (LENGTH, 0, 0)
    assert report.jitter == pytest.approx(0.7 * 2**0.5, rel=0.25) and report.jitter_left < 0.4 * report.jitter
    assert report.flicker == pytest.approx(0.02, rel=0.35) and report.flicker_left < 0.4 * report.flicker


def test_what_is_even_stays_bit_for_bit():
    clean = frames_of(0, 0)[0]
    made = read(smooth(clip_of(clean), finder=NoFace()).clip)
    assert torch.equal(made[MIDDLE], clean[MIDDLE]) and psnr(made, clean) > 45


def test_what_is_still_stays_bit_for_bit_beside_what_shakes():
    shaken, still = frames_of(0.7, 0)[0], frames_of(0, 0, drift=0)[0][0]
    frames = torch.cat([shaken[..., :88], still[..., 88:].expand(LENGTH, -1, -1, -1)], -1)
    made = read(smooth(clip_of(frames), finder=NoFace()).clip)
    assert torch.equal(made[MIDDLE][..., 160:], frames[MIDDLE][..., 160:])
    assert not torch.equal(made[MIDDLE][..., :80], frames[MIDDLE][..., :80])


def test_real_motion_is_kept():
    """A nod of 2 Hz and 3 pixels, without shake."""
    nods = 3 * np.sin(np.arange(LENGTH) * 2 * np.pi * 2 / 25)
    frames = np.stack([seen(WALLS[1], 0, nod) for nod in nods]).clip(0, 1)
    frames = torch.from_numpy(frames.astype(np.float32)).permute(0, 3, 1, 2).contiguous()
    made = read(smooth(clip_of(frames), finder=NoFace()).clip)
    assert psnr(made, frames) > 40


def test_the_mouth_opens_as_far_and_as_early():
    frames, _, gains = frames_of(mouth=True)
    made = read(smooth(clip_of(frames), finder=Known()).clip)
    number = np.arange(LENGTH)
    areas = []
    for video, light in ((frames, gains), (made, np.ones(LENGTH))):
        part = video[:, :, 84:114, 68:108].mean(1).numpy() / light[:, None, None]
        areas.append((part < 0.12).sum((1, 2)).astype(float)[MIDDLE])
    assert np.ptp(areas[1]) > 0.95 * np.ptp(areas[0])
    wave = np.exp(-2j * np.pi * 4 / 25 * number[MIDDLE])
    lag = np.angle(((areas[0] - areas[0].mean()) * wave).sum() / ((areas[1] - areas[1].mean()) * wave).sum())
    assert abs(lag) / (2 * np.pi * 4) < 0.005


def test_the_mouth_goes_with_the_skin():
    _, steps, _ = frames_of(mouth=True, drift=0)
    made = read(smooth(clip_of(frames_of(mouth=True, drift=0)[0]), finder=Known()).clip)
    dark = (made[:, :, 80:118, 62:114].mean(1) < 0.12).numpy()
    columns = np.array([np.nonzero(one)[1].mean() for one in dark])[MIDDLE]
    assert columns.var() < 0.4 * steps[MIDDLE, 0].var()


def test_nothing_crosses_a_cut():
    frames = frames_of(cut=20)[0]
    staged = smooth(clip_of(frames), finder=NoFace())
    made = read(staged.clip)
    assert staged.report.done.cuts == 1
    alone = torch.cat([read(smooth(clip_of(part), finder=NoFace()).clip) for part in (frames[:20], frames[20:])])
    assert torch.equal(made, alone)


def test_edges_are_filled():
    made = read(smooth(clip_of(frames_of()[0]), finder=NoFace()).clip)
    border = torch.cat([made[..., 0].flatten(), made[..., -1].flatten(), made[..., 0, :].flatten()])
    assert float(border.mean()) == pytest.approx(float(made.mean()), abs=0.08) and made.min() >= 0 and made.max() <= 1


def test_white_stays_white():
    frames, _, _ = frames_of(0, 0)
    frames[:, :, 50:90, 40:90] = 1.0
    gains = 1 + 0.02 * torch.randn(LENGTH, generator=torch.Generator().manual_seed(3))
    flickering = (frames * torch.maximum(gains, torch.ones(())).view(-1, 1, 1, 1)).clamp(0, 1)
    made = read(smooth(clip_of(flickering), finder=NoFace()).clip)
    assert made[:, :, 60:80, 50:80].min() > 0.99


def test_strength_is_a_scale():
    frames = frames_of()[0]
    clip = clip_of(frames)
    still = smooth(clip, strength=0)
    assert still.clip is clip and "nothing was changed" in still.report.reason
    moved = [
        float((read(smooth(clip, strength=strength, finder=NoFace()).clip) - frames).abs().mean())
        for strength in (0.3, 1)
    ]
    assert 0.1 * moved[1] < moved[0] < 0.8 * moved[1]


def test_more_strength_reaches_further():
    slow = 1.5 * np.sin(np.arange(LENGTH) * 2 * np.pi * 2 / 25)[:, None] * [1, 0]
    chance = np.random.default_rng(1).standard_normal((LENGTH, 2)) * 0.8
    frames = np.stack([seen(WALLS[1], *step) for step in 0 * slow + chance]).clip(0, 1).astype(np.float32)
    frames = torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous()
    still = torch.from_numpy(seen(WALLS[1], 0, 0)).permute(2, 0, 1)
    left = []
    for strength in (1, 2):
        made = read(smooth(clip_of(frames), strength=strength, finder=NoFace()).clip)[15:-15]
        left.append(sum(float((displacement(still, frame) ** 2).sum()) for frame in made))
    assert left[1] < 0.8 * left[0]


@pytest.mark.parametrize("strength", [-0.1, 2.1, float("nan")])
def test_impossible_strengths(strength):
    with pytest.raises(SettingsError, match="from 0 to 2"):
        smooth(clip_of(torch.zeros(2, 3, 32, 32)), strength=strength)


def test_impossible_methods():
    with pytest.raises(SettingsError, match="flow, ema"):
        smooth(clip_of(torch.zeros(2, 3, 32, 32)), method="median")


def test_what_it_says(caplog):
    frames = frames_of(length=12)[0]
    sound = Audio(torch.zeros(1, 100), 16000)
    clip = smooth(clip_of(frames, audio=sound), finder=NoFace()).clip
    assert (clip.fps, clip.length, clip.size) == (25, 12, SIZE) and clip.audio is sound
    with caplog.at_level(logging.INFO, "sonic"):
        read(clip)
    assert "shake" in caplog.text and "flicker" in caplog.text and "0 of 12 frames" in caplog.text
    assert str(SmoothReport(3, 1, 2, 0.5, 0.1, 0.02, 0.01)).startswith("smoothing: shake 0.50 → 0.10 pixels")


@pytest.mark.parametrize("length", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("size", [(2, 2), (17, 40), (64, 48)])
def test_short_and_small_clips(length, size):
    frames = torch.rand(length, 3, *size, generator=torch.Generator().manual_seed(1))
    made = read(smooth(clip_of(frames), finder=NoFace()).clip)
    assert made.shape == frames.shape and made.isfinite().all()


def test_filters_do_not_lag():
    """Both keep an even motion as it is, everywhere; the parabola keeps acceleration too."""
    offsets = np.arange(-7, 8)
    for decay, order in ((1.0, 2), (0.7, 1)):
        fit = fit_through(offsets, decay, order)
        assert np.allclose(fit.weights, fit.weights[::-1], atol=1e-6) and fit.weights.sum() == pytest.approx(1)
        assert fit.at_frame(3.0 * offsets + 1) == pytest.approx(1, abs=1e-5)
        assert fit_through(offsets[6:], decay, order).at_frame(3.0 * offsets[6:] + 1) == pytest.approx(1, abs=1e-5)
    assert fit_through(offsets, 1.0, 2).at_frame(offsets**2) == pytest.approx(0, abs=1e-4)
    average = 0.7 ** np.abs(offsets)
    assert np.allclose(fit_through(offsets, 0.7, 1).weights, average / average.sum(), atol=1e-6)


def test_mouth_and_eyes_are_marked():
    marked = guarded(np.array(FACE.points), SIZE, (36, 44))
    assert marked[24, 22] == 1 and marked[15, 17] == 1 and marked[15, 26] == 1
    assert marked[20, 12] == 0 and marked[30, 4] == 0 and not guarded(None, SIZE, (36, 44)).any()


def test_a_face_goes_with_the_flow():
    flow = np.zeros((18, 22, 2), np.float32)
    flow[...] = (0.5, -0.25)
    points = np.array(FACE.points)
    assert np.array_equal(carried(points, flow, SIZE), points + np.array([4, -2]))
    assert carried(None, flow, SIZE) is None


class Unasked:
    """A finder that must not be asked."""

    name = "unasked"

    def find(self, image):
        raise AssertionError


def test_a_face_that_was_followed_already_is_not_looked_for():
    frames = frames_of(mouth=True)[0]
    points = np.tile(np.array(FACE.points), (LENGTH, 1, 1))
    points[-10:] = np.nan
    staged = smooth(clip_of(frames), finder=Unasked(), points=points)
    made = read(staged.clip)
    assert staged.report.done.faces == LENGTH - 10
    alone = read(smooth(clip_of(frames), finder=NoFace()).clip)
    assert not torch.equal(made[:20], alone[:20])


def test_frames_may_lie_in_memory_either_way():
    frames = frames_of(length=20)[0]
    drawn = frames.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    one, other = (read(smooth(clip_of(each), finder=NoFace()).clip) for each in (frames, drawn))
    assert torch.allclose(one, other, atol=1e-3)


def test_what_moves_moves_alone():
    """Only the cells that move, and what lies between them and their neighbours, change by a bit."""
    frame = frames_of(length=1)[0][0]
    shift = np.zeros((18, 22, 2), np.float32)
    shift[5:8, 4:9] = (0.2, 0.1)
    before = frame.clone()
    made = applied(frame, Correction(shift, 1.0))
    changed = (made != frame).any(0)
    assert changed[40:64, 32:72].float().mean() > 0.9 and torch.equal(frame, before)
    changed[32:72, 24:80] = False
    assert not changed.any()
    where = (np.indices(SIZE, np.float32)[::-1].transpose(1, 2, 0) - 8 * cv2.resize(shift, SIZE[::-1])).copy()
    whole = cv2.remap(frame.permute(1, 2, 0).numpy().copy(), where, None, cv2.INTER_CUBIC, borderMode=1)
    assert np.allclose(made.permute(1, 2, 0).numpy(), whole.clip(0, 1), atol=1e-4)


def test_a_still_frame_is_given_as_a_copy():
    frame = frames_of(length=1)[0][0]
    made = applied(frame, Correction(np.zeros((18, 22, 2), np.float32), 1.0))
    assert torch.equal(made, frame) and made.data_ptr() != frame.data_ptr()


def test_more_light_and_overshooting_edges_stay_within_black_and_white():
    frame = torch.zeros(3, *SIZE)
    frame[:, :, SIZE[1] // 2 :] = 0.95
    lit = applied(frame, Correction(np.zeros((18, 22, 2), np.float32), 1.2))
    bent = applied(frame, Correction(np.full((18, 22, 2), 0.4, np.float32), 1.0))
    assert lit.min() == 0 and lit.max() == 1
    assert bent.min() >= 0 and 0.95 < bent.max() <= 1, "cubic interpolation overshoots by a tenth"


@pytest.mark.parametrize(("strength", "reach"), [(1.0, 7), (0.5, 7), (1.5, 10)])
def test_a_frame_is_smoothed_by_its_window_and_by_nothing_else(strength, reach):
    """One frame that is darker than the others is heard of by ``reach`` frames before it and as many after."""
    frames, odd = frames_of(length=2 * 12 + 1)[0], 12
    other = frames.clone()
    other[odd] *= 0.9
    one, two = (read(smooth(clip_of(each), strength=strength, finder=NoFace()).clip) for each in (frames, other))
    changed = [number for number in range(len(frames)) if not torch.equal(one[number], two[number])]
    assert changed == list(range(odd - reach, odd + reach + 1))
    assert Smooth(strength).reach == reach


def test_a_frame_is_given_as_soon_as_its_window_is_full():
    """Of a stream no frame more is asked for than the window and what is looked at ahead."""
    frames, asked = frames_of(length=20)[0], []

    def one_by_one():
        for number, frame in enumerate(frames):
            asked.append(number)
            yield frame[None]

    scene = _Scene(Smooth(), _Tally())
    watched = _watched(Clip(one_by_one, Fraction(25), 20, SIZE, None), NoFace(), None)
    given = [scene.take(picture, seen) is not None for picture, seen in watched]
    assert given == [False] * 7 + [True] * 13
    assert len(scene.window) <= 2 * 7 + 1
