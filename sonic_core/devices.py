"""Which device and which number type a model runs on, and how networks take turns there."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from .errors import SettingsError
from .moving import Mover, is_on

PRECISIONS = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
"""Number types that can be asked for, by name; "auto" takes the device's best."""
_NUMBERED = ("cuda", "xpu")
"""Kinds of device of which a machine can have several."""


class Keeper(Protocol):
    """Keeps networks where they can run.

    A network is brought before every use: another one may have taken its place on the device meanwhile.
    """

    device: torch.device
    """Where networks run."""

    def bring(self, network: nn.Module, working: int = 0) -> None:
        """Have ``network`` on the device, and about ``working`` bytes free beside it."""
        ...

    def free(self) -> int:
        """Tell how many bytes could be had on the device, were all networks sent away."""
        ...

    def make_room(self) -> None:
        """Give back memory that is held in reserve; called after memory ran out."""
        ...


class OwnKeeper:
    """A keeper for programs of our own: networks wait in main memory and leave the device when others need room."""

    def __init__(self, device: torch.device) -> None:
        self.device = numbered(device)
        self._mover = Mover(self.device)
        self._present: list[weakref.ref[nn.Module]] = []

    def bring(self, network: nn.Module, working: int = 0) -> None:
        """Have ``network`` on the device; those used longest ago leave until it and ``working`` bytes fit.

        A network whose move fails, or is interrupted, is in main memory afterwards, whole.
        """
        if self.device.type == "cpu":
            return
        wanted = working + (0 if is_on(network, self.device) else weight(network))
        while (others := self._others(network)) and unused_memory(self.device) < wanted:
            self._mover.give_back(others[0])
            self._present.remove(weakref.ref(others[0]))
            empty_cache(self.device)
        self._present = [weakref.ref(one) for one in others]
        self._mover.take(network)
        self._present.append(weakref.ref(network))

    def _others(self, network: nn.Module) -> list[nn.Module]:
        """List what else is on the device, that used longest ago first."""
        return [one for kept in self._present if (one := kept()) is not None and one is not network]

    def free(self) -> int:
        """Count what is unused and what our own networks would give back."""
        if self.device.type == "cpu":
            return unused_memory(self.device)
        present = [one for kept in self._present if (one := kept()) is not None]
        return unused_memory(self.device) + sum(map(weight, present))

    def make_room(self) -> None:
        """Give back what the allocator holds in reserve."""
        gc.collect()
        empty_cache(self.device)


@dataclass(frozen=True)
class Hardware:
    """On what a model that wants a graphics card computes; others do without."""

    device: str = "auto"
    """"auto", "cpu", "cuda", "cuda:1", "xpu", "mps"; or several, "cuda:0,cuda:1", which share the windows of a clip."""
    precision: str = "auto"
    """"auto", "fp16", "bf16" or "fp32"."""
    keeper: Keeper | None = None
    """Who brings networks to the device, instead of ``device``; a host has its own."""
    others: Sequence[Keeper] = ()
    """Keepers of further devices, beside ``keeper``."""
    acceleration: str = "auto"
    """On a card: "auto", "off", or levers such as "compile=on,graphs=off"."""
    attention: str = "auto"
    """On a card: "auto", "sdpa", or another kernel that is installed, such as "sage"."""


def weight(network: nn.Module) -> int:
    """Count the bytes of a network's parameters and buffers."""
    return sum(tensor.nbytes for tensor in (*network.parameters(), *network.buffers()))


def choose_device(name: str = "auto") -> torch.device:
    """Choose where to compute.

    Args:
        name: "auto" takes the best there is; else a device as torch names it, such as "cuda", "cuda:1", "xpu", "mps" or
            "cpu". AMD's cards (ROCm) are called "cuda" too.

    Returns:
        The device, with its number where such devices are numbered.

    Raises:
        SettingsError: There is no such device here.
    """
    there = [kind for kind in ("cuda", "xpu", "mps") if _available(kind)] + ["cpu"]
    if name == "auto":
        return numbered(torch.device(there[0]))
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in there or (device.index or 0) >= _count(device.type):
        raise SettingsError(f"device must be auto or one that is here ({', '.join(there)}); got {name!r}.")
    return numbered(device)


def choose_devices(names: str = "auto") -> list[torch.device]:
    """Choose where to compute, on one device or several.

    Args:
        names: One name as of ``choose_device``, or several with commas between them.

    Raises:
        SettingsError: One of them is not here, or comes twice.
    """
    devices = [choose_device(name.strip()) for name in names.split(",")]
    if len(set(devices)) < len(devices):
        raise SettingsError(f"device must name each one once; got {names!r}.")
    return devices


def numbered(device: torch.device) -> torch.device:
    """Name a device with its number where it has one: tensors on "cuda" say "cuda:0", which is not equal to "cuda"."""
    if device.index is not None or device.type not in _NUMBERED:
        return device
    return torch.device(device.type, getattr(torch, device.type).current_device())


def choose_dtype(device: torch.device, precision: str = "auto") -> torch.dtype:
    """Choose the number type of a diffusion model.

    Half precision on graphics cards, as the release was published for; float32 on processors, whose half-precision
    arithmetic is slower.

    Raises:
        SettingsError: The name is not known.
    """
    if precision == "auto":
        return torch.float32 if device.type == "cpu" else torch.float16
    if precision not in PRECISIONS:
        raise SettingsError(f"precision must be auto, {', '.join(PRECISIONS)}; got {precision!r}.")
    return PRECISIONS[precision]


def unused_memory(device: torch.device) -> int:
    """Count the bytes that can still be had on ``device``."""
    if device.type == "cuda":
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + held
    if device.type == "xpu":
        total = torch.xpu.get_device_properties(device).total_memory
        return total - torch.xpu.memory_allocated(device)
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    import psutil  # noqa: PLC0415 - the preview and the doctor do without

    return psutil.virtual_memory().available


def empty_cache(device: torch.device) -> None:
    """Give memory that the allocator holds in reserve back to the device."""
    if device.type != "cpu":
        getattr(torch, device.type).empty_cache()


def _available(kind: str) -> bool:
    if kind == "mps":
        return torch.backends.mps.is_available()
    return bool(getattr(torch, kind).is_available())


def _count(kind: str) -> int:
    return getattr(torch, kind).device_count() if kind in {"cuda", "xpu"} else 1
