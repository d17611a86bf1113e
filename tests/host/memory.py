"""Run inside a host's Python: the host's memory management keeps our networks on a pretended graphics card.

    python memory.py CHECKOUT PACK HOME

Tensors are fake, so the card holds as many bytes as it is told to, and nothing is computed. What needs real ones runs
on torch's device "meta", to which copies can be made but not from there, or on the processor.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import itertools
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
import comfy.model_patcher  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: E402

MEGABYTE = 1 << 20
CARD, CPU, META = map(torch.device, ("cuda:0", "cpu", "meta"))


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
    """Do as ``nn.Module._apply`` does, which cannot exchange fake tensors in place; a lit fuse ends it underway."""
    for child in module.children() if recurse else ():
        child._apply(change)
    for name, tensor in module._parameters.items():
        if tensor is not None:
            burn_down()
            module._parameters[name] = nn.Parameter(change(tensor), requires_grad=False)
    for name, tensor in module._buffers.items():
        if tensor is not None:
            module._buffers[name] = change(tensor)
    return module


def burn_down() -> None:
    if fuse:
        fuse[0] -= 1
        if fuse[0] < 0:
            fuse.clear()
            raise management.InterruptProcessingException


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
    management.get_torch_device = lambda: torch.device("cuda")  # not every host tells the number
    torch.cuda.current_device = lambda: 0
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


def check_neighbours(host: object, state: management.VRAMState) -> None:
    """Another node's model and three of ours take turns on a card with room for two; ours are whole at any time."""
    networks = [Network() for _ in range(4)]
    pretend(state, 13 * MEGABYTE, networks)
    other = comfy.model_patcher.ModelPatcher(
        nn.Sequential(networks[0]), load_device=torch.device("cuda"), offload_device=CPU
    )
    keeper = host.HostKeeper()
    for number in (1, 0, 2, 1, 3, 0, 3, 1, 2, 0, 1):
        if number:
            keeper.bring(networks[number], working=MEGABYTE)
            assert networks[number].where == {"cuda"}, (state, number)
        else:
            management.load_models_gpu([other], memory_required=MEGABYTE)
        for one in networks[1:]:
            assert len(one.where) == 1, "ours are on one device, whole"
    keeper.make_room()
    assert all(one.where == {"cpu"} for one in networks)


def check_interrupted(host: object, state: management.VRAMState) -> None:
    """A run is cancelled, or memory runs out, underway to the card or back: nothing is left in halves."""
    for tensors in range(24):
        networks = [Network(), Network()]
        pretend(state, 7 * MEGABYTE, networks)
        keeper, (first, second) = host.HostKeeper(), networks
        keeper.bring(first)
        fuse[:] = [tensors]
        try:
            keeper.bring(second)
        except management.InterruptProcessingException:
            assert len(first.where) == 1, (state, tensors)
            assert second.where == {"cpu"}, (state, tensors)
        fuse.clear()
        for one in (second, first, second):
            keeper.bring(one)
            assert one.where == {"cuda"}, (state, tensors)
        keeper.make_room()
        assert first.where == second.where == {"cpu"}, (state, tensors)


def filled(read: object) -> Network:
    """Make a network that lives on a mapped file."""
    torch.save(Network().state_dict(), HOME / "network.pth")
    with META:
        network = Network().requires_grad_(False)
    read.load_into(network, HOME / "network.pth")
    return network


def check_mapped(host: object, read: object) -> None:
    networks = [filled(read), filled(read)]
    pretend(management.VRAMState.NORMAL_VRAM, 7 * MEGABYTE, [])
    management.get_torch_device = lambda: META

    def free(device: torch.device | None = None, torch_free_too: bool = False) -> int | tuple[int, int]:
        unused = 7 * MEGABYTE - sum(5 * MEGABYTE for one in networks if one.loose.is_meta)
        return (unused, 0) if torch_free_too else unused

    management.get_free_memory = free
    places = [[tensor.data_ptr() for tensor in one.state_dict().values()] for one in networks]
    keeper = host.HostKeeper()
    for number in (0, 1, 0, 1):
        keeper.bring(networks[number])
        assert networks[number].where == {"meta"}
        assert networks[1 - number].where == {"cpu"}
    keeper.make_room()
    assert places == [[tensor.data_ptr() for tensor in one.state_dict().values()] for one in networks], (
        "none was copied"
    )


def check_copies(host: object, pack: str) -> None:
    """Networks are copied whenever they are brought, as on a card, by the host and by threads that read ahead."""
    read, ahead = (importlib.import_module(f"{pack}.sonic_core.{name}") for name in ("weights.read", "media.ahead"))
    management.get_torch_device = lambda: CPU

    def brought(keeper: object, network: Network) -> object:
        keeper.bring(network)
        network._apply(lambda tensor: tensor.clone())
        yield network.layers[0].weight[0].view(2, 256).sum() + network.loose.t()[0].sum()

    for order in itertools.product((False, True), repeat=4):
        with torch.inference_mode():
            keeper, network = host.HostKeeper(), filled(read)
            made = next(brought(keeper, network))
        for inferring, in_thread in zip(order[::2], order[1::2], strict=True):
            with torch.inference_mode(inferring):
                use = brought(keeper, network)
                assert torch.equal(next(ahead.read_ahead(use) if in_thread else use), made), order


fuse: list[int] = []
logging.basicConfig(level=logging.INFO, stream=sys.stdout)
host = load_pack()
assert host.precision("auto") == "fp32"
assert host.precision("bf16") == "bf16"
apply = nn.Module._apply
check_copies(host, "pack")
nn.Module._apply = move
gc.disable()  # nothing of ours may need it
states = management.VRAMState
with FakeTensorMode(), torch.inference_mode():
    for state in (states.NORMAL_VRAM, states.LOW_VRAM, states.NO_VRAM, states.HIGH_VRAM):
        for megabytes in (7, 9, 30):
            check(host, state, megabytes * MEGABYTE)
        check_neighbours(host, state)
        check_interrupted(host, state)
gc.enable()
nn.Module._apply = apply
with torch.inference_mode():
    check_mapped(host, sys.modules["pack.sonic_core.weights.read"])
print("well kept")  # noqa: T201
