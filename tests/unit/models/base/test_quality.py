"""What quality, deepcache and stream mean for the tiny sonic-base, and several devices."""

from __future__ import annotations

import pytest
import torch

from sonic_core.devices import OwnKeeper
from sonic_core.errors import SettingsError, SonicWarning
from sonic_core.models.base.config import BaseConfig
from sonic_core.models.base.denoise import Course, PassingFrames, WholeClip, noisy_frames
from sonic_core.models.base.files import find_base
from sonic_core.models.base.model import BaseModel
from sonic_core.models.base.sampling import FAST_STEPS, Sampling, choose_sampling
from sonic_core.models.base.schedules import ALIGNED_LEVELS, aligned_sigmas, karras_sigmas
from sonic_core.models.base.windows import Line, Schedule
from sonic_core.types import Audio

CPU = torch.device("cpu")
SCHEDULER = BaseConfig().scheduler


def difference(got, expected):
    return float((got - expected).norm() / expected.norm())


def silent(*_):
    """Report nothing."""


@pytest.fixture(scope="module")
def long_sound():
    """A second: 13 frames."""
    moments = torch.arange(16000) / 16000
    return Audio((0.4 * torch.sin(moments * 900) * torch.sin(moments * 20))[None], 16000)


@pytest.fixture(scope="module")
def long_conditions(tiny_model, portrait, long_sound, settings):
    return tiny_model.prepare(portrait, long_sound, settings())


def test_ten_aligned_steps_are_the_published_levels():
    sigmas = aligned_sigmas(10)
    assert sigmas[:-1].tolist() == pytest.approx(ALIGNED_LEVELS[:-1])
    assert float(sigmas[-1]) == 0


@pytest.mark.parametrize("steps", [1, 2, 4, 6, 10, 17, 30])
def test_aligned_levels_fall_for_any_number_of_steps(steps):
    sigmas = aligned_sigmas(steps)
    assert len(sigmas) == steps + 1
    assert sigmas.dtype == torch.float32
    assert float(sigmas[0]) == pytest.approx(700)
    assert bool((sigmas.diff() < 0).all())


def test_fast_computes_a_quarter_of_the_branches_of_exact(settings):
    exact = choose_sampling(settings(inference_steps=25), SCHEDULER)
    fast = choose_sampling(settings(quality="fast"), SCHEDULER)
    live = choose_sampling(settings(quality="live"), SCHEDULER)
    assert exact.branch_steps() == (75, 0)
    assert torch.equal(exact.sigmas, karras_sigmas(25))
    assert fast.branch_steps() == (18, 0)
    assert [fast.renews_guidance(step) for step in range(FAST_STEPS)] == [True, False, True, False, True, False, True,
                                                                          False, False, False]  # fmt: skip
    assert live.branch_steps()[0] < fast.branch_steps()[0]
    assert (live.tiny, fast.tiny) == (True, False)


def test_a_student_takes_its_own_steps_with_one_branch(settings):
    class Student:
        steps, distilled, sigmas = 4, True, ()

    assert choose_sampling(settings(quality="live"), SCHEDULER, Student()).branch_steps() == (4, 0)
    assert choose_sampling(settings(quality="fast"), SCHEDULER, Student()).branch_steps() == (18, 0)


def test_deepcache_goes_with_exact_only(settings):
    deep = choose_sampling(settings(inference_steps=25, deepcache=3), SCHEDULER)
    assert deep.branch_steps() == (27, 48)
    with pytest.raises(SettingsError, match="got deepcache 3 with quality fast"):
        choose_sampling(settings(quality="fast", deepcache=3), SCHEDULER)


def test_settings_that_exclude_each_other_are_refused(settings):
    with pytest.raises(SettingsError, match="quality must be one of exact, fast, live; got 'best'"):
        settings(quality="best")
    with pytest.raises(SettingsError, match="Leave out stream or published"):
        settings(stream=True, published=True)


def rows_called(model, work):
    """Count the rows that pass through a model's UNet while ``work`` is done."""
    rows = []
    hook = model.networks.unet.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
    try:
        work()
    finally:
        hook.remove()
    return sum(rows)


def test_fast_runs_as_many_branches_as_it_counts(tiny_model, conditions, settings):
    chosen = settings(quality="fast", window=7)
    made = []
    called = rows_called(tiny_model, lambda: made.append(tiny_model._denoised(conditions, chosen, silent)[0]))
    assert called == 18
    assert bool(made[0].isfinite().all())


def test_guidance_is_kept_between_renewals(tiny_model, conditions, settings):
    """Kept differences give other numbers than new ones; where guidance adds nothing, keeping nothing changes none."""

    def made(guidance, **options):
        chosen = settings(appearance_guidance=guidance, audio_guidance=guidance)
        job, sampling = tiny_model._job(conditions, chosen), Sampling(aligned_sigmas(3), **options)
        predictors = tiny_model._predictors(conditions, chosen, sampling, job, silent)
        course = tiny_model._course(conditions, chosen, sampling, job, wavefront=False)
        return torch.stack(list(tiny_model._walk(course, predictors, silent)))

    assert 0 < difference(made(2.0, guidance_interval=2), made(2.0)) < 0.5
    assert torch.equal(made(1.0, guidance_interval=2), made(1.0))


@pytest.mark.slow
@pytest.mark.parametrize("lying", [("exact", 4, 0, 3), ("exact", 6, 2, 1), ("fast", 7, 0, 3), ("exact", 25, 0, 7)])
def test_a_stream_gives_the_numbers_of_the_same_windows_step_by_step(tiny_model, long_conditions, settings, lying):
    quality, window, overlap, shift = lying
    chosen = settings(quality=quality, window=window, window_overlap=overlap, window_shift=shift, stream=True)
    job, sampling = tiny_model._job(long_conditions, chosen), choose_sampling(chosen, SCHEDULER)
    predictors = tiny_model._predictors(long_conditions, chosen, sampling, job, silent)
    noise = noisy_frames(chosen.seed, float(sampling.sigmas[0]), long_conditions.latents * 0.18215)
    whole = WholeClip(torch.stack([next(noise) for _ in range(job.frames)]))
    plain = Course(whole, Line(job.frames, Schedule(window, overlap, shift)), sampling.sigmas)
    expected = torch.stack(list(tiny_model._walk(plain, predictors, silent)))
    front = tiny_model._course(long_conditions, chosen, sampling, job, wavefront=True)
    assert isinstance(front.store, PassingFrames)
    got = torch.stack(list(tiny_model._walk(front, predictors, silent)))
    assert torch.equal(got, expected)


@pytest.mark.slow
def test_a_stream_encodes_its_sound_on_the_way_and_reads_twice_the_same(tiny_model, portrait, long_sound, settings):
    chosen = settings(stream=True, window=4, fps=12.5)
    known = tiny_model.prepare(portrait, long_sound, chosen)
    assert known.heard is None
    heard = []
    clip = tiny_model.animate(known, chosen, lambda *report: heard.append(report))
    assert heard == [], "nothing is computed before it is read"
    reader = clip.read()
    first = next(reader)
    assert 0 < heard[-1][1] < heard[-1][2], "the first frames come before the last are begun"
    frames = torch.cat([first, *reader])
    assert len(frames) == clip.length == 13
    assert heard[-1][1] == heard[-1][2]
    assert torch.equal(torch.cat(list(clip.read())), frames)
    whole = tiny_model.prepare(portrait, long_sound, settings())
    assert whole.heard is not None
    again = torch.cat(list(tiny_model.animate(whole, chosen).read()))
    assert difference(again, frames) < 5e-5  # the sound's keys are cached there


def twins(tiny_set, count=2):
    return BaseModel(find_base([tiny_set]), OwnKeeper(CPU), torch.float32, [OwnKeeper(CPU) for _ in range(count - 1)])


@pytest.mark.parametrize("stream", [False, True])
def test_several_devices_share_the_windows(tiny_set, tiny_model, long_conditions, settings, stream):
    model, chosen = twins(tiny_set), settings(stream=stream, fps=12.5)
    used = set()
    copies = [station.unet(student=False) for station in model.stations]
    assert copies[0] is not copies[1]
    shared = zip(copies[0].parameters(), copies[1].parameters(), strict=True)
    assert all(one.data_ptr() == other.data_ptr() for one, other in shared)
    for number, unet in enumerate(copies):
        unet.register_forward_pre_hook(lambda *_, number=number: used.add(number))
    got = torch.cat(list(model.animate(long_conditions, chosen).read()))
    assert used == {0, 1}
    expected = torch.cat(list(tiny_model.animate(long_conditions, chosen).read()))
    assert difference(got, expected) < 1e-5


class Breaking(OwnKeeper):
    """A device that is lost at its third use."""

    def __init__(self):
        super().__init__(CPU)
        self.uses = 0

    def bring(self, network, working=0):
        self.uses += 1
        if self.uses > 2:
            raise RuntimeError("CUDA error: unspecified launch failure")
        super().bring(network, working)


@pytest.mark.slow
def test_windows_of_a_device_that_fails_go_to_the_others(tiny_set, tiny_model, long_conditions, settings):
    model, chosen = twins(tiny_set), settings(inference_steps=4)
    model.others = (Breaking(),)
    with pytest.warns(SonicWarning, match="cpu failed, and its windows go to the other devices: CUDA error"):
        got, _ = model._denoised(long_conditions, chosen, silent)
    expected, _ = tiny_model._denoised(long_conditions, chosen, silent)
    assert difference(got, expected) < 1e-5
    model.keeper = Breaking()
    with pytest.warns(SonicWarning, match="failed"), pytest.raises(RuntimeError, match="unspecified launch failure"):
        model._denoised(long_conditions, settings(inference_steps=9), silent)


def test_a_cancel_is_no_failure_of_a_device(tiny_set, long_conditions, settings):
    class Enough(Exception):  # noqa: N818
        pass

    def stop(stage, done, total):
        if stage == "denoise" and done == 3:
            raise Enough

    model = twins(tiny_set)
    with pytest.raises(Enough):
        model._denoised(long_conditions, settings(), stop)
    assert all(station.unet(student=False).attention_context.batch is None for station in model.stations)


def test_a_window_that_overflows_is_tried_again_in_bfloat16(tiny_set, portrait, sound, settings):
    model = BaseModel(find_base([tiny_set]), OwnKeeper(CPU), torch.float16)
    chosen = settings(inference_steps=1, window=2)
    known = model.prepare(portrait, Audio(sound.samples[:, :2000], 16000), chosen)
    weight = model.networks.unet.conv_in.weight
    weight.data = weight.data * 3e4  # beyond float16's range once it is summed, within bfloat16's
    with pytest.warns(SonicWarning, match=r"not numbers in float16; going on in bfloat16\."):
        latents, _ = model._denoised(known, chosen, silent)
    assert bool(latents.isfinite().all())
    assert model.networks.unet.conv_in.weight.dtype == torch.bfloat16
    again, _ = model._denoised(known, chosen, silent)  # and stays so, without another word
    assert torch.equal(again, latents)


def test_deepcache_runs_shallow_calls_in_between(tiny_model, conditions, settings):
    """Deeper levels run at every second step; where they run at every step nothing changes to the bit."""
    deep = tiny_model.networks.unet.mid_block.resnets[0]
    calls = []
    hook = deep.register_forward_pre_hook(lambda *_: calls.append(1))
    try:
        plain, _ = tiny_model._denoised(conditions, settings(inference_steps=4, window=7), silent)
        assert len(calls) == 4 * 1
        calls.clear()
        got, _ = tiny_model._denoised(conditions, settings(inference_steps=4, window=7, deepcache=2), silent)
        assert len(calls) == 2 * 1
    finally:
        hook.remove()
    assert 0 < difference(got, plain) < 0.5
    once, _ = tiny_model._denoised(conditions, settings(inference_steps=1, window=7, deepcache=2), silent)
    assert torch.equal(once, tiny_model._denoised(conditions, settings(inference_steps=1, window=7), silent)[0])
