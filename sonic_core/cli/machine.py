"""What sonic-base can do on a machine: which sizes fit into its memory, and how long a second of video takes."""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

SIDES = (512, 768, 1024)
"""Shorter sides, in pixels, that are looked at."""
WINDOW_FRAMES = 25
"""Frames of a window: two seconds of the model's video."""
BRANCH_STEPS = {"exact": 75, "fast": 18}
"""Branches that the UNet is run for per window, by quality (``Sampling.branch_steps``)."""
LINEAR_TFLOP, QUADRATIC_TFLOP = 29.0, 3.0
"""Operations of one of those at 512²: what grows with the pixels, and attention between pixels, which grows with their
square. Counted by ``benchmarks/unet.py --count``: 32 in all, and 164 at 1024²."""
DECODER_TFLOP = 3.04
"""Operations of the decoder per frame of 512², counted likewise."""
FUSED_SHARE, FUSED_DECODER_SHARE = 0.5, 0.3
"""Shares of the rate of a matrix product that UNet and decoder reach on a card where our kernels run: measured at 512²
on an H200 by ``benchmarks/card.py``."""
CARD_SHARE, DECODER_SHARE = 0.33, 0.14
"""Those where they do not run, measured likewise."""
PROCESSOR_SHARE = 0.65
"""That of a processor, of both: measured 0.65 to 0.69 on one core with the full-size decoder at 192²."""
UNET_NUMBERS, DECODER_NUMBERS = 1.575e9, 6.4e7
"""Weights of the two networks."""
KERNELS = {"sageattention": "sageattention", "flash-attn": "flash_attn", "xformers": "xformers"}
"""Packages with attention kernels of their own, and what each is imported as."""
_CARD_MATRIX, _PROCESSOR_MATRIX = 4096, 1024
"""Sides of the matrices whose product is timed: large enough to keep a card, or a core, busy."""
_RUNS = 8
_LEAKING_CONVOLUTIONS = ((2, 9), (2, 10))
"""Versions of torch whose 3-D convolutions in half precision leave cuDNN (pytorch/pytorch issues 166643 and 174051)."""


@dataclass(frozen=True)
class Machine:
    """What sonic-base would compute on."""

    kind: str
    """As torch names it: "cuda" (also ROCm's cards), "xpu", "mps" or "cpu"."""
    name: str
    total: int
    """Bytes of memory: the card's, or main memory."""
    free: int
    """Bytes that are unused."""
    precision: str
    """Number type that sonic-base takes there, "fp16" or "fp32"."""
    rate: float
    """TFLOP/s that a matrix product in that type reaches."""
    kernels: str = ""
    """Why our kernels do not run there; "" where they do, and where they are not asked for."""

    @property
    def shares(self) -> tuple[float, float]:
        """The shares of that rate that the UNet and the decoder reach."""
        if self.kind == "cpu":
            return PROCESSOR_SHARE, PROCESSOR_SHARE
        fused = self.kind == "cuda" and not self.kernels
        return (FUSED_SHARE, FUSED_DECODER_SHARE) if fused else (CARD_SHARE, DECODER_SHARE)


@dataclass(frozen=True)
class Estimate:
    """What one size takes."""

    side: int
    """Sides of a square picture in pixels."""
    fits: bool
    needed: int
    """Bytes that the UNet and its calls take, or the decoder and its calls, whichever is more."""
    plan: str
    """How much would be computed at once."""
    seconds: dict[str, float]
    """Seconds per second of video, by quality."""

    def __str__(self) -> str:
        gigabytes = f"{self.needed / 1e9:.1f} GB"
        if not self.fits:
            return f"does not fit: {gigabytes} of free memory are needed, at the least"
        times = ", ".join(f"{_in_words(seconds)} in quality {quality}" for quality, seconds in self.seconds.items())
        return f"fits, in {gigabytes}; a second of video takes about {times}"


def estimate(machine: Machine, side: int) -> Estimate:
    """Estimate what a square picture of ``side`` pixels takes: operations are counted, the rate is the machine's."""
    import torch  # noqa: PLC0415 - takes a second

    from ..devices import PRECISIONS  # noqa: PLC0415
    from ..models.base.config import LATENT_SIDE, MODEL_FPS, BaseConfig  # noqa: PLC0415
    from ..models.base.plan import Workload, make_plan  # noqa: PLC0415
    from ..models.base.vae import ChunkLayout  # noqa: PLC0415

    dtype = PRECISIONS[machine.precision]
    unet, decoder = (int(numbers * dtype.itemsize) for numbers in (UNET_NUMBERS, DECODER_NUMBERS))
    latent = side // LATENT_SIDE
    job = Workload(BaseConfig(), (latent, latent), WINDOW_FRAMES, WINDOW_FRAMES, 0, dtype)
    beside = 0 if machine.kind != "cpu" else unet
    room, fused = max(0, machine.free - beside), machine.kind == "cuda" and not machine.kernels
    plan = make_plan(job, torch.device(machine.kind), room, unet, decoder, fused_decoder=fused)
    needed = max(unet + plan.working, decoder + plan.decoding)
    layout = ChunkLayout(plan.chunk)
    drawn = layout.size(0) / (layout.size(0) - layout.overlap(0))  # neighbouring chunks share frames
    pixels = (side / SIDES[0]) ** 2
    branch = LINEAR_TFLOP * pixels + QUADRATIC_TFLOP * pixels**2
    decoding = MODEL_FPS * drawn * DECODER_TFLOP * pixels
    share, decoder_share = machine.shares
    seconds = {
        quality: (steps * branch * MODEL_FPS / WINDOW_FRAMES / share + decoding / decoder_share) / machine.rate
        for quality, steps in BRANCH_STEPS.items()
    }
    return Estimate(side, needed <= machine.free, needed, str(plan), seconds)


def this_machine() -> Machine:
    """Look at what sonic-base would compute on here, and measure how fast that is."""
    import torch  # noqa: PLC0415

    from ..devices import PRECISIONS, choose_device, choose_dtype, unused_memory  # noqa: PLC0415
    from ..models.base.unet.fused import card_kernels  # noqa: PLC0415

    device = choose_device()
    dtype = choose_dtype(device)
    precision = next(name for name, known in PRECISIONS.items() if known == dtype)
    name, total = "processor", 0
    if device.type in {"cuda", "xpu"}:
        properties = getattr(torch, device.type).get_device_properties(device)
        name, total = properties.name, properties.total_memory
    elif device.type == "mps":
        name, total = "Apple GPU (mps)", torch.mps.recommended_max_memory()
    else:
        import psutil  # noqa: PLC0415

        total = psutil.virtual_memory().total
    kernels = card_kernels(device) if device.type == "cuda" else ""
    why = kernels if isinstance(kernels, str) else ""
    return Machine(device.type, name, total, unused_memory(device), precision, matrix_rate(device, dtype), why)


def capability(device: torch.device) -> str:
    """Tell the generation of a card, or "" where none is known."""
    import torch  # noqa: PLC0415

    if device.type != "cuda":
        return ""
    if torch.version.hip is not None:
        return str(getattr(torch.cuda.get_device_properties(device), "gcnArchName", "ROCm")).split(":")[0]
    return "compute capability {}.{}".format(*torch.cuda.get_device_capability(device))


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Time products of two square matrices and take the best: TFLOP/s. A hundredth of a second on a card."""
    import torch  # noqa: PLC0415

    side = _PROCESSOR_MATRIX if device.type == "cpu" else _CARD_MATRIX
    first, second = (torch.randn(side, side, device=device, dtype=torch.float32).to(dtype) for _ in range(2))
    wait: Callable[[], object] = (lambda: None) if device.type == "cpu" else getattr(torch, device.type).synchronize
    best = math.inf
    for _ in range(_RUNS):
        wait()
        begun = time.perf_counter()
        torch.mm(first, second)
        wait()
        best = min(best, time.perf_counter() - begun)
    return 2 * side**3 / best / 1e12


def half_precisions(device: torch.device) -> list[str]:
    """List the half-precision number types that a device computes in by itself."""
    import torch  # noqa: PLC0415

    from ..devices import PRECISIONS  # noqa: PLC0415

    def works(name: str) -> bool:
        if device.type == "cuda" and name == "bf16" and torch.version.hip is None:
            return torch.cuda.get_device_capability(device) >= (8, 0)  # older cards imitate it, slowly
        try:
            ones = torch.ones(8, 8, device=device).to(PRECISIONS[name])
            return bool((ones @ ones == 8).all())
        except (RuntimeError, TypeError):
            return False

    return [name for name in ("fp16", "bf16") if works(name)]


def attention_kernels(kind: str) -> str:
    """Tell which attention kernels there are: torch's own, and packages that are installed."""
    import torch  # noqa: PLC0415

    own = []
    if kind == "cuda":
        flags = {"flash": "flash_sdp", "memory-efficient": "mem_efficient_sdp", "cuDNN": "cudnn_sdp"}
        own = [name for name, flag in flags.items() if getattr(torch.backends.cuda, f"{flag}_enabled", bool)()]
    installed = [name for name, module in KERNELS.items() if importlib.util.find_spec(module) is not None]
    return f"torch's ({', '.join(own) or 'its choice'}); installed beside it: {', '.join(installed) or 'none'}"


def convolution_library(kind: str) -> str:
    """Tell the version of cuDNN, or of MIOpen, and what is known against it; "" where there is none."""
    import torch  # noqa: PLC0415

    version = torch.backends.cudnn.version() if kind == "cuda" else None
    if version is None:
        return ""
    if torch.version.hip is not None:
        return f"MIOpen {version}"
    return f"cuDNN {version}{convolution_warning(torch.__version__)}"


def convolution_warning(version: str) -> str:
    """Say what is known against the 3-D convolutions of a version of torch, or nothing.

    >>> convolution_warning("2.8.0"), convolution_warning("2.9.1+cu128")[:13]
    ('', '; torch 2.9.1')
    """
    numbers = tuple(int(part) for part in version.split(".", maxsplit=2)[:2])
    if numbers not in _LEAKING_CONVOLUTIONS:
        return ""
    return (
        f"; torch {version} takes 3 to 17 times the memory for 3-D convolutions in half precision, which sonic-base's "
        "own form of them avoids"
    )


def _in_words(seconds: float) -> str:
    """Write a time in the unit that people would take, to two digits.

    >>> _in_words(0.8312), _in_words(62), _in_words(430), _in_words(37000)
    ('0.83 s', '62 s', '7.2 minutes', '10 hours')
    """
    minute, hour = 60, 3600
    unit, length = next(
        (u, n) for u, n in (("hours", hour), ("minutes", minute), ("s", 1)) if seconds >= 2 * n or n == 1
    )
    return f"{float(f'{seconds / length:.2g}'):g} {unit}"
