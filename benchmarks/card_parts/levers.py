"""What may make the UNet faster, each on its own and all together: seconds, memory, and how far the answer is off.

The engine's levers are the fields of ``models.base.unet.acceleration.Acceleration``: whatever is added there is
measured here. Beside them torch's attention kernels are tried one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from sonic_core.models.base.plan import BRANCHES, HOST_PIECE, MOST_PIECE
from sonic_core.models.base.unet.acceleration import LEVERS, Acceleration, accelerate
from sonic_core.models.base.unet.attend import BACK_ENDS
from sonic_core.models.base.unet.fused import card_kernels
from sonic_core.models.base.unet.measuring import attention_seconds

from .bench import Bench, NotHereError, relative, size_of
from .unet_step import answer, form_seconds, make_step, make_unet, measured

MOST = 240.0
"""Seconds that one lever may take: compiling takes long, and trying kernels longer."""
COMPILING = 60.0
"""Seconds that a lever which compiles is expected to take before its first step."""
SLOW = ("compil", "autotune", "graph")
"""What is in the names of levers that compile, or that may take a process with them: they come late."""
SHALLOW = {512: 0.36, 768: 0.42, 1024: 0.48}
"""Share of the operations that a shallow call computes, by pixels of a side: ``benchmarks/unet.py --count``; that of
768 lies between its neighbours."""

WITH_FUSED = ("graphs", "autotune")
"""Levers that are pulled together with that of the kernels too."""

Lever = Callable[[Bench], AbstractContextManager[Any]]
"""Makes a UNet ready and yields it."""


def levers() -> dict[str, Lever]:
    """List all levers by name."""
    listed: dict[str, Lever] = {
        f"kernel {kernel.name.split('_')[0].lower()}": partial(kernel_only, kernel)
        for kernel in (SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION, SDPBackend.EFFICIENT_ATTENTION)
    }
    listed |= {"pieces": in_pieces, "deepcache": shallow}
    listed |= {name: partial(accelerated, {name: True}) for name in LEVERS}
    listed |= {f"fused and {name}": partial(accelerated, {"fused": True, name: True}) for name in WITH_FUSED}
    return listed | {f"attention {name}": partial(accelerated, {"attention": name}) for name in BACK_ENDS}


def cheap() -> list[str]:
    """Name the levers that take no longer than the step itself."""
    return [name for name in levers() if not any(word in name for word in SLOW)]


def dear() -> list[str]:
    """Name the others."""
    return [name for name in levers() if any(word in name for word in SLOW)]


def lever_seconds(bench: Bench, side: int, name: str) -> float:
    """Estimate what a lever takes."""
    return form_seconds(bench, side) + (COMPILING if bench.card and name in dear() else 0.0)


def lever(bench: Bench, side: int, name: str) -> dict[str, Any]:
    """Measure one lever over three rows, and compare what it gives with what the UNet gives without.

    Raises:
        NotHereError: The lever wants a card, or something that is not installed.
    """
    with levers()[name](bench) as unet:
        wanted, step = answer(bench, side), make_step(bench, side, BRANCHES)
        work, part = partial(step, unet), 1.0
        if name == "deepcache":
            work, part = partial(step, unet, deep=step(unet, keep_deep=True)[1]), SHALLOW.get(side, 0.4)
        found = measured(bench, name, side, BRANCHES, work, weights=size_of(unet), part=part)
        found["difference"] = relative(work(), wanted)
    bench.say(f"step {side}² {name}: differs by {found['difference']:.1e} from the lean form")
    return found


@contextmanager
def kernel_only(kernel: SDPBackend, bench: Bench) -> Iterator[Any]:
    """Let one of torch's attention kernels answer, and no other."""
    if kernel != SDPBackend.FLASH_ATTENTION:
        bench.need_card(f"attention by {kernel.name.split('_')[0].lower()}")
    unet = make_unet(bench)
    with sdpa_kernel(kernel):
        yield unet


@contextmanager
def accelerated(wanted: Mapping[str, Any], bench: Bench) -> Iterator[Any]:
    """Turn on some of the engine's levers and leave the others off; a rehearsal compiles without a compiler."""
    if wanted.get("fused"):
        bench.need_card("a kernel of our own")
    if "attention" in wanted:
        bench.need_card(f"attention by {wanted['attention']}")
    if wanted.get("fused") and isinstance(failure := card_kernels(bench.device), str):
        raise NotHereError(f"kernels of our own do not run: {failure}")
    if "attention" in wanted and isinstance(failure := attention_seconds(bench.device, wanted["attention"]), str):
        raise NotHereError(f"the kernel does not run: {failure}")
    unet = make_unet(bench)
    accelerate(unet, Acceleration(**wanted), compiler="inductor" if bench.card else "eager")
    try:
        yield unet
    finally:
        torch._dynamo.reset()


@contextmanager
def shallow(bench: Bench) -> Iterator[Any]:
    """Keep the deeper levels' answer of one call, and compute only the rest from then on."""
    yield make_unet(bench)


@contextmanager
def in_pieces(bench: Bench) -> Iterator[Any]:
    """Let no more pixels through a transformer block together than the plan does where memory is short."""
    unet = make_unet(bench)
    unet.attention_context.piece = MOST_PIECE if bench.card else HOST_PIECE // 4
    yield unet
