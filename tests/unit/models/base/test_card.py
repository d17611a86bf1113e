"""Every network at full size on a pretended card: no tensor on the wrong device or of the wrong type, few kernels.

Fake tensors compute nothing, but refuse to mix devices as a card does. The card is called ``meta``, for which every
build of torch has what it needs.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from sonic_core.models.base.config import BaseConfig
from sonic_core.models.base.denoise import Task
from sonic_core.models.base.guidance import ClipConditioning, Guidance, guided_predictions
from sonic_core.models.base.networks import (
    empty_audio2bucket,
    empty_audio2token,
    empty_clip,
    empty_unet,
    empty_vae,
    empty_whisper,
)
from sonic_core.models.base.plan import BRANCHES, Workload, make_plan
from sonic_core.models.base.sampling import Sampling
from sonic_core.models.base.unet.attention import AudioTokens, FaceMask, ImageToken
from sonic_core.models.base.unet.lean import make_lean
from sonic_core.models.base.vae import decode_chunk
from sonic_core.models.base.windows import Window
from sonic_core.post.interpolators.flownet import IFNet
from tests.unit.models.base.watching import Watch

CARD = torch.device("meta")
CONFIG = BaseConfig()
WINDOW, FRAMES = 25, 60
HALVES = [torch.float16, torch.bfloat16]
MOST_KERNELS = 2_400
"""Kernels of a window-step of three rows, in as few pieces as 80 GB take; branch by branch they were 3,600."""
MOST_UP = 2_700_000
"""Bytes to the card for a window-step of 512² with the sound's tokens: latents of a window, and its tokens."""
MOST_DOWN = 1_700_000
"""Bytes back: the prediction in float32."""


def on_card(network, dtype):
    """Give a network fake weights on the card."""
    for module in network.modules():
        for name, tensor in module._parameters.items():
            if tensor is not None:
                empty = torch.empty(tensor.shape, device=CARD, dtype=dtype)
                module._parameters[name] = nn.Parameter(empty, requires_grad=False)
        for name, tensor in module._buffers.items():
            if tensor is not None:
                kind = dtype if tensor.is_floating_point() else tensor.dtype
                module._buffers[name] = torch.empty(tensor.shape, device=CARD, dtype=kind)
    return network


def lean_vae():
    vae = empty_vae(CONFIG)
    make_lean(vae)
    return vae


def test_a_pretended_card_refuses_what_lies_elsewhere():
    with FakeTensorMode(), pytest.raises(Exception, match="device"):
        torch.empty(3, device=CARD) + torch.empty(3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "call", "shapes", "dtypes"),
    [
        (lean_vae, lambda vae, x: vae.encode(x).latent_dist.mode(), [(1, 3, 512, 512)], [torch.float32]),
        (lean_vae, lambda vae, x: vae.decode(x, num_frames=len(x)).sample, [(8, 4, 64, 64)], HALVES),
        (lean_vae, lambda vae, x: vae.decode(x, num_frames=len(x)).sample, [(3, 4, 128, 128)], HALVES),
        (lambda: empty_clip(CONFIG), lambda clip, x: clip(x).image_embeds, [(1, 3, 224, 224)], HALVES),
        (lambda: empty_whisper(CONFIG), lambda net, x: net(x).last_hidden_state, [(1, 80, 3000)], [torch.float32]),
        (lambda: empty_audio2token(CONFIG), lambda net, x: net(x), [(7, 10, 5, 384)], [torch.float32]),
        (lambda: empty_audio2bucket(CONFIG), lambda net, *x: net(*x), [(7, 50, 1, 384), (1, 1024)], [torch.float32]),
        (IFNet, lambda net, *x: net(*x), [(1, 3, 512, 512)] * 2, [torch.float32]),
    ],
    ids=["encoder", "decoder of 512", "decoder of 1024", "clip", "whisper", "tokens", "buckets", "interpolator"],
)
def test_a_network_runs_on_a_card(build, call, shapes, dtypes):
    for dtype in dtypes:
        with FakeTensorMode(allow_non_fake_inputs=True):
            network = on_card(build(), dtype)
            given = [torch.empty(shape, device=CARD, dtype=dtype) for shape in shapes]
            with torch.inference_mode(), Watch() as watch:
                made = call(network, *given)
        assert (made.device, made.dtype) == (CARD, dtype)
        assert watch.mixed == []
        assert not watch.moved["down"], "nothing waits for the card"
        assert 3 not in watch.dimensions, "no convolution over three dimensions"


@pytest.mark.slow
def test_decoded_frames_come_back_once():
    with FakeTensorMode(), Watch() as watch:
        vae = on_card(lean_vae(), torch.bfloat16)
        frames = decode_chunk(vae, torch.empty(4, 4, 64, 64))
    assert frames.device.type == "cpu"
    assert watch.moved == {"up": 4 * 4 * 64 * 64 * 2, "down": frames.nbytes}


class KnownBuckets:
    """Buckets whose numbers are known, which fake ones are not: any window's average is the same."""

    def __getitem__(self, indices):
        assert indices.device.type == "cpu"
        return self

    def mean(self, axis):
        assert axis == 0
        return self

    def tolist(self):
        return [18.0, 15.0]


def draw_clip(side, dtype):
    """Make the conditioning of a clip of which nothing is known but its sizes."""
    mask = FaceMask(torch.empty(1, 8 * side, 8 * side, device=CARD, dtype=dtype), (side, side), 4)
    return ClipConditioning(
        ImageToken(torch.empty(1024, device=CARD, dtype=dtype)),
        torch.empty(4, side, side, device=CARD, dtype=dtype),
        AudioTokens(torch.empty(FRAMES, 32, 1024, dtype=dtype), CARD, dtype, cache=False),
        AudioTokens(torch.empty(1, 32, 1024, dtype=dtype), CARD, dtype, cache=True),
        KnownBuckets(),
        mask,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "gigabytes", "dtype"),
    [(512, 80, HALVES[0]), (1024, 80, HALVES[1]), (512, 5, HALVES[0])],
)
def test_a_window_step_is_made_on_a_card(size, gigabytes, dtype):
    side = size // 8
    job = Workload(CONFIG, (side, side), FRAMES, WINDOW, 0, dtype)
    plan = make_plan(job, torch.device("cuda"), gigabytes * 10**9, 3_150_000_000, 130_000_000)
    with FakeTensorMode(allow_non_fake_inputs=True):
        unet = on_card(empty_unet(CONFIG), dtype)
        unet.attention_context.piece = plan.piece
        unet.attention_context.convolution_piece = plan.convolution_piece
        clip, samples = draw_clip(side, dtype), torch.empty(WINDOW, 4, side, side)
        task = Task(Window(0, 0, range(WINDOW), range(WINDOW)), 3.0, samples)
        with Watch() as watch:
            (made,) = guided_predictions(
                unet, clip, Guidance(2.0, 7.5), Sampling(torch.empty(2)), [task], at_once=plan.rows
            )
    velocity = made.velocity
    assert (velocity.device.type, velocity.dtype, velocity.shape) == ("cpu", torch.float32, samples.shape)
    assert watch.mixed == []
    assert set(watch.dimensions) == {2}
    scale = (size / 512) ** 2
    assert watch.moved["up"] <= MOST_UP * scale
    assert watch.moved["down"] <= MOST_DOWN * scale
    if plan.rows == BRANCHES:
        assert watch.count <= MOST_KERNELS
