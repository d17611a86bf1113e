"""The interpolator gives the numbers of the published one."""

import numpy as np
import pytest
import torch

from sonic_core.devices import OwnKeeper
from sonic_core.post.interpolators.flownet import FlowInterpolator
from tests.parity.kit import SHARED_KIT, draw_interpolator, needs_kit, read_index

pytestmark = needs_kit


@pytest.fixture(scope="module")
def network():
    return draw_interpolator(read_index(SHARED_KIT)["salt"])


@pytest.mark.parametrize("way", ["network", "interpolator"])
def test_the_middle_frame(network, way):
    kit = np.load(SHARED_KIT / "interpolation.npz")
    first, second, expected = (torch.from_numpy(kit[name]) for name in ("frame0", "frame1", "expected"))
    if way == "network":
        middle = network(first, second)
    else:
        middle = FlowInterpolator(network, OwnKeeper(torch.device("cpu"))).between(first[0], second[0], 0.5)[None]
    assert float((middle - expected).norm() / expected.norm()) < 1e-5
