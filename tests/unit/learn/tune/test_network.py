"""The form that learns: the stock numbers and gradients, changes that begin as nothing, memory for one block."""

from __future__ import annotations

import pytest
import torch

from sonic_core.learn.tune.network import add_changes, chosen_layers, conditioned, trainable_unet
from sonic_core.models.base.config import BaseConfig
from sonic_core.models.base.networks import empty_unet
from sonic_core.models.base.unet.calls import call_unet
from sonic_core.weights.lora import Lora, load_with_loras
from sonic_core.weights.read import load_into
from tests.parity import plain
from tests.parity.kit import draw
from tests.parity.make_weights import TINY
from tests.unit.models.base.test_residual import CPU, draw_call, relative

CONFIG = BaseConfig.read(TINY)


def learning(*, checkpointing):
    return draw(trainable_unet(CONFIG, checkpointing=checkpointing), "calls", "unet")


def answer(unet, inputs, moments, ids, batch):
    with conditioned(unet, batch):
        return unet(inputs, moments, inputs.new_zeros(len(inputs), 1, 1), ids, return_dict=False)[0]


def learn(unet, given):
    """Let something be learned from a call, and return its answer."""
    inputs, moments, ids, batch = given
    with conditioned(unet, batch):
        said = unet(inputs, moments, inputs.new_zeros(len(inputs), 1, 1), ids, return_dict=False)[0]
        said.square().mean().backward()
    return said.detach()


def stock_gradients(inputs, moments, ids, batch):
    """Those of the stock UNet in float64, tokens repeated for everybody who asks."""
    unet, conditioning = plain.plain_unet(CONFIG, "calls")
    parameters = dict(unet.named_parameters())
    for name, module in unet.named_modules():
        if name.endswith("attn2"):  # a plain processor is no module
            for one in ("to_k_ip", "to_v_ip"):
                parameters[f"{name}.processor.{one}.0.weight"] = getattr(module.processor, one).weight
    for one in parameters.values():
        one.requires_grad_(True)
    branches = batch.branches
    frames, width = inputs.shape[1], CONFIG.unet["cross_attention_dim"]
    images = [torch.zeros(width) if one.image is None else one.image.embedding for one in branches]
    tokens = [one.audio.clip_tokens.on_device(one.audio.frames).expand(frames, -1, -1) for one in branches]
    conditioning.rows, conditioning.latent_size = len(branches), tuple(inputs.shape[3:])
    conditioning.image_tokens = torch.stack(images).double()[:, None].repeat_interleave(frames, 0)
    conditioning.audio_tokens = torch.cat(tokens).double()
    height, width = inputs.shape[3:]
    mask = {one: batch.mask(one).double() for one in {height * width, height * width // 4, height * width // 16,
                                                       height * width // 64}}  # fmt: skip
    conditioning.mask_at = mask.__getitem__  # type: ignore[method-assign]
    nothing = conditioning.image_tokens.new_zeros(len(branches), 1, 1)
    said = unet(inputs.double(), moments.double(), nothing, ids.double(), return_dict=False)[0]
    said.square().mean().backward()
    return said.detach(), {name: one.grad for name, one in parameters.items()}


@pytest.mark.parametrize("checkpointing", [False, True])
def test_numbers_and_gradients_are_the_stock_ones(checkpointing):
    given = draw_call(CONFIG, CPU)
    said, wanted = stock_gradients(*given)
    unet = learning(checkpointing=checkpointing).requires_grad_(True)
    found = learn(unet, given)
    assert relative(found.double(), said) < 1e-5
    whole = torch.stack([one.norm() for one in wanted.values()]).norm()
    assert {name for name, _ in unet.named_parameters()} == set(wanted)
    for name, parameter in unet.named_parameters():
        expected = wanted[name]
        if ".attn2.to_k." in name:  # keys of the image, which change nothing
            assert expected.norm() < 1e-9 * whole
            assert parameter.grad is None
            continue
        away = (parameter.grad.double() - expected).norm()
        assert away < 1e-4 * expected.norm() or away < 1e-7 * whole, name  # before a norm of one channel it is zero


def test_what_is_computed_again_on_the_way_back_gives_the_same_bits():
    given, gradients = draw_call(CONFIG, CPU), []
    for checkpointing in (False, True):
        unet = learning(checkpointing=checkpointing)
        changes = add_changes(unet, "all", 2, 1.0, seed=1)
        with torch.no_grad():
            for one in changes.layers:
                one.up.fill_(0.01)
        with conditioned(unet, given[3]):
            unet(given[0], given[1], given[0].new_zeros(3, 1, 1), given[2], return_dict=False)[
                0
            ].square().mean().backward()
        gradients.append([one.grad for one in changes.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


def test_the_layers_are_those_that_are_named():
    unet = empty_unet(CONFIG, lean=False)
    audio, more, every = (chosen_layers(unet, layers) for layers in ("audio", "audio+temporal", "all"))
    attentions = len([name for name, _ in unet.named_modules() if name.endswith(".attn2")])
    assert len(audio) == 4 * attentions
    assert len(more) == 4 * attentions + 4 * (attentions // 2)
    assert set(audio) < set(more) < set(every)
    assert {name.split(".attn2.")[1] for name in audio} == {
        "to_q", "to_out.0", "processor.to_k_ip.0", "processor.to_v_ip.0",
    }  # fmt: skip
    matrices = {name.removesuffix(".weight") for name, one in unet.named_parameters() if one.dim() > 1}
    assert set(every) == {name for name in matrices if not name.endswith("attn2.to_k")}


def test_at_the_beginning_nothing_changes_and_merged_it_is_what_it_was_beside(tmp_path, tiny_set):
    """Every kind of layer, in the file's own form: through the reader that animates."""
    from sonic_core.learn.tune.plan import TuningPlan
    from sonic_core.learn.tune.running import write_changes

    path = tiny_set / "Sonic" / "unet.pth"
    given = draw_call(CONFIG, CPU)
    with torch.no_grad():
        unet = trainable_unet(CONFIG, checkpointing=False)
        load_into(unet, path)
        before = answer(unet, *given)
        changes = add_changes(unet, "all", 3, 0.5, seed=1)
        assert torch.equal(answer(unet, *given), before)
        for one in changes.layers:
            one.down.copy_(one.down.half())  # as it is written
            one.up.copy_((torch.randn(one.up.shape, generator=torch.Generator().manual_seed(2)) * 0.02).half())
        beside = answer(unet, *draw_call(CONFIG, CPU))  # a call keeps what its layers made of the image
    assert relative(beside, before) > 0.01
    written = tmp_path / "changes.safetensors"
    write_changes(written, changes.tensors(), TuningPlan(rank=3, alpha=1.5), {})
    lean = empty_unet(CONFIG)
    load_with_loras(lean, path, [Lora(written)], dtype=torch.float32)
    with torch.inference_mode():
        merged = call_unet(lean, *draw_call(CONFIG, CPU))
    assert relative(merged, beside) < 1e-4


def test_only_changes_learn():
    unet = learning(checkpointing=True)
    changes = add_changes(unet, "audio+temporal", 2, 1.0, seed=1)
    given = draw_call(CONFIG, CPU)
    learn(unet, given)
    assert all(one.grad is None for one in unet.parameters())
    assert all(one.grad.isfinite().all() for one in changes.parameters())
    assert all(one.up.grad.any() and not one.down.grad.any() for one in changes.layers)


@pytest.mark.slow
def test_a_step_of_full_size_fits_into_24_gigabytes():
    from benchmarks.tune import count_step

    step = count_step(512, checkpointing=True)
    assert step.gigabytes < 24 * 0.85, "what an allocator adds is not counted"
    assert step.changed < 40e6
    assert count_step(512, checkpointing=False).gigabytes > 3 * step.gigabytes
