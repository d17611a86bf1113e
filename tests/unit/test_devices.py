"""Devices and who is on them, on a graphics card that is made of fake tensors."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from sonic_core.devices import OwnKeeper, choose_device, weight
from sonic_core.memory import is_out_of_memory

GIGABYTE = 10**9
SIZES = {"clip": 1.26, "vae": 0.26, "audio": 0.26, "unet": 3.05, "interpolator": 0.012}
"""Weights of sonic-base's networks in half precision, in GB."""


class Card:
    """A card on which only ``networks`` take room."""

    def __init__(self, room, networks):
        self.room, self.networks = room, networks

    def unused(self, *_):
        there = sum(weight(one) for one in self.networks.values() if next(one.parameters()).device.type == "cuda")
        assert there <= self.room, "the card is too full"
        return self.room - there, self.room


def exchange(module, change):
    """Do as ``nn.Module._apply`` does for a list of parameters; it cannot exchange fake tensors in place."""
    for name, tensor in module._parameters.items():
        module._parameters[name] = nn.Parameter(change(tensor), requires_grad=False)
    return module


@pytest.fixture
def card(monkeypatch):
    """A card of 8 GB with sonic-base's networks, by their sizes, waiting for it."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    for name in ("memory_reserved", "memory_allocated"):
        monkeypatch.setattr(torch.cuda, name, lambda *_: 0)
    monkeypatch.setattr(nn.Module, "_apply", exchange)
    networks = {}
    monkeypatch.setattr(torch.cuda, "mem_get_info", Card(8 * GIGABYTE, networks).unused)
    with FakeTensorMode():
        for name, size in SIZES.items():
            parts = [torch.empty(int(size * GIGABYTE) // 4, dtype=torch.float16) for _ in range(2)]
            networks[name] = nn.ParameterList(nn.Parameter(part, requires_grad=False) for part in parts)
        yield networks


class Counting(OwnKeeper):
    """Counts how often a network went to the card."""

    def __init__(self, device, networks):
        super().__init__(device)
        self.names = {network: name for name, network in networks.items()}
        self.moves = []

    def bring(self, network, working=0):
        before = next(network.parameters()).device.type
        super().bring(network, working)
        assert {tensor.device for tensor in network.parameters()} == {torch.device("cuda:0")}
        self.moves += [self.names[network]] if before == "cpu" else []


@pytest.mark.parametrize("name", ["auto", "cuda", "cuda:0"])
def test_two_clips_on_a_small_card_move_the_decoder_and_the_interpolator_once(card, name):
    keeper = Counting(choose_device(name), card)
    for _ in range(2):
        for network in ("clip", "vae", "audio"):
            keeper.bring(card[network], GIGABYTE // 4)
        for _ in range(3):
            keeper.bring(card["unet"], 2 * GIGABYTE)
        for _ in range(3):
            keeper.bring(card["vae"], 2 * GIGABYTE)
            keeper.bring(card["interpolator"], GIGABYTE // 2)
    assert {name: keeper.moves.count(name) for name in SIZES} == dict.fromkeys(SIZES, 1)


def test_those_used_longest_ago_leave_a_card_that_is_too_small(card):
    keeper = Counting(choose_device("cuda"), card)
    for network in ("clip", "vae", "audio", "unet"):
        keeper.bring(card[network], 4 * GIGABYTE)
    assert [name for name in SIZES if next(card[name].parameters()).device.type == "cuda"] == ["vae", "audio", "unet"]
    assert keeper.free() == 8 * GIGABYTE


def test_devices_have_their_numbers(card):
    assert choose_device("auto") == choose_device("cuda") == torch.device("cuda:0")
    assert choose_device("cuda:1") == torch.device("cuda:1")
    assert choose_device("cpu") == torch.device("cpu")
    assert OwnKeeper(torch.device("cuda")).device == torch.device("cuda:0")
    assert OwnKeeper(torch.device("mps")).device == torch.device("mps")


GUISES = [
    "CUDA out of memory. Tried to allocate 2.00 GiB",
    "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
    "CUDA driver error: CUDA_ERROR_OUT_OF_MEMORY",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "GET was unable to find an engine to execute this computation",
    "FIND was unable to find an engine to execute this computation",
    "HIP out of memory. Tried to allocate 20.00 MiB",
    "HIP error: hipErrorOutOfMemory",
    "CUDA error: HIPBLAS_STATUS_ALLOC_FAILED when calling `hipblasCreate(handle)`",
    "miopenStatusAllocFailed",
    "XPU out of memory. Tried to allocate 1.00 GiB",
    "level_zero backend failed with error: 39 (UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY)",
    "level_zero backend failed with error: 40 (UR_RESULT_ERROR_OUT_OF_RESOURCES)",
    "Native API failed. Native API returns: -5 (PI_ERROR_OUT_OF_RESOURCES)",
    "ZE_RESULT_ERROR_OUT_OF_DEVICE_MEMORY",
    "MPS backend out of memory (MPS allocated: 9.00 GB, other allocations: 1.00 MB, max allowed: 9.07 GB)",
    "Invalid buffer size: 58.71 GiB",
    "[enforce fail at alloc_cpu.cpp:75] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 9",
    "DefaultCPUAllocator: not enough memory: you tried to allocate 4000000000000 bytes.",
    "could not create a primitive",
]
OTHERS = [
    "CUDA error: device-side assert triggered",
    "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx`",
    "cuDNN error: CUDNN_STATUS_BAD_PARAM",
    "cuDNN error: CUDNN_STATUS_NOT_SUPPORTED",
    "CUDA error: too many resources requested for launch",
    "miopenStatusUnknownError",
    "level_zero backend failed with error: 20 (UR_RESULT_ERROR_DEVICE_LOST)",
    "mat1 and mat2 shapes cannot be multiplied (1x2 and 3x4)",
    "Inference tensors do not track version counter.",
]


@pytest.mark.parametrize("text", GUISES)
def test_memory_that_ran_out_is_known_in_every_guise(text):
    assert is_out_of_memory(RuntimeError(text))
    assert not is_out_of_memory(ValueError(text)), "only what torch raises counts"


@pytest.mark.parametrize("text", OTHERS)
def test_other_failures_are_not_mistaken_for_memory_that_ran_out(text):
    assert not is_out_of_memory(RuntimeError(text))


class AcceleratorError(RuntimeError):
    """As torch has it from 2.8 on."""

    def __init__(self, code):
        super().__init__("Accelerator error")
        self.error_code = code


def test_memory_that_ran_out_is_known_by_its_number_and_behind_what_was_raised_from_it():
    assert is_out_of_memory(AcceleratorError(2))
    assert not is_out_of_memory(AcceleratorError(710))
    assert is_out_of_memory(torch.OutOfMemoryError("no matter what"))
    assert is_out_of_memory(MemoryError())
    inner, outer, wrong = RuntimeError(GUISES[0]), RuntimeError("backend compiler failed"), KeyError("gone")
    outer.__cause__ = ValueError("in between")
    outer.__cause__.__cause__ = inner
    assert is_out_of_memory(outer)
    wrong.__cause__ = wrong.__context__ = KeyError("first")
    wrong.__cause__.__cause__ = wrong
    assert not is_out_of_memory(wrong), "nor does it run in circles"
