"""Networks between main memory and a device: whole on either side, and not copied back where a file holds them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef

from .weights.read import is_mapped

if TYPE_CHECKING:
    from collections.abc import Callable

STAGING = 128 * 2**20
"""Bytes of pinned memory through which tensors travel to a card, in two halves; more gains nothing over PCIe."""
LEAST_STAGED = 2**20
"""Bytes of a tensor from which on portions are worth their bookkeeping."""
_CPU = torch.device("cpu")


class Mover:
    """Moves networks to a device and back into main memory.

    Tensors that a mapped file holds are not copied back: their pages are still there, or are read again when they are
    looked at. All others are copied, so that none lies in main memory while it is on the device.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.mapped = MappedTensors()

    def take(self, network: nn.Module) -> None:
        """Move a network to the device; when that fails or is interrupted, it is in main memory again."""
        if is_on(network, self.device):
            return
        try:
            with self.mapped.kept(network):
                network._apply(staged_to(self.device))
        except BaseException:
            self.give_back(network)
            raise

    def give_back(self, network: nn.Module) -> None:
        """Move a network into main memory."""
        self.mapped.put_back(network)
        network.to(_CPU)


class MappedTensors:
    """Remembers the mapped tensors of networks while those are on a device."""

    def __init__(self) -> None:
        self._copies: WeakKeyDictionary[nn.Module, dict[str, _Copy]] = WeakKeyDictionary()

    @contextmanager
    def kept(self, network: nn.Module) -> Iterator[None]:
        """Remember the mapped tensors that leave main memory inside this block."""
        before = {name: tensor.detach() for name, tensor in _named_tensors(network) if is_mapped(tensor)}
        try:
            yield
        finally:
            copies = self._copies.setdefault(network, {})
            for name, tensor in _named_tensors(network):
                if name in before and _place(tensor) != _place(before[name]):
                    copies[name] = _Copy(before[name], StorageWeakRef(tensor.untyped_storage()), _version(tensor))

    def put_back(self, network: nn.Module) -> None:
        """Exchange the copies on a device for the mapped tensors that they were made of.

        What was given another type, replaced or changed in the meantime is left where it is. A network that holds more
        on the device than its tensors lets that go by its ``when_leaving``, where it has one.
        """
        if (let_go := getattr(network, "when_leaving", None)) is not None:
            let_go()
        copies = self._copies.pop(network, {})
        now = ((copies.get(name), tensor) for name, tensor in _named_tensors(network))
        originals = {id(tensor): copy.original for copy, tensor in now if copy is not None and copy.is_in(tensor)}
        network._apply(lambda tensor: originals.get(id(tensor), tensor))


@dataclass(frozen=True)
class _Copy:
    """A copy of a mapped tensor."""

    original: torch.Tensor
    storage: StorageWeakRef
    """The copy's memory, which is not held."""
    version: int | None
    """Counts the copy's changes; None where nobody counts them."""

    def is_in(self, tensor: torch.Tensor) -> bool:
        """Say whether ``tensor`` is still that copy."""
        same = (tensor.dtype, tensor.shape) == (self.original.dtype, self.original.shape)
        return same and _place(tensor) == self.storage.cdata and _version(tensor) == self.version


class Staging:
    """Copies tensors to a card through two small buffers of pinned memory: one is filled while the other travels.

    A mapped file is pageable memory, which a driver copies in small portions and waits for each.
    """

    def __init__(self, device: torch.device, size: int = STAGING) -> None:
        """Allocate the buffers.

        Args:
            device: Where tensors go. Anywhere but on a card of CUDA or ROCm the buffers are ordinary memory.
            size: Bytes of both buffers.

        Raises:
            RuntimeError: So much memory cannot be pinned.
        """
        self.device = device
        self.pinned = device.type == "cuda"
        half = size // 2
        self.buffers = [torch.empty(half, dtype=torch.uint8, pin_memory=self.pinned, device="cpu") for _ in range(2)]
        self._halves = cycle(zip(self.buffers, self._events(), strict=True))

    def copy(self, tensor: torch.Tensor) -> torch.Tensor:
        """Copy a contiguous tensor from main memory to the device."""
        goal = torch.empty_like(tensor, device=self.device)
        source, target = _bytes(tensor), _bytes(goal)
        step = len(self.buffers[0])
        for start in range(0, len(source), step):
            buffer, sent = next(self._halves)
            if sent is not None:
                sent.synchronize()
            part = buffer[: min(step, len(source) - start)]
            part.copy_(source[start : start + step])
            target[start : start + step].copy_(part, non_blocking=True)
            if sent is not None:
                sent.record(torch.cuda.current_stream(self.device))
        return goal

    def _events(self) -> list[torch.cuda.Event | None]:
        return [torch.cuda.Event() if self.pinned else None for _ in self.buffers]


def staged_to(device: torch.device) -> Callable[[torch.Tensor], torch.Tensor]:
    """Make the function that copies a tensor to a device: large ones to a card by ``Staging``, all others plainly."""
    if device.type != "cuda" or not torch.cuda.is_available():
        return lambda tensor: tensor.to(device)
    try:
        staging = Staging(device)
    except RuntimeError:  # little memory can be pinned in some containers
        return lambda tensor: tensor.to(device)

    def copy(tensor: torch.Tensor) -> torch.Tensor:
        staged = tensor.device.type == "cpu" and tensor.is_contiguous() and tensor.nbytes >= LEAST_STAGED
        return staging.copy(tensor) if staged else tensor.to(device)

    return copy


def is_on(network: nn.Module, device: torch.device) -> bool:
    """Say whether all of a network is on a device."""
    return all(tensor.device == device for _, tensor in _named_tensors(network))


def _named_tensors(network: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    yield from network.named_parameters(remove_duplicate=False)
    yield from network.named_buffers(remove_duplicate=False)


def _place(tensor: torch.Tensor) -> int:
    """Tell where the memory of a tensor is kept account of; no two of them have the same place while both are known."""
    return tensor.untyped_storage()._cdata


def _version(tensor: torch.Tensor) -> int | None:
    return None if tensor.is_inference() else tensor._version


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().reshape(-1).view(torch.uint8)
