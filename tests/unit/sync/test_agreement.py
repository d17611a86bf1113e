"""Mouths and sounds are compared at their own moments, whatever their lengths, rates and gaps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sonic_core.errors import CheckpointError
from sonic_core.speech.mel import BANDS
from sonic_core.sync import agreement as module
from sonic_core.sync.agreement import PHASES, SPAN, agreement
from sonic_core.sync.network import EDGE, LEVELS, WEIGHTS, WINDOW, SyncNetwork, load_network, save_network, sync_network
from sonic_core.sync.views import at_frame_rate, mouth_view, sound_view

FIRST = EDGE + WINDOW // 2
REACH = 30


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return SyncNetwork(3, width=8, size=4).eval()


def scene(frames, seconds=None):
    random = np.random.default_rng(0)
    levels = random.standard_normal((round(100 * (seconds or frames / 25)), BANDS)) * 8 - 40
    return random.standard_normal((3, frames)).cumsum(1), levels


@torch.no_grad()
def test_each_cosine_is_of_the_windows_it_says(network):
    curves, levels = scene(70)
    found = agreement(network, curves, np.ones(70, bool), 25.0, levels, reach=REACH)
    mouth = network.see(torch.from_numpy(mouth_view(curves))[None])[0]
    view = torch.from_numpy(sound_view(levels))
    for frame, lag in ((FIRST, 0), (30, 4), (30, -7), (45, 13)):
        begin = LEVELS * (frame - FIRST) - (LEVELS // PHASES) * lag
        heard = network.hear(view[None, begin : begin + LEVELS * (SPAN - 1) + 1])[0]
        wanted = float((mouth[frame - FIRST] * heard[0]).sum())
        assert found[frame, REACH + lag] == pytest.approx(wanted, abs=1e-4)


def test_long_clips_are_compared_in_stretches(network, monkeypatch):
    curves, levels = scene(200, seconds=7.0)
    seen = np.ones(200, bool)
    whole = agreement(network, curves, seen, 25.0, levels, reach=REACH)
    monkeypatch.setattr(module, "_STRETCH", 37)
    parts = agreement(network, curves, seen, 25.0, levels, reach=REACH)
    assert np.allclose(whole, parts, atol=1e-5, equal_nan=True)
    assert np.isfinite(whole[FIRST : 200 - FIRST - 30, REACH]).all()
    assert np.isnan(whole[175, REACH]), "there is no sound there"


def test_nothing_is_compared_where_no_face_is_seen(network):
    curves, levels = scene(100)
    seen = np.ones(100, bool)
    seen[50] = False
    curves[:, 50] = np.nan
    found = agreement(network, curves, seen, 25.0, levels, reach=REACH)
    known = np.isfinite(found[:, REACH])
    assert known[39] and known[61] and not known[40:61].any()


def test_too_little_is_no_number(network):
    curves, levels = scene(SPAN - 1)
    assert np.isnan(agreement(network, curves, np.ones(SPAN - 1, bool), 25.0, levels, reach=2)).all()
    curves, levels = scene(100, seconds=0.5)
    assert np.isnan(agreement(network, curves, np.ones(100, bool), 25.0, levels, reach=2)).all()


@pytest.mark.parametrize("fps", [24.0, 30.0, 30000 / 1001, 60.0])
def test_other_rates_are_read_at_the_networks(fps):
    times = np.arange(round(4 * fps)) / fps
    curve, seen = at_frame_rate(np.sin(2 * np.pi * times)[None], np.ones(len(times), bool), fps)
    moments = np.arange(curve.shape[1]) / 25
    assert moments[-1] > 3.9 and seen.all()
    assert np.allclose(curve[0], np.sin(2 * np.pi * moments), atol=0.02)


def test_a_mouths_view_knows_neither_size_nor_slow_change():
    curves, _ = scene(150)
    slow = np.linspace(0, 30, 150)
    assert np.allclose(mouth_view(curves)[:, 25:-25], mouth_view(5 * curves + slow)[:, 25:-25], atol=0.1)
    assert np.abs(mouth_view(np.ones((3, 50)))).max() < 1e-6


def test_the_packages_network_is_small_and_loads():
    network = sync_network()
    assert WEIGHTS.stat().st_size <= 600_000
    assert sum(weight.numel() for weight in network.parameters()) <= 300_000
    assert network.curves == 8 and not network.training


def test_a_network_comes_back_as_it_was_written(network, tmp_path):
    save_network(network, tmp_path / "sync.safetensors", {"from": "here"})
    back = load_network(tmp_path / "sync.safetensors")
    curves, levels = scene(80)
    found = [agreement(one, curves, np.ones(80, bool), 25.0, levels, reach=5) for one in (network, back)]
    assert np.allclose(*found, atol=0.02, equal_nan=True)
    (tmp_path / "sync.safetensors").write_bytes(b"no")
    with pytest.raises(CheckpointError, match="damaged"):
        load_network(tmp_path / "sync.safetensors")
