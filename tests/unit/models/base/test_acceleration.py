"""Levers: each changes next to nothing, and one that fails is let go with one warning."""

from __future__ import annotations

import warnings
from dataclasses import fields

import pytest
import torch

from sonic_core.errors import SettingsError, SonicWarning
from sonic_core.models.base import lean
from sonic_core.models.base.acceleration import LEVERS, Acceleration, accelerate, choose_acceleration
from sonic_core.models.base.calls import call_unet
from sonic_core.models.base.config import BaseConfig
from sonic_core.models.base.networks import empty_unet
from tests.parity.kit import draw
from tests.parity.make_weights import TINY
from tests.unit.models.base.test_residual import CPU, draw_call, relative

CONFIG = BaseConfig.read(TINY)
SMALL = BaseConfig.of({"unet": {**CONFIG.unet, "layers_per_block": 1}})


@pytest.fixture(scope="module")
def unet():
    return draw(empty_unet(SMALL), "levers", "unet")


@pytest.fixture(scope="module")
def given():
    return draw_call(SMALL, CPU, cache=True)


@pytest.fixture(scope="module")
def plain(unet, given):
    """What the UNet gives while nobody has touched a lever."""
    with torch.inference_mode():
        return call_unet(unet, *given)


def called(unet, given):
    with torch.inference_mode():
        return call_unet(unet, *given)


@pytest.mark.parametrize("lever", ["batched", "channels_last", "fused_projections", "autotune"])
def test_a_lever_changes_next_to_nothing_and_off_nothing(unet, given, plain, lever):
    names = set(unet.state_dict())
    accelerate(unet, Acceleration(**{lever: True}))
    assert relative(called(unet, given), plain) < 1e-3
    assert set(unet.state_dict()) == names, "files keep their names"
    accelerate(unet, Acceleration())
    assert torch.equal(called(unet, given), plain)
    assert set(dict(unet.named_buffers())) == set()


def test_blocks_compile_without_a_break(unet, given, plain):
    heard = []
    accelerate(unet, Acceleration(compile=True), lambda *report: heard.append(report), compiler="eager")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", SonicWarning)  # what cannot be compiled whole is let go with a warning
            assert relative(called(unet, given), plain) < 1e-3
            count = len(heard)
            assert relative(called(unet, given), plain) < 1e-3
    finally:
        accelerate(unet, Acceleration())
    assert {stage for stage, _, _ in heard} == {"warm-up"}
    assert len(heard) == count > 20, "the second call compiles nothing"


def test_what_cannot_be_compiled_runs_plain(unet, given, plain):
    def broken(graph, inputs):
        raise RuntimeError("no compiler here\nand much more")

    accelerate(unet, Acceleration(compile=True), compiler=broken)
    with pytest.warns(SonicWarning, match=r"Compiling failed \(.*\); going on without") as warned:
        assert torch.equal(called(unet, given), plain)
    assert len(warned) == 2, "once for each kind of block"
    accelerate(unet, Acceleration())


def test_what_cannot_be_recorded_runs_plain(unet, given, plain):
    accelerate(unet, Acceleration(graphs=True))
    with pytest.warns(SonicWarning, match="Recording a call failed") as warned:
        assert torch.equal(called(unet, given), plain)
    assert torch.equal(called(unet, given), plain)
    assert len(warned) == 1
    accelerate(unet, Acceleration())


def test_conditioning_that_stays_is_what_a_call_reads(unet, given, plain):
    """What a recorded call would read: the same numbers in other memory, and no other."""
    from sonic_core.models.base.graphs import _copy

    context, other = unet.attention_context, draw_call(SMALL, CPU, rows=3, size=(16, 16), frames=4)
    context.asked = {}
    called(unet, given)
    asked, context.asked = context.asked, None
    context.fixed = {key: _copy(one) for key, one in asked.items()}
    got = called(unet, (*given[:3], other[3]))
    context.fixed = None
    assert torch.equal(got, plain)


def test_fused_weights_follow_the_weights(unet, given, plain):
    accelerate(unet, Acceleration(fused_projections=True))
    called(unet, given)
    attn = next(one for name, one in unet.named_modules() if name.endswith("transformer_blocks.0.attn1"))
    kept = attn.to_q.weight.clone()
    with torch.no_grad():
        attn.to_q.weight.mul_(3)
    changed = called(unet, given)
    assert relative(changed, plain) > 1e-3
    accelerate(unet, Acceleration())
    assert relative(called(unet, given), changed) < 1e-4
    with torch.no_grad():
        attn.to_q.weight.copy_(kept)


def test_a_processor_keeps_its_bits():
    assert choose_acceleration("auto", CPU) == choose_acceleration("off", CPU) == Acceleration()
    assert choose_acceleration("compile=on", CPU) == Acceleration(compile=True)
    assert choose_acceleration("compile=on, graphs=off", CPU, "sdpa") == Acceleration(compile=True)
    assert choose_acceleration("off", torch.device("cuda")) == Acceleration()
    assert choose_acceleration("auto", torch.device("mps")).batched
    assert set(LEVERS) | {"attention"} == {one.name for one in fields(Acceleration)}


def test_a_kernel_that_is_not_there_is_let_go():
    with pytest.warns(SonicWarning, match=r"attention flash does not run on cpu \(.+\); going on with sdpa"):
        assert choose_acceleration("off", CPU, "flash") == Acceleration()


@pytest.mark.parametrize("text", ["fast", "compile", "compile=yes", "warp=on", "", "auto,compile=on"])
def test_unknown_levers_are_named(text):
    with pytest.raises(SettingsError, match="acceleration must be auto, off, or levers such as compile=on"):
        choose_acceleration(text, CPU)
    with pytest.raises(SettingsError, match="attention must be auto, sdpa"):
        choose_acceleration("auto", CPU, "magic")


def test_another_kernel_answers_long_rows(unet, monkeypatch):
    """diffusers' switch, by its name for torch's own kernel, which every machine has."""
    from sonic_core.models.base import attend

    pytest.importorskip("diffusers.models.attention_dispatch")
    monkeypatch.setitem(attend.BACK_ENDS, "flash", "native")
    monkeypatch.setattr(attend, "LEAST_KEYS", 16)
    monkeypatch.setattr(attend, "HALVES", (torch.float32,))
    given = draw_call(SMALL, CPU)
    expected = called(unet, given)
    accelerate(unet, Acceleration(attention="flash"))
    seen, run = [], attend._dispatched
    monkeypatch.setattr(attend, "_dispatched", lambda *args, **options: seen.append(1) or run(*args, **options))
    assert relative(called(unet, given), expected) < 1e-5
    assert seen
    accelerate(unet, Acceleration())
    assert lean.attend is attend.attend
