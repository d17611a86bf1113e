"""The interpolator gives the numbers of the published one."""

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from sonic_core.devices import OwnKeeper
from sonic_core.post.flownet import FlowInterpolator, IFNet

KIT = Path(__file__).parents[3] / "shared" / "kit"
pytestmark = pytest.mark.skipif(not KIT.is_dir(), reason=f"no conformance kit at {KIT}")


def drawn_by_name(salt, name, shape):
    values = np.random.RandomState(zlib.crc32(f"{salt}:rife.{name}".encode())).standard_normal(size=shape)
    values = values.astype(np.float32)
    if len(shape) >= 2:
        return values / np.float32(np.sqrt(np.prod(shape[1:])))
    return np.float32(0.1) * values + np.float32(name.endswith("weight"))


@pytest.fixture(scope="module")
def network():
    salt = json.loads((KIT / "index.json").read_text())["salt"]
    network = IFNet()
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    network.load_state_dict({name: torch.from_numpy(drawn_by_name(salt, name, shapes[name])) for name in shapes})
    return network.requires_grad_(False)


def test_names_and_shapes_are_the_published_ones():
    published = json.loads((KIT / "interpolation_keys.json").read_text())
    ours = {name: list(value.shape) for name, value in IFNet().state_dict().items()}
    assert ours == {name: shape for name, shape in published.items() if not name.startswith("block_tea.")}


@pytest.mark.parametrize("way", ["network", "interpolator"])
def test_the_middle_frame(network, way):
    kit = np.load(KIT / "interpolation.npz")
    first, second, expected = (torch.from_numpy(kit[name]) for name in ("frame0", "frame1", "expected"))
    if way == "network":
        middle = network(first, second)
    else:
        middle = FlowInterpolator(network, OwnKeeper(torch.device("cpu"))).between(first[0], second[0], 0.5)[None]
    assert float((middle - expected).norm() / expected.norm()) < 1e-5
