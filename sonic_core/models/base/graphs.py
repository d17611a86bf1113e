"""Calls of the UNet that are recorded once and replayed: CUDA graphs, whose launches cost nothing.

A graph reads and writes the same memory at every replay. So the inputs, and what every cross-attention gives, are
copied into tensors that stay, and the answer is copied out of one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ...devices import is_out_of_memory
from ...errors import SonicWarning
from .attention import AttentionContext, Given

# ruff: noqa: ANN401 - diffusers' modules have no types worth naming

WARM_UPS = 2
"""Calls before one is recorded: libraries choose their ways and take their workspace in them."""

Asked = dict[tuple[Any, int, int, int, int], Given]
"""What cross-attentions gave in a call, by attention, first and last branch, frames and pixels."""


@dataclass(eq=False)
class _Recorded:
    """A recorded call, and the tensors that it reads and writes."""

    graph: Any
    inputs: tuple[torch.Tensor, ...]
    given: Asked
    output: torch.Tensor


class Graphs:
    """The recorded calls of one UNet; they go when it leaves the device."""

    def __init__(self) -> None:
        self.recorded: dict[Any, _Recorded] = {}
        self.failed = False
        self._weights = 0

    def forget(self) -> None:
        """Let all recorded calls go, and their memory."""
        self.recorded.clear()

    def run(self, unet: Any, call: Callable[..., torch.Tensor], inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Replay the call of these shapes, which is recorded at the first asking; where that fails, call plainly.

        Args:
            unet: The UNet; its context has the conditioning of this call.
            call: Runs it on ``inputs``.
            inputs: Tensors on the device.

        Returns:
            The answer, newly made.
        """
        context: AttentionContext = unet.attention_context
        weights = next(unet.parameters()).data_ptr()
        if weights != self._weights:  # it was away, and its weights lie elsewhere now
            self.forget()
            self._weights = weights
        shapes = tuple((one.shape, one.dtype, one.device) for one in inputs)
        branches = tuple((one.image is None, one.audio.frames is None) for one in context.current().branches)
        key = (shapes, context.piece, context.convolution_piece, branches)
        if self.failed:
            return call(*inputs)
        if key not in self.recorded:
            try:
                self.recorded[key] = _record(context, call, inputs)
            except Exception as error:
                if is_out_of_memory(error):
                    raise
                self.failed = True
                warnings.warn(
                    f"Recording a call failed ({error}); going on without, as with acceleration graphs=off.",
                    SonicWarning,
                    stacklevel=2,
                )
                return call(*inputs)
        return _replay(context, self.recorded[key], inputs)


def _record(
    context: AttentionContext, call: Callable[..., torch.Tensor], inputs: tuple[torch.Tensor, ...]
) -> _Recorded:
    """Record a call on tensors that stay."""
    if inputs[0].device.type != "cuda":
        raise RuntimeError(f"{inputs[0].device} records no graphs")
    fixed = tuple(one.clone() for one in inputs)
    context.asked = {}
    try:
        for _ in range(WARM_UPS):
            call(*fixed)
        given = {key: _copy(one) for key, one in context.asked.items()}
    finally:
        context.asked = None
    graph = torch.cuda.CUDAGraph()
    context.fixed = given
    try:
        with torch.cuda.graph(graph):
            output = call(*fixed)
    finally:
        context.fixed = None
    return _Recorded(graph, fixed, given, output)


def _replay(context: AttentionContext, recorded: _Recorded, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
    for mine, theirs in zip(recorded.inputs, inputs, strict=True):
        mine.copy_(theirs)
    for (attn, first, last, frames, pixels), mine in recorded.given.items():
        theirs = context.given(attn, slice(first, last), frames, pixels)
        for name in ("keys", "values", "image", "mask"):
            if (kept := getattr(mine, name)) is not None:
                new = getattr(theirs, name)
                kept.zero_() if new is None else kept.copy_(new)
    recorded.graph.replay()
    return recorded.output.clone()


def _copy(given: Given) -> Given:
    image, mask = (None if one is None else one.clone() for one in (given.image, given.mask))
    return Given(given.keys.clone(), given.values.clone(), image, mask)
