"""Levers: each changes next to nothing, and one that fails is let go with one warning."""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from dataclasses import fields

import pytest
import torch
from torch import nn

from sonic_core.errors import SettingsError, SonicWarning
from sonic_core.models.base.config import BaseConfig
from sonic_core.models.base.networks import empty_unet
from sonic_core.models.base.unet import attend, lean, measuring
from sonic_core.models.base.unet.acceleration import LEVERS, Acceleration, accelerate, choose_acceleration
from sonic_core.models.base.unet.calls import call_unet
from sonic_core.models.base.unet.graphs import MOST_RECORDINGS
from sonic_core.models.base.unet.switches import AUTOTUNING, RECOMPILATIONS, _limit
from sonic_core.moving import MappedTensors
from sonic_core.weights.read import is_mapped, load_into
from tests.parity.kit import draw
from tests.parity.make_weights import TINY
from tests.unit.models.base.test_residual import CPU, draw_call, relative

pytestmark = pytest.mark.slow
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


@pytest.fixture(name="own")
def own_fixture(unet):
    """A UNet of the same numbers that a test may spoil."""
    own = empty_unet(SMALL)
    own.load_state_dict({name: one.clone() for name, one in unet.state_dict().items()}, assign=True)
    return own.requires_grad_(False)


def wide(unet):
    """List the weights that channels last is for."""
    return [one.weight for one in unet.modules() if isinstance(one, nn.Conv2d) and one.kernel_size != (1, 1)]


def lies_last(weight):
    return weight.is_contiguous(memory_format=torch.channels_last)


class Recorder:
    """Stands in for a card's recorder: at each replay the call is made again, on the tensors that stay."""

    def __init__(self):
        self.answers, self.replays = [], 0

    def __call__(self, call, device):
        answer = call()
        self.answers.append(answer)

        def replay():
            self.replays += 1
            with torch.inference_mode():  # a card writes without asking
                answer.copy_(call())

        return replay, answer


@pytest.mark.parametrize("lever", ["batched", "channels_last", "fused_projections", "autotune"])
def test_a_lever_changes_next_to_nothing_and_off_nothing(unet, given, plain, lever):
    names = set(unet.state_dict())
    accelerate(unet, Acceleration(**{lever: True}))
    assert relative(called(unet, given), plain) < 1e-3
    assert set(unet.state_dict()) == names, "files keep their names"
    accelerate(unet, Acceleration())
    assert torch.equal(called(unet, given), plain)
    assert set(dict(unet.named_buffers())) == set()


def test_weights_that_were_made_inferring_can_move_anywhere(own, given):
    with torch.inference_mode():
        accelerate(own, Acceleration(channels_last=True, fused_projections=True))
        call_unet(own, *given)
    assert all(lies_last(weight) for weight in wide(own))
    assert not any(one.is_inference() for one in (*own.parameters(), *own.buffers()))
    own._apply(lambda tensor: tensor.clone())
    with torch.no_grad():
        assert own.conv_in.weight.permute(0, 2, 3, 1).view(-1).isfinite().all()


def test_a_file_holds_the_weights_of_a_network_that_left_and_levers_are_pulled_again(own, given, plain, tmp_path):
    torch.save(own.state_dict(), tmp_path / "unet.pth")
    unet, mapped = empty_unet(SMALL), MappedTensors()
    load_into(unet, tmp_path / "unet.pth")
    for _ in range(2):
        with mapped.kept(unet):
            unet._apply(lambda tensor: tensor.clone(memory_format=torch.contiguous_format))  # as a card's copy
        accelerate(unet, Acceleration(channels_last=True, fused_projections=True))
        assert relative(called(unet, given), plain) < 1e-3
        assert all(lies_last(weight) for weight in wide(unet))
        mapped.put_back(unet)
        assert all(is_mapped(one) and one.is_contiguous() for one in unet.parameters()), "nothing was copied back"


def test_norms_read_channels_first(own, given):
    seen = []
    accelerate(own, Acceleration(channels_last=True))
    for module in own.modules():
        if isinstance(module, nn.GroupNorm):
            module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    called(own, given)
    maps = [one.is_contiguous() for one in seen if one.dim() == 4]
    assert len(maps) > 20
    assert all(maps)


def test_fused_projections_come_back(own, given):
    for _ in range(2):
        accelerate(own, Acceleration(fused_projections=True))
        called(own, given)
        assert any(name.endswith("fused_weight") for name, _ in own.named_buffers())
        accelerate(own, Acceleration())
        assert set(dict(own.named_buffers())) == set()


def test_autotuning_is_on_while_anybody_calls(own, given):
    during = []
    own.conv_in.register_forward_pre_hook(lambda *_: during.append(torch.backends.cudnn.benchmark))
    accelerate(own, Acceleration(autotune=True))
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(AUTOTUNING.held())
        second.enter_context(AUTOTUNING.held())
        first.close()
        called(own, given)
        assert torch.backends.cudnn.benchmark, "the second still calls"
    assert not torch.backends.cudnn.benchmark
    called(own, given)
    assert (during, torch.backends.cudnn.benchmark) == ([True, True], False)


def limits():
    """Tell how many forms torch compiles of a function, and of all its forms together."""
    names = _limit(), f"accumulated_{_limit()}"
    return tuple(getattr(torch._dynamo.config, name) for name in names)


def test_blocks_compile_without_a_break(unet, given, plain):
    old, heard, seen, before = [], [], set(), limits()

    def compiler(graph, inputs):
        seen.add(limits())
        return graph.forward

    for present in (old, heard):
        accelerate(unet, Acceleration(compile=True), lambda *report, to=present: to.append(report), compiler=compiler)
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
    assert not old, "a clip that is done is told nothing"
    assert seen == {(RECOMPILATIONS, 16 * RECOMPILATIONS)}
    assert limits() == before


def test_what_cannot_be_compiled_runs_plain(unet, given, plain):
    def broken(graph, inputs):
        raise RuntimeError("no compiler here\nand why\n\nand much more")

    accelerate(unet, Acceleration(compile=True), compiler=broken)
    with pytest.warns(SonicWarning, match=r"failed \(.*RuntimeError: no compiler here and why\); going on") as warned:
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


def test_replays_see_their_own_inputs_and_conditioning(own, given, plain):
    latents, moments, ids, batch = given
    told = draw_call(SMALL, CPU, size=(16, 16))[3]
    for branch in told.branches[1:]:
        branch.image.embedding.mul_(-2)
    told.branches[2].audio.clip_tokens.tokens.mul_(3)
    told.mask._levels = {pixels: 1 - mask for pixels, mask in told.mask._levels.items()}
    others = [(latents, moments, ids, told), (latents * 0.5, moments - 0.2, ids + 1, batch), given]
    expected = [called(own, one) for one in others]
    assert relative(expected[0], plain) > 1e-3
    recorder = Recorder()
    accelerate(own, Acceleration(graphs=True), record=recorder)
    assert torch.equal(called(own, given), plain)
    assert all(torch.equal(called(own, one), made) for one, made in zip(others, expected, strict=True))
    with torch.no_grad():
        assert torch.equal(call_unet(own, *others[0]), expected[0]), "also where nobody infers"
    assert (len(recorder.answers), recorder.replays) == (1, 4)


@pytest.mark.parametrize("change", ["a weight moved", "a weight changed", "all moved"])
def test_recordings_go_when_weights_move(own, given, change):
    recorder = Recorder()
    accelerate(own, Acceleration(graphs=True, fused_projections=True), record=recorder)
    called(own, given)
    attn = own.down_blocks[0].attentions[0].transformer_blocks[0].attn1
    with torch.no_grad():
        if change == "a weight moved":
            attn.to_out[0].weight.data = attn.to_out[0].weight * 3
        elif change == "a weight changed":
            attn.to_q.weight.mul_(3)
        else:
            own._apply(lambda tensor: tensor * 1.5)
    made = called(own, given)
    assert (len(recorder.answers), recorder.replays) == (2, 0)
    assert torch.equal(called(own, given), made)
    accelerate(own, Acceleration())
    assert relative(called(own, given), made) < 1e-4


def test_few_recordings_are_kept_and_none_where_memory_runs_out(own):
    recorder = Recorder()
    accelerate(own, Acceleration(graphs=True), record=recorder)
    for frames in range(1, MOST_RECORDINGS + 2):
        called(own, draw_call(SMALL, CPU, rows=1, size=(8, 8), frames=frames))
    kept = own.attention_context.graphs.recorded
    assert len(kept) == MOST_RECORDINGS
    hook = own.conv_in.register_forward_pre_hook(run_out)
    with pytest.raises(torch.OutOfMemoryError):
        called(own, draw_call(SMALL, CPU, rows=1, size=(8, 8), frames=1))
    hook.remove()
    assert not kept


def test_recordings_go_when_the_network_leaves(own, given):
    accelerate(own, Acceleration(graphs=True), record=Recorder())
    called(own, given)
    kept = own.attention_context.graphs.recorded
    assert kept
    MappedTensors().put_back(own)
    assert not kept


def test_a_cancel_while_recording_is_heard(own, given, plain):
    class Cancel(Exception):  # noqa: N818 - a host's own
        pass

    def cancel(call, device):
        raise Cancel

    accelerate(own, Acceleration(graphs=True), record=cancel)
    with pytest.raises(Cancel):
        called(own, given)
    own.attention_context.graphs.record = Recorder()
    assert torch.equal(called(own, given), plain)
    assert own.attention_context.graphs.recorded


def run_out(*_):
    raise torch.OutOfMemoryError("CUDA out of memory")


def test_conditioning_that_stays_is_what_a_call_reads(unet, given, plain):
    """What a recorded call would read: the same numbers in other memory, and no other."""
    from sonic_core.models.base.unet.graphs import _copy

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


@pytest.mark.parametrize("compiled", [False, True])
def test_a_kernel_that_refuses_during_a_call_is_let_go(own, given, plain, monkeypatch, compiled):
    pytest.importorskip("diffusers.models.attention_dispatch")
    monkeypatch.setitem(attend.BACK_ENDS, "flash", "no such kernel")
    monkeypatch.setattr(attend, "LEAST_KEYS", 16)
    monkeypatch.setattr(attend, "HALVES", (torch.float32,))
    levers = Acceleration(attention="flash", compile=compiled)
    accelerate(own, levers, compiler="eager")
    with pytest.warns(SonicWarning) as warned:
        assert relative(called(own, given), plain) < 1e-3
    assert ["attention flash does not run here" in str(one.message) for one in warned] == [True]
    assert (
        own.attention_context.transform is not None and own.attention_context.transform.made is not None
    ) == compiled
    accelerate(own, levers, compiler="eager")
    assert relative(called(own, given), plain) < 1e-3, "without another word"


def test_a_kernel_that_finds_no_memory_is_kept(own, given, monkeypatch):
    dispatch = pytest.importorskip("diffusers.models.attention_dispatch")
    monkeypatch.setattr(dispatch, "dispatch_attention_fn", lambda *_, **__: run_out())
    monkeypatch.setattr(attend, "LEAST_KEYS", 16)
    monkeypatch.setattr(attend, "HALVES", (torch.float32,))
    accelerate(own, Acceleration(attention="flash"))
    with pytest.raises(torch.OutOfMemoryError):
        called(own, given)
    assert own.attention_context.back_end == "flash"


def test_measuring_draws_nothing():
    state = torch.get_rng_state()
    assert isinstance(measuring.attention_seconds(CPU, "sdpa"), float)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("text", ["fast", "compile", "compile=yes", "warp=on", "", "auto,compile=on"])
def test_unknown_levers_are_named(text):
    with pytest.raises(SettingsError, match="acceleration must be auto, off, or levers such as compile=on"):
        choose_acceleration(text, CPU)
    with pytest.raises(SettingsError, match="attention must be auto, sdpa"):
        choose_acceleration("auto", CPU, "magic")


def test_another_kernel_answers_long_rows(unet, monkeypatch):
    """diffusers' switch, by its name for torch's own kernel, which every machine has."""
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
