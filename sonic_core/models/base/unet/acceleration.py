"""Levers that make the UNet faster on a graphics card, each with what it buys and what it costs.

On a processor all are off: its numbers are held to the bit. On a card the defaults are what an H200 measured
(``benchmarks/card.py``; the figures stand beside the levers); which kernel of attention is the fastest is measured on
the spot.

A lever that fails is let go with one warning; the result is the same without it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from ....errors import SettingsError, SonicWarning
from ....memory import is_out_of_memory
from ....types import Progress, ignore_progress
from .attend import BACK_ENDS, KernelRefusalError
from .attention import AttentionContext
from .fused import Fused, card_kernels
from .graphs import Graphs, Record, record_on_card
from .measuring import attention_seconds, fastest_attention, first_paragraph
from .memory_formats import (
    convolutions_over_time,
    lay_channels_last,
    put_channels_first,
    put_channels_last,
    wide_convolutions,
)
from .projections import attentions_over_pixels, fuse, part
from .residual import convolve
from .switches import many_forms

# ruff: noqa: ANN401 - diffusers' modules have no types worth naming

ATTENTION = ("auto", "sdpa", *BACK_ENDS)
"""Attention kernels that can be asked for."""


@dataclass(frozen=True)
class Acceleration:
    """Which levers are on."""

    fused: bool = False
    """Norms, gates, biases and sums are kernels of our own, and maps have their channels last (``fused``): a step of
    three rows at 512² takes 0.248 s instead of 0.374, one row 0.089 instead of 0.142, a decoded frame half. Costs some
    ten seconds of compiling, once per machine; where the kernels do not run, it is off."""
    batched: bool = False
    """All branches pass through a layer together: 2,100 kernels a call of three rows instead of 3,600. Costs nothing;
    on a processor, where it buys nothing, bits would change."""
    compile: bool = False
    """Blocks are compiled (torch.compile), where they are not fused. Costs minutes at the first call of every size of
    picture, so it pays for long clips and for programs that keep running."""
    graphs: bool = False
    """Calls are recorded and replayed (CUDA graphs), which saves the launches: 4 % of one row at 512², 1 % of three.
    Costs the memory of a few calls' intermediates as long as the UNet is on the card, or until memory runs out."""
    channels_last: bool = False
    """Convolutions over neighbours read and write channels last; maps are turned before and after. 6 % slower at
    512²; what is fused has its channels last anyway."""
    fused_projections: bool = False
    """Queries, keys and values of attention over pixels come from one product instead of three: nothing gained at
    512². Costs 74 MB in half precision, for weights that are kept twice."""
    autotune: bool = False
    """cuDNN tries its ways to convolve at the first call of every shape, in every thread: 1.6 s more for each, and
    nothing gained at 512²."""
    attention: str = "sdpa"
    """Kernel of attention over pixels: torch's own ("sdpa"), or "flash", "sage" or "cudnn" where installed. What is
    computed there is so little that the gain is at most 1.07 at 512² and 1.2 at 1024²."""


LEVERS = tuple(one.name for one in fields(Acceleration) if one.name != "attention")
"""Names of the levers that are on or off."""


def choose_acceleration(text: str, device: torch.device, attention: str = "auto") -> Acceleration:
    """Choose the levers.

    Args:
        text: "auto", "off", or changes to "auto" such as "compile=on,graphs=off".
        device: Where the UNet will run.
        attention: A kernel of ``ATTENTION``; "auto" takes the fastest of those that are exact.

    Raises:
        SettingsError: A word is not known.
    """
    changes = check_acceleration(text, attention)
    if text == "off" or (device.type == "cpu" and not changes):
        chosen = Acceleration()
    else:
        chosen = Acceleration(batched=device.type != "cpu", fused="fused" not in changes and _fuses(device))
    if text == "off" and attention == "auto":
        attention = "sdpa"
    if changes.get("fused") and isinstance(failure := card_kernels(device), str):
        warnings.warn(
            f"acceleration fused=on does not run on {device} ({failure}); going on without.", SonicWarning, stacklevel=2
        )
        changes["fused"] = False
    return replace(chosen, **changes, attention=_chosen_attention(device, attention))


def check_acceleration(text: str, attention: str = "auto") -> dict[str, bool]:
    """Read what is asked for, without looking at any device: the levers that are named, and whether each is on.

    Raises:
        SettingsError: A word is not known.
    """
    if attention not in ATTENTION:
        raise SettingsError(f"attention must be {', '.join(ATTENTION)}; got {attention!r}.")
    return {} if text in {"auto", "off"} else dict(map(_lever, text.split(",")))


def _fuses(device: torch.device) -> bool:
    return not isinstance(card_kernels(device), str)


def _chosen_attention(device: torch.device, attention: str) -> str:
    """Take the fastest exact kernel, or the one that was asked for if it runs here."""
    if attention == "auto":
        return fastest_attention(device) if device.type == "cuda" else "sdpa"
    if attention != "sdpa" and isinstance(failure := attention_seconds(device, attention), str):
        warnings.warn(
            f"attention {attention} does not run on {device} ({failure}); going on with sdpa.",
            SonicWarning,
            stacklevel=3,
        )
        return "sdpa"
    return attention


def _lever(word: str) -> tuple[str, bool]:
    name, _, state = word.strip().partition("=")
    if name not in LEVERS or state not in {"on", "off"}:
        raise SettingsError(
            f"acceleration must be auto, off, or levers such as compile=on,graphs=off (there are {', '.join(LEVERS)}); "
            f"got {word.strip()!r}."
        )
    return name, state == "on"


def accelerate(
    unet: Any,
    acceleration: Acceleration,
    progress: Progress = ignore_progress,
    *,
    compiler: str = "inductor",
    record: Record = record_on_card,
) -> None:
    """Pull the levers of a UNet that is lean (``lean.make_lean``), or let go of those that were pulled.

    What is made of the weights is made at the next ``calls.call_unet``, and anew at the first one after they moved.

    Args:
        unet: The UNet; wherever it is, its weights stay there.
        acceleration: Which levers.
        progress: Told "warm-up" while the first call of a size compiles, until another is given.
        compiler: torch.compile's back end.
        record: Records calls.
    """
    context: AttentionContext = unet.attention_context
    context.progress = progress
    if context.acceleration == acceleration:
        return  # what was compiled stays
    context.acceleration = acceleration
    context.batched = acceleration.batched
    context.autotune = acceleration.autotune
    context.back_end = None if acceleration.attention == "sdpa" else acceleration.attention
    context.graphs = graphs = Graphs(record) if acceleration.graphs else None
    unet.when_leaving = None if graphs is None else graphs.forget
    context.transform, context.convolve, context.fused = None, None, fused_forms(unet, wanted=acceleration.fused)
    if context.fused is None and acceleration.compile:
        from .lean import transform  # noqa: PLC0415 - which pulls the levers

        context.transform = _Compiled(transform, compiler, context)
        context.convolve = _Compiled(convolve, compiler, context)
    attentions = attentions_over_pixels(unet)
    if not acceleration.fused_projections:
        part(attentions)
        attentions = []
    lay = _layout(unet, fused=context.fused is not None, channels_last=acceleration.channels_last)
    context.renew = partial(_renew, lay, attentions) if lay is not None or attentions else None


def accelerate_decoder(vae: Any, *, fused: bool) -> None:
    """Give a VAE's decoder its fused blocks, or take them away.

    Args:
        vae: ``AutoencoderKLTemporalDecoder`` that is lean, its decoder on its device.
        fused: Whether they are wanted; where the kernels do not run, it does without.
    """
    context: AttentionContext = vae.attention_context
    forms = fused_forms(vae.decoder, wanted=fused)
    if forms is not None or context.fused is not None:
        context.fused = forms
        lay = _layout(vae.decoder, fused=forms is not None, channels_last=False)
        if lay is not None:
            lay()


def fused_forms(network: nn.Module, *, wanted: bool) -> Fused | None:
    """Make the fused forms of a network's blocks for the device that it is on, if they are wanted and run there."""
    kernels = card_kernels(next(network.parameters()).device) if wanted else ""
    return None if isinstance(kernels, str) else Fused(kernels)


def _layout(network: nn.Module, *, fused: bool, channels_last: bool) -> Callable[[], None] | None:
    """Lay the weights of convolutions as they are wanted, and return what does so again; None where none needs it."""
    over_pixels, over_time = wide_convolutions(network), convolutions_over_time(network)
    if fused:
        for convolution in over_pixels:
            vars(convolution).pop("forward", None)  # nothing is turned around it
        return partial(lay_channels_last, [*over_pixels, *over_time])
    put_channels_first(over_time)
    if channels_last:
        return partial(put_channels_last, over_pixels)
    put_channels_first(over_pixels)
    return None


def _renew(lay: Callable[[], None] | None, attentions: list[Any]) -> None:
    """Make of the weights what a move undid."""
    if lay is not None:
        lay()
    fuse(attentions)


class _Compiled:
    """A function that is compiled at the first call of each shape; one that cannot be compiled runs plain."""

    def __init__(self, function: Callable[..., Any], compiler: str, context: AttentionContext) -> None:
        self.plain, self.context = function, context
        self.made: Callable[..., Any] | None = torch.compile(function, fullgraph=True, dynamic=False, backend=compiler)
        self.known: set[Any] = set()

    def __call__(self, module: Any, hidden: torch.Tensor, *args: Any, **options: Any) -> Any:
        """Run the function on a module and its input."""
        if self.made is None:
            return self.plain(module, hidden, *args, **options)
        if (key := (id(module), hidden.shape, hidden.dtype)) not in self.known:
            self.known.add(key)
            self.context.progress("warm-up", len(self.known) - 1, len(self.known))
        try:
            with many_forms():
                return self.made(module, hidden, *args, **options)
        except KernelRefusalError:
            raise
        except Exception as error:  # compilers fail in many ways
            if is_out_of_memory(error):
                raise
            made = self.plain(
                module, hidden, *args, **options
            )  # where a kernel refuses, it is not the compiler's fault
            self.made = None
            warnings.warn(
                f"Compiling failed ({first_paragraph(error)}); going on without, as with acceleration compile=off.",
                SonicWarning,
                stacklevel=2,
            )
            return made
