"""Run inside a host's Python: the host's memory management keeps our networks on a pretended graphics card.

    python memory.py CHECKOUT PACK HOME

Tensors are fake, so the card holds as many bytes as it is told to, and nothing is computed.
"""

from __future__ import annotations

import gc
import importlib.util
import logging
import sys
from collections.abc import Callable
from pathlib import Path

CHECKOUT, PACK, HOME = map(Path, sys.argv[1:])
sys.path.insert(0, str(CHECKOUT))

import comfy.cli_args  # noqa: E402

comfy.cli_args.args.cpu = True
comfy.cli_args.args.base_directory = str(HOME)

import comfy.model_management as management  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: E402

MEGABYTE = 1 << 20
CARD = torch.device("cuda:0")


class Network(nn.Module):
    """Four megabytes in layers and one beside them, with a device that cannot be set."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(nn.Linear(512, 512, bias=False) for _ in range(4)))
        self.loose = nn.Parameter(torch.empty(512, 512))
        self.register_buffer("table", torch.empty(16))

    @property
    def device(self) -> torch.device:
        return self.loose.device

    @property
    def where(self) -> set[str]:
        return {tensor.device.type for tensor in (*self.parameters(), *self.buffers())}


def move(module: nn.Module, change: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> nn.Module:
    """Do as ``nn.Module._apply`` does, which cannot exchange fake tensors in place."""
    for child in module.children() if recurse else ():
        child._apply(change)
    for name, tensor in module._parameters.items():
        if tensor is not None:
            module._parameters[name] = nn.Parameter(change(tensor), requires_grad=False)
    for name, tensor in module._buffers.items():
        if tensor is not None:
            module._buffers[name] = change(tensor)
    return module


def load_pack() -> object:
    spec = importlib.util.spec_from_file_location("pack", PACK / "__init__.py", submodule_search_locations=[str(PACK)])
    sys.modules["pack"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return sys.modules["pack.nodes.host"]


def pretend(state: management.VRAMState, room: int, networks: list[Network]) -> None:
    """Pretend that a card of ``room`` bytes is there, on which only ``networks`` take any."""

    def free(device: torch.device | None = None, torch_free_too: bool = False) -> int | tuple[int, int]:
        on_card = sum(
            tensor.nbytes for one in networks for tensor in (*one.parameters(), *one.buffers())
            if tensor.device.type == "cuda"
        )  # fmt: skip
        unused = room - on_card if device != torch.device("cpu") else 1 << 40
        assert unused >= 0, "the card is too full"
        return (unused, 0) if torch_free_too else unused

    management.vram_state, management.lowvram_available = state, True
    management.get_torch_device = lambda: CARD
    management.get_free_memory = free
    management.EXTRA_RESERVED_VRAM = 0
    management.minimum_inference_memory = lambda: 0
    for name in ("is_device_cuda", "is_intel_xpu"):
        if hasattr(management, name):
            setattr(management, name, lambda *_: False)


def check(host: object, state: management.VRAMState, room: int) -> None:
    networks = [Network(), Network()]
    pretend(state, room, networks)
    keeper, (first, second) = host.HostKeeper(), networks
    assert keeper.device == CARD
    whole, weight = keeper.free(), sum(tensor.nbytes for tensor in first.state_dict().values())
    for one in (first, second, first, first, second):
        keeper.bring(one, working=MEGABYTE // 2)
        assert one.where == {"cuda"}, (state, room, one.where)
        assert abs(keeper.free() - whole) <= MEGABYTE // 2, (state, room, keeper.free(), whole)
    assert ("cpu" in first.where) == (room < 2 * weight), (state, room, first.where)
    keeper.make_room()
    assert first.where == second.where == {"cpu"}
    assert keeper.free() == room
    keeper.bring(first)
    del one
    networks.clear()
    del keeper, first, second
    management.cleanup_models_gc()
    assert not management.current_loaded_models


logging.basicConfig(level=logging.INFO, stream=sys.stdout)
host = load_pack()
assert host.precision("auto") == "fp32"
assert host.precision("bf16") == "bf16"
nn.Module._apply = move
gc.disable()  # nothing of ours may need it
with FakeTensorMode(), torch.inference_mode():
    for state in (management.VRAMState.NORMAL_VRAM, management.VRAMState.LOW_VRAM, management.VRAMState.NO_VRAM):
        for megabytes in (7, 9, 30):
            check(host, state, megabytes * MEGABYTE)
print("well kept")  # noqa: T201
