"""Flicker, warping error, sharpness, what changed around a face, PSNR and SSIM: each is known for known damage."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from sonic_core.evaluate.fidelity import psnr, ssim
from sonic_core.evaluate.portrait import EYES, LIPS, ChangeMeter, SharpnessMeter, Still, covered, lay_over
from sonic_core.evaluate.steadiness import SteadinessMeter
from sonic_core.faces.landmarks import read_landmarks
from sonic_core.media.pixels import as_bytes
from sonic_core.post.flow import thumbnail

FRAMES = 40


def textured(seed=0, side=200):
    noise = np.random.default_rng(seed).random((side // 8, side // 8), np.float32)
    return np.asarray(cv2.resize(0.2 + 0.6 * noise, (side, side), interpolation=cv2.INTER_CUBIC)).clip(0, 1)


def steadiness(frames):
    meter = SteadinessMeter(len(frames))
    for luma in frames:
        thumb = thumbnail(np.repeat(luma[..., None], 3, axis=2).astype(np.float32))
        meter.see((255 * luma).round().clip(0, 255).astype(np.uint8), thumb, None, luma.shape)
    return meter


def test_a_still_picture_neither_flickers_nor_boils():
    meter = steadiness([textured()] * FRAMES)
    assert meter.flicker == pytest.approx(0, abs=1e-6)
    assert meter.warping == pytest.approx(0, abs=1e-6)
    assert meter.cuts == 0


def test_flicker_is_told_in_percent_of_the_light():
    gains = 1 + 0.02 * np.random.default_rng(1).standard_normal(200)
    assert steadiness([textured() * gain for gain in gains]).flicker == pytest.approx(2, rel=0.15)


def test_a_fade_is_no_flicker():
    fade = np.linspace(0.7, 1, FRAMES)
    assert steadiness([textured() * gain for gain in fade]).flicker < 0.3


def test_what_moves_evenly_is_explained_and_noise_is_not():
    large = textured(side=320)
    moving = [large[:200, 2 * number : 2 * number + 200] for number in range(FRAMES)]
    generator = np.random.default_rng(2)
    noisy = [frame + 0.03 * generator.standard_normal(frame.shape).astype(np.float32) for frame in moving]
    assert steadiness(moving).warping < 1
    assert steadiness(noisy).warping > 4


def test_a_cut_is_no_flicker():
    meter = steadiness([textured(1)] * 20 + [textured(2)] * 20)
    assert meter.cuts == 1
    assert meter.flicker == pytest.approx(0, abs=1e-6)


@pytest.fixture(scope="module")
def still(astronaut):
    return Still.of(astronaut)


def sharpness(still, pixels, square=EYES):
    meter = SharpnessMeter(still, square)
    meter.see(pixels, read_landmarks(pixels))
    return meter.sharpness


def test_blur_costs_sharpness_and_size_does_not(still):
    pixels = still.pixels
    assert sharpness(still, pixels) == pytest.approx(1, abs=0.02)
    assert sharpness(still, cv2.GaussianBlur(pixels, (0, 0), 1.5)) < 0.6
    half = cv2.resize(pixels, (256, 256), interpolation=cv2.INTER_AREA)
    assert sharpness(still, half) == pytest.approx(1, abs=0.15)
    assert sharpness(still, (0.8 * pixels).astype(np.uint8)) == pytest.approx(1, abs=0.05), "light is no detail"


def test_a_blurred_mouth_alone_is_seen_where_it_is(still):
    top = int(still.landmarks.points[1, 1]) + 6  # below the tip of the nose
    pixels = still.pixels.copy()
    pixels[top:] = cv2.GaussianBlur(pixels, (0, 0), 2)[top:]
    assert sharpness(still, pixels, LIPS) < 0.6
    assert sharpness(still, pixels, EYES) > 0.85


def test_a_face_that_is_too_small_is_not_judged(still):
    small = cv2.resize(still.pixels, (96, 96), interpolation=cv2.INTER_AREA)
    meter = SharpnessMeter(still)
    meter.see(small, still.landmarks.moved((0, 0), (96 / 512, 96 / 512)))
    assert meter.sharpness is None


def gray(pixels):
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)


def test_what_changed_around_a_face_is_counted(still):
    before, after = gray(still.pixels), gray(still.pixels)
    outside = ~covered(still.landmarks, 1.0, before.shape)
    after[~outside] = 0
    meter = ChangeMeter()
    meter.see(after, before, np.ones_like(outside), still.landmarks, 1.0)
    assert meter.changed < 0.02, "a face may do what it likes, but for the blur at its border"
    after = before.copy()
    after[400:, :] ^= 0x40
    meter = ChangeMeter()
    meter.see(after, before, np.ones_like(outside), still.landmarks, 1.0)
    assert meter.changed == pytest.approx(112 * 512 / outside.sum(), rel=0.1)


def test_a_portrait_is_laid_over_the_part_of_it_that_a_clip_shows(still):
    part = still.pixels[20:320, 90:390]
    shown = np.asarray(cv2.resize(part, (200, 200), interpolation=cv2.INTER_AREA), np.uint8)
    laid = lay_over(still, gray(shown), read_landmarks(shown), 1.0)
    assert laid is not None
    assert np.abs(laid[0].astype(int) - gray(shown))[laid[1]].mean() < 3
    assert laid[1].mean() > 0.95


def test_a_picture_of_something_else_is_not_laid_over(still):
    generator = np.random.default_rng(0)
    other = generator.integers(0, 255, still.pixels.shape, np.uint8)
    face = covered(still.landmarks, 1.0, other.shape[:2])
    other[face] = still.pixels[face]
    assert lay_over(still, gray(other), still.landmarks, 1.0) is None


def test_psnr_and_ssim_are_the_published_ones(astronaut):
    from skimage.metrics import structural_similarity

    one = as_bytes(astronaut)
    noise = np.random.default_rng(0).normal(0, 10, one.shape)
    other = (one + noise).clip(0, 255).astype(np.uint8)
    apart = float(np.mean((one.astype(float) - other) ** 2))
    assert psnr(one, other) == pytest.approx(10 * np.log10(255**2 / apart), abs=1e-3)
    known = structural_similarity(
        gray(one), gray(other), gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    assert ssim(one, other) == pytest.approx(known, abs=2e-3)
    assert psnr(one, one) == 100 and ssim(one, one) == pytest.approx(1)
