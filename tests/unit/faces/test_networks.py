"""The networks against what MediaPipe's own files answered, run by LiteRT 2.3 on the same pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sonic_core.faces.networks import NETWORKS, WEIGHTS, FaceDetector, FaceMesh, IrisReader, PersonMask, load_network

ROOT = Path(__file__).resolve().parents[3]
RECORDED = np.load(Path(__file__).with_name("mediapipe.npz"))
"""Some of the values that the original networks gave: of a portrait, of noise and of a gradient."""


def averaged(pixels: np.ndarray, by: int) -> np.ndarray:
    high, wide = pixels.shape[0] // by, pixels.shape[1] // by
    return (pixels.reshape(high, by, wide, by, 3).mean((1, 3)) / 255).astype(np.float32)


def pictures(kind: type) -> torch.Tensor:
    """A cut of the portrait, noise and a gradient, as they were shown to the original networks."""
    portrait = np.asarray(Image.open(ROOT / "assets/portrait.png").convert("RGB")).astype(np.float64)
    cuts = {
        FaceDetector: averaged(portrait, 6),
        PersonMask: averaged(portrait, 3),
        FaceMesh: averaged(portrait[96:480, 192:576], 2),
        IrisReader: averaged(portrait[230:294, 298:362], 1),
    }
    side = kind.side
    y, x = np.mgrid[:side, :side] / side
    noise = np.random.default_rng(7).random((side, side, 3), np.float32)
    stacked = np.stack([cuts[kind], noise, np.stack([x, y, 1 - x], -1).astype(np.float32)])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).contiguous()


@torch.inference_mode()
def test_the_mesh_answers_as_the_original():
    points, presence = load_network(FaceMesh)(pictures(FaceMesh))
    face = np.ptp(RECORDED["mesh_points"][0, :, 0])
    assert face > 80
    assert np.abs(points[:, ::3].numpy() - RECORDED["mesh_points"]).max() < 1e-4 * face
    assert np.abs(presence.numpy() - RECORDED["mesh_presence"]).max() < 1e-3


@torch.inference_mode()
def test_the_detector_answers_as_the_original():
    scores, places = load_network(FaceDetector)(pictures(FaceDetector) * 2 - 1)
    assert np.abs(scores[:, ::13].numpy() - RECORDED["detector_scores"]).max() < 1e-2
    assert np.abs(places[:, ::13].flatten(2).numpy() - RECORDED["detector_places"]).max() < 1e-3


@torch.inference_mode()
def test_the_iris_reader_answers_as_the_original():
    lids, iris = load_network(IrisReader)(pictures(IrisReader))
    assert np.abs(lids.numpy() - RECORDED["iris_lids"]).max() < 2e-2  # its weights had 32 bits
    assert np.abs(iris.numpy() - RECORDED["iris_iris"]).max() < 2e-2


@torch.inference_mode()
def test_the_person_mask_answers_as_the_original():
    mask = load_network(PersonMask)(pictures(PersonMask))
    assert 0.3 < RECORDED["person_mask"][0].mean() < 0.7
    assert np.abs(mask[:, ::16, ::16].numpy() - RECORDED["person_mask"]).max() < 1e-4


def test_the_weights_are_small_and_hold_nothing_but_the_networks():
    assert WEIGHTS.stat().st_size <= 4_000_000
    for kind in NETWORKS.values():
        assert all(value.dtype == torch.float32 for value in load_network(kind).state_dict().values())


@pytest.mark.parametrize("kind", NETWORKS.values())
def test_a_network_is_loaded_once_and_not_bound_to_who_came_first(kind):
    load_network.cache_clear()
    with torch.inference_mode():
        network = load_network(kind)
    assert load_network(kind) is network
    assert not any(parameter.is_inference() or parameter.requires_grad for parameter in network.parameters())
