"""One window-step of the UNet: seconds, share of the matrix rate and memory, form by form and lever by lever."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.unet import RepeatingAttention
from sonic_core.models.base.denoise import timestep
from sonic_core.models.base.networks import empty_unet
from sonic_core.models.base.plan import BRANCHES, HOST_PIECE
from sonic_core.models.base.unet.attention import AudioTokens, BatchConditioning, Branch, FaceMask, ImageToken
from sonic_core.models.base.unet.calls import call_unet

from .bench import Bench, relative, size_of
from .networks import fill

COUNTED = {512: 31.7738e12, 768: 80.0429e12, 1024: 163.697e12}
"""Operations of one row of the full-size UNet over 25 frames, by pixels of a side, as ``count`` counts them."""
SIGMA = 4.0
"""Noise level of the step that is measured; no time depends on it."""
WHOLE = 1 << 40
"""A piece that holds all pixels: what is planned where memory is plenty."""
REPEATED = 3
"""Calls of which the fastest counts."""


@dataclass(frozen=True, eq=False)
class Step:
    """What goes into the UNet at one window-step."""

    inputs: torch.Tensor
    moments: torch.Tensor
    ids: torch.Tensor
    batch: BatchConditioning

    def __call__(self, unet: Any, **options: Any) -> Any:  # noqa: ANN401
        """Run the UNet."""
        with torch.inference_mode():
            return call_unet(unet, self.inputs, self.moments, self.ids, self.batch, **options)


def make_step(bench: Bench, side: int, rows: int, *, cache_audio: bool = True) -> Step:
    """Make random inputs of ``rows`` rows: all three branches, or the one of image and sound."""
    device, dtype, latent = bench.device, bench.dtype, side // 8
    chance = torch.Generator(device).manual_seed(side)
    tokens, width = bench.config.audio2token["context_tokens"], bench.config.unet["cross_attention_dim"]

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, device=device, dtype=dtype, generator=chance)

    image = ImageToken(random(width))
    audio = AudioTokens(random(bench.frames, tokens, width).cpu(), device, dtype, cache=cache_audio)
    heard = audio.window(torch.arange(bench.frames))
    silent = AudioTokens(random(1, tokens, width).cpu(), device, dtype, cache=cache_audio).window()
    branches = [Branch(None, silent), Branch(image, silent), Branch(image, heard)][-rows:]
    mask = torch.zeros(1, side, side, device=device, dtype=dtype)
    mask[:, side // 4 : 3 * side // 4, side // 4 : 3 * side // 4] = 1
    return Step(
        random(rows, bench.frames, 8, latent, latent),
        torch.full((rows,), timestep(SIGMA), device=device),
        torch.tensor([[12.5, 16.0, 16.0]] * rows, device=device),
        BatchConditioning(branches, FaceMask(mask, (latent, latent), len(bench.config.unet["block_out_channels"]))),
    )


def make_unet(bench: Bench, form: str = "lean") -> Any:  # noqa: ANN401
    """Make a UNet with random weights, the same in every form.

    Args:
        bench: Tells sizes and device.
        form: "plain", a straightforward port, "attention", where only the cross-attention is ours, or "lean".
    """
    unet = fill(empty_unet(bench.config, lean=form == "lean"), bench.device, bench.dtype)
    if form == "plain":
        for name, module in unet.named_modules():
            if name.endswith(".attn2"):
                processor = module._modules.pop("processor")
                module.add_module("processor", RepeatingAttention(processor, bench.frames))
    unet.attention_context.piece = WHOLE if bench.card else HOST_PIECE
    return unet


def shared_unet(bench: Bench) -> Any:  # noqa: ANN401
    """Return the lean UNet that several parts use."""
    if "unet" not in bench.held:
        bench.held["unet"] = make_unet(bench)
    return bench.held["unet"]


def operations(bench: Bench, side: int, rows: int) -> float:
    """Return the operations of one call."""
    return rows * (count(bench, side) if bench.rehearse else COUNTED[side])


@cache
def count(bench: Bench, side: int) -> float:
    """Count the operations of one row without computing."""
    unet = empty_unet(bench.config)
    unet.attention_context.piece = WHOLE
    with FakeTensorMode():
        for module in unet.modules():
            for name, like in module._parameters.items():
                if like is not None:
                    module._parameters[name] = torch.nn.Parameter(torch.empty(like.shape, dtype=bench.dtype), False)
        step = make_step(bench, side, 1)
        # the processor's own attention is not counted, its parts are
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            step(unet)
    return float(counter.get_total_flops())


def measured(
    bench: Bench,
    title: str,
    side: int,
    rows: int,
    work: Callable[[], Any],
    *,
    weights: int = 0,
    part: float = 1.0,
) -> dict[str, Any]:
    """Time one step, watch its memory, and print the line.

    Args:
        bench: Where.
        title: The form or lever.
        side: Pixels of a side.
        rows: Rows of the UNet's batch.
        work: Does the step.
        weights: Bytes of the UNet, printed beside the peak.
        part: Share of the UNet's operations that the step computes.
    """
    peak = bench.peak()
    cold = bench.seconds(work, 1, warm=False)
    seconds = bench.seconds(work, REPEATED, warm=False)
    most, share = peak.stop(), part * operations(bench, side, rows) / seconds / bench.rate
    bench.say(
        f"step {side}² {title}, {rows} rows: {seconds:.4f} s (the first {cold:.2f} s), {share:.1%} of the matrix rate, "
        f"{most / 1e9:.2f} GB beside {weights / 1e9:.2f} GB of weights"
    )
    return {
        "pixels": side, "form": title, "rows": rows, "seconds": seconds, "first_seconds": cold, "share": share,
        "gigabytes": most / 1e9,
    }  # fmt: skip


def form(bench: Bench, side: int, name: str) -> dict[str, Any]:
    """Measure one form with three rows, the lean one with one row too, and compare what it gives with the lean one."""
    if name == "lean":
        unet = shared_unet(bench)
        step, one = make_step(bench, side, BRANCHES), make_step(bench, side, 1)
        found = measured(bench, name, side, BRANCHES, partial(step, unet), weights=size_of(unet))
        bench.held["answer", side] = step(unet)
        if not bool(bench.held["answer", side].isfinite().all()):
            raise ArithmeticError("the UNet gave values that are not numbers")
        return found | {"one_row": measured(bench, name, side, 1, partial(one, unet))}
    wanted = answer(bench, side)
    unet = make_unet(bench, name)
    step = make_step(bench, side, BRANCHES, cache_audio=False)
    found = measured(bench, name, side, BRANCHES, partial(step, unet), weights=size_of(unet))
    found["difference"] = relative(step(unet), wanted)
    bench.say(f"step {side}² {name}: differs by {found['difference']:.1e} from the lean form")
    return found


def answer(bench: Bench, side: int) -> torch.Tensor:
    """Return what the lean UNet, as it is, makes of the step of three rows."""
    if ("answer", side) not in bench.held:
        bench.held["answer", side] = make_step(bench, side, BRANCHES)(shared_unet(bench))
    return bench.held["answer", side]


def form_seconds(bench: Bench, side: int) -> float:
    """Estimate what measuring one form takes."""
    calls = (REPEATED + 2) * (BRANCHES + 1)
    return bench.expect(0 if bench.rehearse else calls * operations(bench, side, 1), 3.0)
