"""Published networks become the package's weights, and an average face is measured."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from sonic_core.errors import CheckpointError, SettingsError
from sonic_core.faces.geometry import align, average_face, head_pose, mirror_points
from sonic_core.faces.networks import NETWORKS
from sonic_core.learn.mediapipe import convert, fill, main, measure_shape

HEADS = {
    "detector": ["classificator_8", "classificator_16", "regressor_8", "regressor_16"],
    "mesh": [],
    "iris": ["conv_eyes_contours_and_brows", "conv_iris"],
    "person": [],
}
"""Last dense layers by the names they have in the files."""


def as_file(network: nn.Module, heads: list[str]) -> dict[str, np.ndarray]:
    """The tensors of a network as a TFLite file names, numbers and lays them out, in no order."""
    dense = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d) and layer.groups == 1]
    deep = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d) and layer.groups > 1]
    names = [f"conv2d_{number}" if number else "conv2d" for number in range(len(dense) - len(heads))] + heads
    tensors = {}
    for name, layer in zip(names, dense, strict=True):
        tensors |= {f"{name}/Kernel": layer.weight.permute(0, 2, 3, 1), f"{name}/Bias": layer.bias}
    for number, layer in enumerate(deep):
        name = f"depthwise_conv2d_{number + 1}"
        tensors |= {f"{name}/Kernel": layer.weight.permute(1, 2, 3, 0), f"{name}/Bias": layer.bias}
    for number, layer in enumerate(layer for layer in network.modules() if isinstance(layer, nn.PReLU)):
        tensors[f"p_re_lu_{number + 1}/Alpha"] = layer.weight[None, None]
    for layer in network.modules():
        if isinstance(layer, nn.ConvTranspose2d):
            tensors |= {"segment/Kernel": layer.weight.permute(1, 2, 3, 0), "segment/Bias": layer.bias}
    return {name: tensor.detach().numpy() for name, tensor in sorted(tensors.items())}


@pytest.mark.parametrize("name", NETWORKS)
def test_each_tensor_of_a_file_finds_its_layer(name):
    torch.manual_seed(4)
    published, empty = NETWORKS[name](), NETWORKS[name]()
    for parameter in published.parameters():
        nn.init.normal_(parameter)
    fill(empty, as_file(published, HEADS[name]))
    assert all(torch.equal(a, b) for a, b in zip(published.parameters(), empty.parameters(), strict=True))


def test_another_network_is_refused():
    with pytest.raises(CheckpointError, match=r"Expected \d+ dense layers in the file, found 0"):
        fill(NETWORKS["mesh"](), {})
    wrong = as_file(NETWORKS["iris"](), HEADS["iris"])
    wrong["conv2d/Kernel"] = wrong["conv2d/Kernel"][..., :2]
    with pytest.raises(CheckpointError, match="Expected a tensor of shape"):
        fill(NETWORKS["iris"](), wrong)


def test_what_is_missing_is_said_in_a_sentence(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("sonic: ")
    with pytest.raises(CheckpointError, match=r"package tflite|was not found"):
        convert(tmp_path, tmp_path / "weights.safetensors")
    assert not (tmp_path / "weights.safetensors").exists()


def crowd(count: int) -> list[np.ndarray]:
    """Faces of different people who look about: the average with broad differences, turned."""
    random = np.random.default_rng(11)
    faces = []
    for _ in range(count):
        turn = np.linalg.qr(np.eye(3) + 0.1 * random.normal(size=(3, 3)))[0]
        turn *= np.sign(np.diag(turn))
        faces.append(150 * (average_face() * random.uniform(0.95, 1.05, 3)) @ turn.T + random.normal(size=3) * 50)
    return faces


def test_the_average_of_many_faces_is_measured_with_its_mirror():
    tables = measure_shape(crowd(40))
    shape = tables["shape.average"].double().numpy()
    assert np.array_equal(tables["shape.mirror"].numpy(), mirror_points())
    assert np.abs(align(shape).unplace(shape) - average_face()).max() < 0.05
    assert abs(head_pose(shape).pitch) < 8


def test_faces_that_are_not_symmetric_are_refused():
    clouds = list(np.random.default_rng(2).normal(size=(3, 468, 3)))
    with pytest.raises(SettingsError, match="not symmetric enough"):
        measure_shape(clouds)
