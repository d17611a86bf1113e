"""What is said of machines that are described, without any of them at hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from sonic_core.cli import machine
from sonic_core.cli.machine import BRANCH_STEPS, DECODER_TFLOP, Machine, convolution_warning, estimate

GIGABYTE = 10**9


def card(gigabytes, rate=300.0, kernels=""):
    return Machine("cuda", "a card", gigabytes * GIGABYTE, gigabytes * GIGABYTE, "fp16", rate, kernels)


@pytest.mark.parametrize("side", machine.SIDES)
def test_a_size_fits_from_some_memory_on(side):
    found = [estimate(card(gigabytes), side) for gigabytes in (2, 3, 6, 8, 12, 24, 80)]
    fitting = [one.fits for one in found]
    assert fitting == sorted(fitting) and fitting[0] is False and fitting[-1] is True
    for one, gigabytes in zip(found, (2, 3, 6, 8, 12, 24, 80), strict=True):
        assert one.fits == (one.needed <= gigabytes * GIGABYTE)
        assert one.needed > 3.1 * GIGABYTE, "the UNet alone takes as much"
        assert str(one).startswith("fits, in " if one.fits else "does not fit: ")


def test_times_follow_from_counted_operations_and_the_measured_rate():
    fast, slow = estimate(card(80, 600), 512), estimate(card(80, 300), 512)
    assert fast.seconds["exact"] == pytest.approx(slow.seconds["exact"] / 2)
    unet = {quality: steps * 32 / 2 for quality, steps in BRANCH_STEPS.items()}  # a window is two seconds
    decoder = 12.5 * DECODER_TFLOP
    for quality, operations in unet.items():
        share, decoder_share = card(80).shares
        seconds = operations / share / 600, decoder / decoder_share / 600
        assert sum(seconds) <= fast.seconds[quality] <= seconds[0] + 2.1 * seconds[1]
    assert estimate(card(80), 1024).seconds["exact"] > 4.5 * slow.seconds["exact"], "attention grows with the square"
    assert "s in quality exact" in str(fast) and "s in quality fast" in str(fast)


def test_without_our_kernels_a_card_is_slower():
    usual, without = (estimate(card(80, kernels=why), 512).seconds for why in ("", "no compiler"))
    assert usual["exact"] * 1.4 < without["exact"] < usual["exact"] * 2


def test_a_processor_is_slow_and_keeps_the_weights_in_main_memory():
    host = Machine("cpu", "processor", 32 * GIGABYTE, 24 * GIGABYTE, "fp32", 0.5)
    found = estimate(host, 512)
    assert found.fits and found.needed > 6 * GIGABYTE
    assert "in quality exact" in str(found) and found.seconds["exact"] > 1000
    assert not estimate(Machine("cpu", "processor", 8 * GIGABYTE, 5 * GIGABYTE, "fp32", 0.5), 512).fits


@pytest.mark.parametrize(
    ("version", "bad"),
    [("2.8.0+cu128", False), ("2.9.0", True), ("2.9.1+cu128", True), ("2.10.1", True), ("2.11.0+cu130", False),
     ("2.10.0a0+git1234", True), ("2.13.0+cpu", False)],
)  # fmt: skip
def test_versions_whose_convolutions_leave_cudnn_are_named(version, bad):
    assert bool(convolution_warning(version)) == bad


def test_this_machine_is_measured_quickly():
    rate = machine.matrix_rate(torch.device("cpu"), torch.float32)
    assert 0.001 < rate < 100
    assert machine.half_precisions(torch.device("cpu")) == ["fp16", "bf16"]


def test_a_card_is_told_of_by_what_torch_says(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (7, 5))
    properties = SimpleNamespace(name="Tesla T4", total_memory=16 * GIGABYTE)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda *_: properties)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: (15 * GIGABYTE, 16 * GIGABYTE))
    for name in ("memory_reserved", "memory_allocated"):
        monkeypatch.setattr(torch.cuda, name, lambda *_: 0)
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 91002)
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    with FakeTensorMode():
        here, device = machine.this_machine(), torch.device("cuda:0")
    assert here == Machine("cuda", "Tesla T4", 16 * GIGABYTE, 15 * GIGABYTE, "fp16", here.rate, here.kernels)
    assert here.kernels, "there is no such card"
    assert machine.capability(device) == "compute capability 7.5"
    assert machine.convolution_library("cuda").startswith("cuDNN 91002")
    assert "flash" in machine.attention_kernels("cuda")
