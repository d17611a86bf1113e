"""Calls of the UNet that are recorded once and replayed: CUDA graphs, whose launches cost nothing.

A graph reads and writes the same memory at every replay. So the inputs, and what every cross-attention gives, are
copied into tensors that stay, and the answer is copied out of one.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ....errors import SonicWarning
from ....memory import is_out_of_memory
from .attention import AttentionContext, Given

# ruff: noqa: ANN401 - diffusers' modules have no types worth naming

MOST_RECORDINGS = 4
"""Recordings that are kept at once, the last used ones: a clip has one per number of rows, and each holds memory."""

Asked = dict[tuple[Any, int, int, int, int], Given]
"""What cross-attentions gave in a call, by attention, first and last branch, frames and pixels."""
Call = Callable[[], torch.Tensor]
"""A call that reads tensors that stay."""
Record = Callable[[Call, torch.device], tuple[Callable[[], Any], torch.Tensor]]
"""Records a call: gives what replays it, and the answer that every replay fills."""

_CAPTURING = threading.Lock()
"""One capture at a time in a process."""


def record_on_card(call: Call, device: torch.device) -> tuple[Callable[[], Any], torch.Tensor]:
    """Record a call as a CUDA graph.

    Args:
        call: It was made once already: libraries choose their ways and take their workspace at the first call.
        device: Where its tensors are; not always the present device.

    Raises:
        RuntimeError: The device records no graphs, or something in the call cannot be recorded.
    """
    if device.type != "cuda":
        raise RuntimeError(f"{device} records no graphs")
    with _CAPTURING, torch.cuda.device(device):
        current, aside = torch.cuda.current_stream(), torch.cuda.Stream()
        aside.wait_stream(current)
        with torch.cuda.stream(aside):
            call()  # handles and workspaces are a stream's own
        current.wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=aside, capture_error_mode="thread_local"):  # others go on decoding
                answer = call()
        finally:
            torch.cuda.set_stream(current)  # a capture that fails leaves its own behind

    def replay() -> None:
        """Launch it on the present stream of its own device."""
        with torch.cuda.device(device):
            graph.replay()

    return replay, answer


@dataclass(frozen=True, eq=False)
class _Recorded:
    """A recorded call, and the tensors that it reads and writes."""

    replay: Callable[[], Any]
    inputs: tuple[torch.Tensor, ...]
    given: Asked
    output: torch.Tensor


class Graphs:
    """The recorded calls of one UNet, a few at a time.

    They hold the memory of their intermediates until they are forgotten: when the network leaves its device, when
    memory runs out in a call, or at the next call after any weight moved.
    """

    def __init__(self, record: Record = record_on_card) -> None:
        self.record = record
        self.recorded: dict[Any, _Recorded] = {}
        self.failed = False
        """Whether something could not be recorded; from then on calls are plain."""
        self._weights: list[int] = []
        self._holders: list[dict[str, torch.Tensor | None]] = []

    def forget(self) -> None:
        """Let all recorded calls go, and their memory."""
        self.recorded.clear()

    def run(self, unet: Any, call: Callable[..., torch.Tensor], inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Replay the call of these shapes, which is recorded at the first asking; where that fails, call plainly.

        Args:
            unet: The UNet, all that its levers make of its weights made; its context has this call's conditioning.
            call: Runs it on ``inputs``.
            inputs: Tensors on the device.

        Returns:
            The answer, newly made.
        """
        if self.failed:
            return call(*inputs)
        self._forget_when_moved(unet)
        context: AttentionContext = unet.attention_context
        key = _key(context, inputs)
        recorded = self.recorded.pop(key, None)
        if recorded is None:
            return self._called(context, call, inputs)
        self.recorded[key] = recorded
        return _replay(context, recorded, inputs)

    def _called(
        self, context: AttentionContext, call: Callable[..., torch.Tensor], inputs: tuple[torch.Tensor, ...]
    ) -> torch.Tensor:
        """Call plainly, see what the call reads, and record it for the next time."""
        while len(self.recorded) >= MOST_RECORDINGS:
            del self.recorded[next(iter(self.recorded))]
        context.asked = {}
        try:
            answer = call(*inputs)
            asked = context.asked
        finally:
            context.asked = None
        try:
            recorded = self._record(context, call, inputs, asked)
            self.recorded[_key(context, inputs)] = recorded  # a kernel may have been let go meanwhile
        except RuntimeError as error:  # whoever cancels raises something else
            if is_out_of_memory(error):
                raise
            self.failed = True
            self.forget()
            warnings.warn(
                f"Recording a call failed ({error}); going on without, as with acceleration graphs=off.",
                SonicWarning,
                stacklevel=3,
            )
        return answer

    def _record(
        self,
        context: AttentionContext,
        call: Callable[..., torch.Tensor],
        inputs: tuple[torch.Tensor, ...],
        asked: Asked,
    ) -> _Recorded:
        """Record a call on tensors that stay, and that can be written wherever the next call is made."""
        with torch.inference_mode(False), torch.no_grad():
            fixed = tuple(one.clone() for one in inputs)
            given = {key: _copy(one) for key, one in asked.items()}

        def on_what_stays() -> torch.Tensor:
            context.fixed = given
            try:
                return call(*fixed)
            finally:
                context.fixed = None

        replay, output = self.record(on_what_stays, inputs[0].device)
        return _Recorded(replay, fixed, given, output)

    def _forget_when_moved(self, unet: Any) -> None:
        """Forget what was recorded with weights, or what was made of them, that lie elsewhere now."""
        if not self._holders:  # walking through a UNet's modules takes 13 ms, more than replaying saves; this 0.3 ms
            self._holders = [held for one in unet.modules() for held in (one._parameters, one._buffers)]
        weights = [one.data_ptr() for held in self._holders for one in held.values() if one is not None]
        if weights != self._weights:
            self.forget()
            self._weights = weights


def _key(context: AttentionContext, inputs: tuple[torch.Tensor, ...]) -> Any:
    """Tell what a recording depends on."""
    shapes = tuple((one.shape, one.dtype, one.device) for one in inputs)
    branches = tuple((one.image is None, one.audio.frames is None) for one in context.current().branches)
    return shapes, context.piece, context.convolution_piece, context.back_end, branches


def _replay(context: AttentionContext, recorded: _Recorded, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
    for mine, theirs in zip(recorded.inputs, inputs, strict=True):
        mine.copy_(theirs)
    for (attn, first, last, frames, pixels), mine in recorded.given.items():
        theirs = context.given(attn, slice(first, last), frames, pixels)
        for name in ("keys", "values", "image", "mask"):
            if (kept := getattr(mine, name)) is not None:
                new = getattr(theirs, name)
                kept.zero_() if new is None else kept.copy_(new)
    recorded.replay()
    return recorded.output.clone()


def _copy(given: Given) -> Given:
    image, mask = (None if one is None else one.clone() for one in (given.image, given.mask))
    return Given(given.keys.clone(), given.values.clone(), image, mask)
