"""Windows, noise levels, noise, and the mean of what windows make."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from sonic_core.models.base.denoise import (
    Predicted,
    denoise,
    denoised,
    deviation,
    euler_step,
    frame_noise,
    timestep,
)
from sonic_core.models.base.schedules import karras_sigmas
from sonic_core.models.base.windows import Schedule, window_frames

SCHEDULES = [
    (5, Schedule(25, 0, 7)), (26, Schedule(25, 0, 7)), (1, Schedule(4, 2, 3)), (7, Schedule(4, 2, 3)),
    (12, Schedule(4, 3, 1)), (50, Schedule(25, 12, 0)), (9, Schedule(3, 0, 40)), (2, Schedule(2, 1, 1)),
]  # fmt: skip


def drawn(seed, frames, shape):
    return torch.stack(list(itertools.islice(frame_noise(seed, shape), frames)))


def windows(frames, schedule, shifted=0):
    return [indices.tolist() for indices in window_frames(frames, schedule, shifted)]


def test_windows_worked_out_by_hand():
    assert windows(6, Schedule(3, 0, 1)) == [[0, 1, 2], [3, 4, 5]]
    assert windows(6, Schedule(3, 0, 1), 1) == [[5, 0, 1], [2, 3, 4]]
    assert windows(6, Schedule(4, 2, 1), 7) == [[5, 0, 1, 2], [1, 2, 3, 4], [3, 4, 5, 0]]
    assert windows(7, Schedule(5, 0, 2), 2) == [[5, 6, 0, 1, 2], [3, 4, 5, 6, 0]]  # the last one wraps
    assert windows(3, Schedule(5, 0, 2)) == [[0, 1, 2, 0, 1]]  # fewer frames than a window
    assert windows(1, Schedule(2, 0, 0), 5) == [[0, 0]]


@pytest.mark.parametrize(("frames", "schedule"), SCHEDULES)
def test_every_frame_is_covered_at_every_step(frames, schedule):
    for step in range(12):
        covered = [number for window in windows(frames, schedule, step * schedule.shift) for number in window]
        assert set(covered) == set(range(frames))
        assert len(covered) % schedule.window == 0


@pytest.mark.parametrize("steps", [1, 2, 10, 25])
def test_noise_levels_fall_from_700_to_0(steps):
    sigmas = karras_sigmas(steps)
    assert len(sigmas) == steps + 1
    assert sigmas.dtype == torch.float32
    assert float(sigmas[0]) == pytest.approx(700)
    assert float(sigmas[-1]) == 0
    assert bool((sigmas.diff() < 0).all())
    if steps > 1:
        assert float(sigmas[-2]) == pytest.approx(0.002)
    if steps == 25:
        assert float(sigmas[1]) == pytest.approx(545.7166, rel=1e-4)  # as diffusers' scheduler has it


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_noise_levels_are_those_of_diffusers():
    from diffusers import EulerDiscreteScheduler

    theirs = EulerDiscreteScheduler(
        prediction_type="v_prediction", use_karras_sigmas=True, sigma_min=0.002, sigma_max=700.0,
        timestep_type="continuous", timestep_spacing="leading", steps_offset=1,
    )  # fmt: skip
    theirs.set_timesteps(25)
    ours = karras_sigmas(25)
    torch.testing.assert_close(ours, theirs.sigmas, rtol=1e-5, atol=0)
    told = torch.tensor([timestep(float(sigma)) for sigma in ours[:-1]])
    torch.testing.assert_close(told, theirs.timesteps, rtol=1e-5, atol=1e-6)
    sample, velocity = torch.randn(2, 2, 4, 8, 8)
    theirs._step_index = 3
    expected = theirs.step(velocity, theirs.timesteps[3], sample * 200).prev_sample
    sigma, following = float(ours[3]), float(ours[4])
    got = euler_step(sample * 200, denoised(sample * 200, velocity, sigma), sigma, following)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)
    assert deviation(sigma) == pytest.approx(math.hypot(sigma, 1))


def test_a_perfect_prediction_is_what_is_left():
    clean, noise = torch.randn(2, 3, 4, 2, 2, dtype=torch.float64)
    for sigma in (0.01, 1.0, 700.0):
        share = 1 / deviation(sigma)
        velocity = share * noise - sigma * share * clean
        torch.testing.assert_close(denoised(clean + sigma * noise, velocity, sigma), clean)


def test_a_longer_clip_begins_with_the_same_noise():
    short, long = drawn(5, 4, (4, 6, 5)), drawn(5, 40, (4, 6, 5))
    assert torch.equal(long[:4], short)
    assert len({float(frame.sum()) for frame in long}) == 40
    assert float(long.std()) == pytest.approx(1, abs=0.05)


def test_every_seed_counts():
    seeds = (0, 1, 72589, 72589 + 2**32, 2**63, 2**64 - 1)
    made = [drawn(seed, 2, (4, 8, 8)) for seed in seeds]
    assert all(torch.equal(one, drawn(seed, 2, (4, 8, 8))) for one, seed in zip(made, seeds, strict=True))
    assert len({float(one.sum()) for one in made}) == len(seeds)


def test_nobody_elses_chance_is_touched():
    before = torch.get_rng_state()
    drawn(1, 3, (4, 8, 8))
    assert torch.equal(torch.get_rng_state(), before)


def naive(latents, sigmas, schedule, predict):
    """Denoise with a dense sum and count."""
    latents, frames = latents.clone(), len(latents)
    for step, (sigma, following) in enumerate(zip(sigmas[:-1].tolist(), sigmas[1:].tolist(), strict=True)):
        total, count = torch.zeros_like(latents), torch.zeros(frames, 1, 1, 1)
        for start in range(0, frames, schedule.window - schedule.overlap):
            numbers = [(start - step * schedule.shift + place) % frames for place in range(schedule.window)]
            sample = latents[numbers]
            clean = denoised(sample, predict(sample, torch.tensor(numbers), sigma, 0.0), sigma)
            stepped = euler_step(sample, clean, sigma, following)
            for number, result in zip(numbers, stepped, strict=True):
                total[number] += result
                count[number] += 1
        latents = total / count
    return latents


@pytest.mark.parametrize("at_once", [1, 2, 5])
@pytest.mark.parametrize(("frames", "schedule"), SCHEDULES)
def test_windows_are_merged_to_the_mean(frames, schedule, at_once):
    given = []

    def velocity(sample, indices, sigma, _moment=0.0):  # each place in a window counts, and so does every neighbour
        places = torch.arange(schedule.window)[:, None, None, None]
        return sample.roll(1, 0) / (1 + sigma) + torch.sin(places + indices[:, None, None, None] * 0.7)

    def predict(tasks):
        given.append(len(tasks))
        return [Predicted(velocity(one.samples, torch.tensor(one.window.frames), one.sigma)) for one in tasks]

    latents, sigmas = drawn(3, frames, (4, 3, 2)) * 700, karras_sigmas(6)
    expected = naive(latents, sigmas, schedule, velocity)
    got = denoise(latents, sigmas, schedule, predict, lambda *_: None, at_once=at_once)
    assert got is latents
    assert max(given) <= at_once
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("at_once", "reports"), [(1, [1, 2, 3, 4, 5, 6, 7, 8]), (3, [3, 4, 7, 8])])
def test_whoever_watches_sees_every_window(at_once, reports):
    seen = []

    def callback(done, total, clean):
        seen.append((done, total, tuple(clean.shape)))

    latents = drawn(3, 7, (4, 3, 2))
    schedule = Schedule(4, 2, 3)

    def predict(tasks):
        return [Predicted(one.samples) for one in tasks]

    denoise(latents, karras_sigmas(2), schedule, predict, callback, at_once=at_once)
    assert seen == [(done, 8, (4, 4, 3, 2)) for done in reports]
