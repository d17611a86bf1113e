"""Files of the scores' networks at full size, filled at random or by hand: their layers are the published ones."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from sonic_core.evaluate.scores.perceptual import AlexNet
from sonic_core.evaluate.scores.syncnet import SyncNet

SEED = 3


class Pieces(torch.nn.Module):
    """What is asked of I3D, far smaller: 400 numbers of a piece of video, told apart by light and movement."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("ways", torch.randn(400, 2 * 3 * 16, generator=torch.Generator().manual_seed(SEED)))

    def forward(self, x: torch.Tensor, rescale: bool, resize: bool, return_features: bool) -> torch.Tensor:
        if rescale or resize or not return_features:
            x = x * 0
        light = torch.cat([x.mean([3, 4]).flatten(1), x.std([3, 4]).flatten(1)], 1)
        return light @ self.ways.t()


@pytest.fixture(scope="session")
def seeded():
    """A network's weights, drawn."""
    return draw


def draw(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Draw a network's weights, each layer's results about as large as what it is given."""
    stream = torch.Generator().manual_seed(SEED)
    state = network.state_dict()
    for name, value in state.items():
        if value.dim() > 1:
            value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=stream)
        elif name.endswith("bias"):
            value.zero_()
    return state


@pytest.fixture(scope="session")
def score_files(tmp_path_factory):
    """A folder with the files of SyncNet, LPIPS and FVD under their published names."""
    folder = tmp_path_factory.mktemp("score_files")
    torch.save(draw(SyncNet()), folder / "syncnet_v2.model")
    alexnet = draw(AlexNet()) | {"classifier.1.weight": torch.zeros(4, 4)}
    torch.save(alexnet, folder / "alexnet-owt-7be5be79.pth")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(Pieces()).save(str(folder / "i3d_torchscript.pt"))
    recogniser(folder / "w600k_r50.onnx")
    return folder


def recogniser(path):
    """Write an ONNX network that takes what a recogniser takes: a face by its colours in 64 places."""
    onnx = pytest.importorskip("onnx", reason="the package onnx writes the recogniser")
    from onnx import TensorProto, helper, numpy_helper

    ways = np.random.default_rng(SEED).normal(size=(3 * 64, 512)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["face"], ["small"], kernel_shape=[14, 14], strides=[14, 14]),
        helper.make_node("Flatten", ["small"], ["flat"]),
        helper.make_node("MatMul", ["flat", "ways"], ["embedding"]),
    ]
    face = helper.make_tensor_value_info("face", TensorProto.FLOAT, ["n", 3, 112, 112])
    found = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 512])
    graph = helper.make_graph(nodes, "recogniser", [face], [found], [numpy_helper.from_array(ways, "ways")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, str(path))
