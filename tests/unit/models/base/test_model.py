"""The tiny sonic-base from conditions to frames: memory that runs out, number types, guidance, cancelling."""

from __future__ import annotations

import warnings

import pytest
import torch

from sonic_core.devices import OwnKeeper
from sonic_core.errors import InputError, SettingsError, SonicWarning
from sonic_core.models.base.files import find_base
from sonic_core.models.base.loading import Networks
from sonic_core.models.base.model import BaseModel
from sonic_core.models.base.vae import decode_chunk
from sonic_core.types import Audio

CPU = torch.device("cpu")


class Tight(OwnKeeper):
    """Runs out of memory the first so many times that a network is brought."""

    def __init__(self, error=torch.OutOfMemoryError):
        super().__init__(CPU)
        self.failures, self.network, self.error, self.room_made = 0, None, error, 0

    def bring(self, network, working=0):
        if network is self.network and self.failures > 0:
            self.failures -= 1
            raise self.error("CUDA out of memory. Tried to allocate 2.00 GiB")
        super().bring(network, working)

    def make_room(self):
        self.room_made += 1
        super().make_room()


@pytest.fixture
def tight(tiny_model, monkeypatch):
    """The tiny model with a keeper that can run out of memory."""
    keeper = Tight()
    monkeypatch.setattr(tiny_model, "keeper", keeper)
    return keeper


def frames_of(clip):
    return torch.cat(list(clip.read()))


def difference(got, expected):
    return float((got - expected).norm() / expected.norm())


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError, MemoryError])
def test_a_clip_is_made_with_less_at_once_when_memory_runs_out(tiny_model, conditions, settings, tight, error):
    expected, _ = tiny_model._denoised(conditions, settings(), lambda *_: None)
    tight.network, tight.failures, tight.error = tiny_model.networks.unet, 3, error
    with pytest.warns(SonicWarning, match="Memory ran out; going on with less at once: ") as warned:
        got, plan = tiny_model._denoised(conditions, settings(), lambda *_: None)
    assert (tight.failures, tight.room_made, len(warned)) == (0, 3, 3)
    assert difference(got, expected) < 3e-5
    assert (plan.rows, plan.cache_audio, plan.piece) == (1, False, 256)


def test_too_little_memory_for_anything_is_one_sentence(tiny_model, conditions, settings, tight):
    tight.network, tight.failures = tiny_model.networks.unet, 1000
    with (
        pytest.warns(SonicWarning, match="Memory ran out"),
        pytest.raises(SettingsError, match="128×128 does not fit into the memory of cpu") as failure,
    ):
        tiny_model.animate(conditions, settings())
    assert "from 3 branches in pieces of 4096 pixels down to 1 in pieces of 256" in str(failure.value)
    assert "Lower min_resolution, now 128, then window, now 4" in str(failure.value)
    assert "\n" not in str(failure.value)
    tight.failures = 0
    assert len(frames_of(tiny_model.animate(conditions, settings(inference_steps=1, fps=12.5)))) == 7


def test_other_errors_are_not_mistaken_for_memory(tiny_model, conditions, settings, tight):
    class BrokenError(RuntimeError):
        def __str__(self):
            return "device-side assert triggered"

    tight.network, tight.failures, tight.error = tiny_model.networks.unet, 1, BrokenError
    with pytest.raises(BrokenError):
        tiny_model.animate(conditions, settings())


def test_fewer_frames_are_decoded_when_memory_runs_out(tiny_model, conditions, settings, tight):
    clip = tiny_model.animate(conditions, settings(inference_steps=1, fps=12.5))
    tight.network, tight.failures = tiny_model.networks.vae, 2
    with pytest.warns(SonicWarning) as warned:
        once = frames_of(clip)
    said = [str(one.message) for one in warned]
    assert said == [f"Memory ran out; frames decoded at once from now on: {count}." for count in (3, 1)]
    assert len(once) == clip.length == 7
    assert torch.equal(frames_of(clip), once)
    tight.failures = 1000
    fresh = tiny_model.animate(conditions, settings(inference_steps=1))
    with pytest.warns(SonicWarning), pytest.raises(SettingsError, match="lower min_resolution, now 128") as failure:
        frames_of(fresh)
    assert failure.value.__context__ is None, "nothing holds the tensors of what failed"


def test_reading_twice_gives_the_same_and_chunks_are_small(tiny_model, conditions, settings):
    clip = tiny_model.animate(conditions, settings())
    chunks = [list(clip.read()) for _ in range(2)]
    once, again = map(torch.cat, chunks)
    assert (clip.length, clip.size, len(once)) == (13, (128, 128), 13)
    assert torch.equal(once, again)
    assert max(map(len, chunks[0])) <= 8
    assert once.dtype == torch.float32
    assert 0 <= float(once.min()) < float(once.max()) <= 1


@pytest.fixture(scope="module")
def moment(sound):
    """Two frames."""
    return Audio(sound.samples[:, 2000:4000], 16000)


@pytest.fixture(scope="module")
def expected_moment(tiny_model, portrait, moment, settings):
    """The latents of two frames in float32."""
    chosen = settings(inference_steps=1, window=2)
    return tiny_model._denoised(tiny_model.prepare(portrait, moment, chosen), chosen, lambda *_: None)[0]


@pytest.mark.parametrize("half", [(torch.float16, 0.01), (torch.bfloat16, 0.08)])
def test_half_precision_stays_near(tiny_set, settings, portrait, moment, expected_moment, half):  # noqa: PLR0917
    dtype, most = half
    model, chosen = BaseModel(find_base([tiny_set]), OwnKeeper(CPU), dtype), settings(inference_steps=1, window=2)
    known = model.prepare(portrait, moment, chosen)
    assert known.heard.tokens.dtype == dtype
    got, _ = model._denoised(known, chosen, lambda *_: None)
    assert got.dtype == torch.float32
    assert difference(got, expected_moment) < most
    frames = decode_chunk(model.networks.vae, got[:1, :, :8, :8])
    assert frames.shape == (1, 3, 64, 64)
    assert bool(frames.isfinite().all())


def test_a_picture_in_bfloat16_keeps_its_digits(tiny_set):
    latents = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    files = find_base([tiny_set])
    exact, coarse = (Networks(files, dtype).vae for dtype in (torch.float32, torch.bfloat16))
    assert {tensor.dtype for tensor in coarse.encoder.parameters()} == {torch.float32}
    expected = decode_chunk(exact, latents)
    got = difference(decode_chunk(coarse, latents), expected)
    coarse.decoder.bfloat16()
    assert got < difference(decode_chunk(coarse, latents), expected) / 3


def test_numbers_that_are_none_are_an_error(tiny_model, conditions, settings, monkeypatch):
    weight = tiny_model.networks.unet.conv_out.weight
    monkeypatch.setattr(weight, "data", torch.full_like(weight, torch.inf))
    with pytest.raises(InputError, match=r"not numbers in float32: download its weights again"):
        tiny_model.animate(conditions, settings())


@pytest.mark.parametrize(
    ("guidance", "calls"), [((2.0, 7.5), 3), ((1.0, 1.0), 1), ((1.0, 7.5), 2), ((4.0, 4.0), 2), ((0.0, 0.0), 1)]
)
def test_branches_without_weight_are_left_out(tiny_model, conditions, settings, guidance, calls):
    (appearance, audio), rows = guidance, []
    unet = tiny_model.networks.unet
    hook = unet.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
    try:
        chosen = settings(inference_steps=1, window=7, appearance_guidance=appearance, audio_guidance=audio)
        tiny_model.animate(conditions, chosen)
    finally:
        hook.remove()
    assert sum(rows) == calls  # one window, one step


def test_cancelling_in_the_middle_lets_everything_go(tiny_model, conditions, settings):
    class Enough(Exception):  # noqa: N818
        pass

    def stop(stage, done, total):
        if stage == "denoise" and done == 2:
            raise Enough

    with pytest.raises(Enough):
        tiny_model.animate(conditions, settings(), stop)
    assert tiny_model.networks.unet.attention_context.batch is None


def test_progress_counts_windows(tiny_model, portrait, sound, settings):
    heard = []
    known = tiny_model.prepare(portrait, sound, settings(), lambda *report: heard.append(report))
    tiny_model.animate(known, settings(), lambda *report: heard.append(report))
    assert list(dict.fromkeys(heard))[:2] == [("look", 0, 1), ("look", 1, 1)]  # the first is said again while it waits
    assert [report for report in heard if report[0] == "listen"][-1] == ("listen", 7, 7)
    assert [report for report in heard if report[0] == "denoise"][1:] == [("denoise", n, 4) for n in range(1, 5)]


def test_reading_the_weights_is_reported_and_can_be_cancelled(tiny_set, portrait, sound, settings):
    class Enough(Exception):  # noqa: N818
        pass

    heard = []

    def stop(*report):
        heard.append(report)
        if report[:2] == ("read", 3):
            raise Enough

    model = BaseModel(find_base([tiny_set]), OwnKeeper(CPU), torch.bfloat16)
    with pytest.raises(Enough):
        model.prepare(portrait, sound, settings(), stop)
    assert "clip" not in vars(model.networks)
    assert list(dict.fromkeys(report[:2] for report in heard)) == [("look", 0), *(("read", done) for done in range(4))]
    model.prepare(portrait, sound, settings())


def test_whoever_watches_is_shown_pictures(tiny_model, conditions, settings):
    class Watcher:
        def __init__(self):
            self.pictures = []

        def __call__(self, stage, done, total):
            pass

        def show(self, picture):
            self.pictures.append(picture)

    watcher = Watcher()
    tiny_model.animate(conditions, settings(), watcher)
    assert len(watcher.pictures) == 4
    assert all(picture.shape == (3, 16, 16) for picture in watcher.pictures)
    assert all(0 <= float(picture.min()) <= float(picture.max()) <= 1 for picture in watcher.pictures)


def test_scales_multiply_the_buckets(tiny_model, conditions, settings, monkeypatch):
    seen = []
    run = tiny_model.networks.unet.forward

    def watch(inputs, moment, nothing, ids, **options):
        assert torch.equal(ids, ids[:1].expand_as(ids))
        seen.append(tuple(ids[0].tolist()))
        return run(inputs, moment, nothing, ids, **options)

    monkeypatch.setattr(tiny_model.networks.unet, "forward", watch)
    for dynamic, motion in ((1.0, 1.0), (1.5, 1.0), (1.5, 0.5)):
        tiny_model.animate(
            conditions, settings(inference_steps=1, window=7, dynamic_scale=dynamic, motion_scale=motion)
        )
    fps, head, expression = zip(*dict.fromkeys(seen), strict=True)
    assert set(fps) == {12.5}
    plain = conditions.heard.buckets.mean(0).tolist()
    assert head == pytest.approx([plain[0], plain[0] * 1.5, plain[0] * 0.75])
    assert expression == pytest.approx([plain[1], plain[1] * 1.5, plain[1] * 1.5])


def test_a_sound_of_more_than_one_block(tiny_model, portrait, settings):
    """The tokens on both sides of the 30 seconds are those of either part by itself, but near the seam."""
    moments = torch.arange(31 * 16000) / 16000
    samples = 0.4 * torch.sin(moments * 900) * torch.sin(moments * (1 + moments / 9))
    known = tiny_model.prepare(portrait, Audio(samples[None], 16000), settings())
    assert known.heard.tokens.shape == (388, 32, 32)
    assert known.heard.buckets.shape == (388, 2)
    first, rest = (
        tiny_model.prepare(portrait, Audio(part[None], 16000), settings()) for part in samples.split(480_000)
    )
    torch.testing.assert_close(known.heard.tokens[:366], first.heard.tokens[:366], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(known.heard.buckets[:366], first.heard.buckets[:366], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(known.heard.tokens[378:], rest.heard.tokens[3:], rtol=1e-4, atol=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bool(known.heard.tokens.isfinite().all())
