"""The host's memory: which device networks run on, in which number type, and whose turn it is there."""

# ruff: noqa: ANN401 - the host's objects have no types
from __future__ import annotations

import gc
from functools import cache
from importlib import import_module
from threading import RLock
from typing import TYPE_CHECKING, Any

from .progress import heed_cancel

if TYPE_CHECKING:
    from torch import nn


_BUSY = RLock()
"""Held while the host moves models: it does not expect that several cards ask at once."""
_ALL = 1 << 60
"""Bytes that no device has: to make so many free, everything leaves it."""


class HostKeeper:
    """Lets the host decide which networks are on the device (the engine's ``Keeper``).

    To the host each network is one of its models: it leaves the device when another model, of whichever node, needs
    the room, and comes back before it is used. The host knows a model only as long as somebody holds the patcher around
    it; that is done here, so that a network, its patcher and this keeper go together.

    A network leaves whole, into main memory whatever the host's flags (``--highvram`` would have it stay and take the
    room that was asked for), and without a copy where a file still holds it.
    """

    def __init__(self, device: Any = None) -> None:
        """Keep networks on ``device``, or on the one that the host runs on."""
        from ...sonic_core.devices import numbered
        from ...sonic_core.moving import MappedTensors

        self._named = device or _management().get_torch_device()
        self.device = numbered(self._named)
        self._mapped = MappedTensors()
        self._patchers: dict[nn.Module, Any] = {}

    def bring(self, network: nn.Module, working: int = 0) -> None:
        """Have all of ``network`` on the device, and about ``working`` bytes free beside it.

        When that fails or is interrupted, it is in main memory afterwards, whole.
        """
        patcher = self._patchers.get(network) or self._patched(network)
        try:
            with _BUSY, self._mapped.kept(network):
                _management().load_models_gpu([patcher], memory_required=working, force_full_load=True)
                network.to(self.device)  # --novram leaves it behind for the host's own layers to fetch; ours cannot
        except BaseException:
            patcher.unpatch_model(patcher.offload_device)
            raise
        patcher.model.model_loaded_weight_memory = patcher.model_size()

    def free(self) -> int:
        """Count what is unused and what all models, ours and others', would give back."""
        from ...sonic_core.devices import numbered

        management = _management()
        unused = int(management.get_free_memory(self.device))
        if self.device.type == "cpu":
            return unused
        models = [model for model in management.loaded_models() if model is not None]
        taken = sum(int(model.loaded_size()) for model in models if numbered(model.load_device) == self.device)
        return max(0, unused + taken - int(management.extra_reserved_memory()))

    def make_room(self) -> None:
        """Send every model of this device away and give back what the allocator holds in reserve."""
        management = _management()
        gc.collect()
        with _BUSY:
            management.free_memory(_ALL, self._named)
            management.soft_empty_cache()

    def _patched(self, network: nn.Module) -> Any:
        """Make ``network`` one of the host's models."""
        for block in network.modules():
            if next(block.children(), None) is not None:
                block.register_forward_pre_hook(heed_cancel)  # one pass can take minutes
        carrier = _carrier()(network, self._mapped)
        offload = import_module("torch").device("cpu")
        # the device in the host's own words, by which it finds its models
        self._patchers[network] = _patcher()(carrier, load_device=self._named, offload_device=offload)
        return self._patchers[network]


def keepers() -> list[HostKeeper]:
    """Make a keeper of the device that the host runs on, and of every other card of its kind."""
    import torch

    first = HostKeeper()
    if first.device.type != "cuda":
        return [first]
    others = (torch.device("cuda", number) for number in range(torch.cuda.device_count()))
    return [first, *(HostKeeper(device) for device in others if device != first.device)]


def precision(chosen: str) -> str:
    """Name the number type of the diffusion model: the chosen one, or for "auto" what the host's flags ask for."""
    from ...sonic_core import PRECISIONS

    if chosen != "auto":
        return chosen
    management = _management()
    device = management.get_torch_device()
    wanted = management.unet_dtype(device=device, supported_dtypes=list(PRECISIONS.values()))
    return next((name for name, dtype in PRECISIONS.items() if dtype == wanted), chosen)


@cache
def _carrier() -> Any:
    """Make the module in which the host gets a network: it writes to it, and diffusers' refuse some of that."""
    torch = import_module("torch")

    class SonicNetwork(torch.nn.Sequential):
        """Carries one network."""

        def __init__(self, network: nn.Module, mapped: Any) -> None:
            super().__init__(network)
            self.mapped = mapped

        def to(self, device: Any) -> Any:
            try:
                if torch.device(device).type == "cpu":
                    self.mapped.put_back(self[0])
                return super().to(device)
            except BaseException:
                super().to("cpu")
                self.model_loaded_weight_memory = 0  # the host's account of it, which a move underway leaves wrong
                raise

    return SonicNetwork


@cache
def _patcher() -> Any:
    """Make the host's handle of a network."""

    class SonicPatcher(import_module("comfy.model_patcher").ModelPatcher):
        """Lets a network leave the device as a whole only: half of one is of no use, and comes back at once."""

        def partially_unload(self, *_: Any, **_others: Any) -> int:
            return 0

    return SonicPatcher


def _management() -> Any:
    return import_module("comfy.model_management")
