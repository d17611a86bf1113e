"""Levers that make the UNet faster on a graphics card, each with what it buys and what it costs.

On a processor all are off: its numbers are held to the bit. On a card what is cheap to measure is measured once per
device, and the rest goes by counts: a window-step of 512² runs 2,100 kernels, which take some 10 ms to launch, beside
95 TFLOP, which take hundreds; so what saves launches pays for small pictures only.

A lever that fails is let go with one warning; the result is the same without it.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from ...devices import is_out_of_memory
from ...errors import SettingsError, SonicWarning
from ...types import Progress, ignore_progress
from .attend import BACK_ENDS, LEAST_KEYS, attend
from .graphs import Graphs
from .residual import convolve

# ruff: noqa: ANN401 - diffusers' modules have no types worth naming

ATTENTION = ("auto", "sdpa", *BACK_ENDS)
"""Attention kernels that can be asked for."""
EXACT = ("sdpa", "cudnn", "flash")
"""Those among which "auto" chooses; "sage" rounds queries and keys to eight bits, so it must be asked for."""
TRIALS = 3
"""Runs of which the fastest counts, after one that is not counted."""
GAIN = 0.97
"""Share of the time that another form must stay below to be taken: less is noise."""
RECOMPILATIONS = 64
"""Shapes and blocks for which code is compiled at most; a UNet has about twenty of each size of picture."""


@dataclass(frozen=True)
class Acceleration:
    """Which levers are on."""

    batched: bool = False
    """All branches pass through a layer together: 2,100 kernels a call of three rows instead of 3,600. Costs nothing;
    on a processor, where it buys nothing, bits would change."""
    compile: bool = False
    """Blocks are compiled (torch.compile): published figures are 1.17 to 1.25 times faster. Costs minutes at the first
    call of every size of picture, so it pays for long clips and for programs that keep running."""
    graphs: bool = False
    """Calls are recorded and replayed (CUDA graphs), which saves the launches: for small pictures. Costs the memory of
    a call's intermediates as long as the UNet is on the card."""
    channels_last: bool = False
    """Convolutions' weights lie channels last. Measured: some cards and versions are faster, some slower."""
    fused_projections: bool = False
    """Queries, keys and values of attention over pixels come from one product instead of three. Costs 74 MB in half
    precision, for weights that are kept twice."""
    autotune: bool = False
    """cuDNN tries its ways to convolve at the first call of every shape: seconds, and at times workspace memory."""
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
        on_card = device.type != "cpu"
        chosen = Acceleration(
            batched=on_card,
            channels_last="channels_last" not in changes and device.type == "cuda" and _pays_channels_last(device),
            autotune=device.type == "cuda",
        )
    if text == "off" and attention == "auto":
        attention = "sdpa"
    return replace(chosen, **changes, attention=_chosen_attention(device, attention))


def check_acceleration(text: str, attention: str = "auto") -> dict[str, bool]:
    """Read what is asked for, without looking at any device: the levers that are named, and whether each is on.

    Raises:
        SettingsError: A word is not known.
    """
    if attention not in ATTENTION:
        raise SettingsError(f"attention must be {', '.join(ATTENTION)}; got {attention!r}.")
    return {} if text in {"auto", "off"} else dict(map(_lever, text.split(",")))


def _chosen_attention(device: torch.device, attention: str) -> str:
    """Take the fastest exact kernel, or the one that was asked for if it runs here."""
    if attention == "auto":
        return _fastest_attention(device) if device.type == "cuda" else "sdpa"
    if attention != "sdpa" and isinstance(failure := _attention_seconds(device, attention), Exception):
        warnings.warn(
            f"attention {attention} does not run on {device} ({_first_line(failure)}); going on with sdpa.",
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
    unet: Any, acceleration: Acceleration, progress: Progress = ignore_progress, *, compiler: str = "inductor"
) -> None:
    """Pull the levers of a UNet that is lean (``lean.make_lean``), or let go of those that were pulled.

    Args:
        unet: The UNet; wherever it is, its weights stay there.
        acceleration: Which levers.
        progress: Told "warm-up" while the first call of a size compiles.
        compiler: torch.compile's back end.
    """
    context = unet.attention_context
    if context.acceleration == acceleration:
        return  # what was compiled stays
    context.acceleration = acceleration
    context.batched = acceleration.batched
    context.autotune = acceleration.autotune
    context.back_end = None if acceleration.attention == "sdpa" else acceleration.attention
    context.fused = acceleration.fused_projections
    context.graphs = Graphs() if acceleration.graphs else None
    context.transform, context.convolve = None, None
    if acceleration.compile:
        from .lean import transform  # noqa: PLC0415 - which pulls the levers

        context.transform = _Compiled(transform, compiler, progress)
        context.convolve = _Compiled(convolve, compiler, progress)
    form = torch.channels_last if acceleration.channels_last else torch.contiguous_format
    for module in unet.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size != (1, 1) and not module.weight.is_meta:
            module.weight.data = module.weight.data.contiguous(memory_format=form)
        if not acceleration.fused_projections and "fused_weight" in module._buffers:
            del module.fused_weight


class _Compiled:
    """A function that is compiled at the first call of each shape; one that cannot be compiled runs plain."""

    def __init__(self, function: Callable[..., Any], compiler: str, progress: Progress) -> None:
        self.plain, self.progress = function, progress
        self.made: Callable[..., Any] | None = torch.compile(function, fullgraph=True, dynamic=False, backend=compiler)
        self.known: set[Any] = set()

    def __call__(self, module: Any, hidden: torch.Tensor, *args: Any, **options: Any) -> Any:
        """Run the function on a module and its input."""
        if self.made is None:
            return self.plain(module, hidden, *args, **options)
        if (key := (id(module), hidden.shape, hidden.dtype)) not in self.known:
            self.known.add(key)
            self.progress("warm-up", len(self.known) - 1, len(self.known))
        try:
            with torch._dynamo.config.patch({_limit(): RECOMPILATIONS}):
                return self.made(module, hidden, *args, **options)
        except Exception as error:  # compilers fail in many ways
            if is_out_of_memory(error):
                raise
            self.made = None
            warnings.warn(
                f"Compiling failed ({_first_line(error)}); going on without, as with acceleration compile=off.",
                SonicWarning,
                stacklevel=2,
            )
            return self.plain(module, hidden, *args, **options)


def _limit() -> str:
    known = torch._dynamo.config
    return "recompile_limit" if hasattr(known, "recompile_limit") else "cache_size_limit"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


@cache
def _pays_channels_last(device: torch.device) -> bool:
    """Measure a first level's convolution, from and to the usual form, with its weights either way."""
    hidden = torch.randn(25, 320, 64, 64, device=device, dtype=torch.float16)
    weight = torch.randn(320, 320, 3, 3, device=device, dtype=torch.float16)
    usual, last = (
        _seconds(lambda kernel=kernel: functional.conv2d(hidden, kernel, padding=1).contiguous(), device)
        for kernel in (weight, weight.contiguous(memory_format=torch.channels_last))
    )
    return last < GAIN * usual


@cache
def _fastest_attention(device: torch.device) -> str:
    """Measure every exact kernel that runs here."""
    known = {name: _attention_seconds(device, name) for name in EXACT}
    taken = {name: seconds for name, seconds in known.items() if isinstance(seconds, float)}
    best = min(taken, key=lambda name: taken[name], default="sdpa")
    return best if "sdpa" not in taken or taken[best] < GAIN * taken["sdpa"] else "sdpa"


def _attention_seconds(device: torch.device, name: str) -> float | Exception:
    """Measure a first level's attention over the pixels of eight frames by one kernel, or tell why it does not run."""
    rows = torch.randn(8, 4096 if device.type != "cpu" else LEAST_KEYS, 320, device=device, dtype=torch.float16)
    try:
        return _seconds(lambda: attend(rows, rows, rows, 5, None if name == "sdpa" else name), device)
    except Exception as error:  # noqa: BLE001 - a kernel that is not there says so in its own way
        return error


def _seconds(run: Callable[[], Any], device: torch.device) -> float:
    """Measure the fastest of some runs, after one that is not counted."""
    synchronize = getattr(torch, device.type).synchronize if device.type != "cpu" else lambda _: None
    spent = []
    with torch.inference_mode():
        for _ in range(TRIALS + 1):
            synchronize(device)
            began = time.perf_counter()
            run()
            synchronize(device)
            spent.append(time.perf_counter() - began)
    return min(spent[1:])
