"""Middles of middles, at any size, from any thread."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from safetensors.torch import save_file

from sonic_core.devices import OwnKeeper
from sonic_core.errors import CheckpointError
from sonic_core.post.interpolators.flownet import FlowInterpolator, IFNet, load_flownet


class Desk(OwnKeeper):
    """Notes what room was promised."""

    def __init__(self):
        super().__init__(torch.device("cpu"))
        self.promised = []

    def bring(self, network, working=0):
        super().bring(network, working)
        self.promised.append(working)


def random_network():
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return IFNet().requires_grad_(False)


def pictures(*size, count=2):
    return torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(1)).unbind()


@pytest.fixture
def interpolator():
    return FlowInterpolator(random_network(), Desk())


def runs(interpolator):
    return len(interpolator.keeper.promised)


def test_the_order_of_the_frames_does_not_matter_in_the_middle(interpolator):
    first, second = pictures(64, 96)
    network = interpolator.network
    assert torch.equal(network(first[None], second[None]), network(second[None], first[None]))


def test_pairs_in_a_batch_do_not_meet(interpolator):
    frames = torch.stack(pictures(32, 64, count=4))
    together = interpolator.network(frames[:2], frames[2:])
    apart = [interpolator.network(frames[i : i + 1], frames[i + 2 : i + 3]) for i in range(2)]
    assert torch.allclose(together, torch.cat(apart), atol=1e-6)


def test_still_flow_and_even_mask_are_the_mean():
    network = random_network()
    for block in (network.block0, network.block1, network.block2):
        for head in (block.conv1, block.conv2):
            torch.nn.init.zeros_(head[2].weight)
            torch.nn.init.zeros_(head[2].bias)
    first, second = pictures(32, 32)
    assert torch.allclose(network(first[None], second[None])[0], (first + second) / 2, atol=1e-5)


@pytest.mark.parametrize("size", [(64, 96), (50, 71), (1, 1), (33, 64)])
def test_any_size(interpolator, size):
    first, second = pictures(*size)
    middle = interpolator.between(first, second, 0.5)
    assert middle.shape == first.shape and middle.dtype == torch.float32
    assert middle.min() >= 0 and middle.max() <= 1
    assert interpolator.keeper.promised == [1024 * -(-size[0] // 32) * -(-size[1] // 32) * 32**2]


def test_multiples_of_32_are_not_filled_up(interpolator):
    first, second = pictures(32, 64)
    middle = interpolator.between(first, second, 0.5)
    assert torch.equal(middle, interpolator.network(first[None], second[None])[0])


def test_quarters_take_three_runs(interpolator):
    first, second = pictures(32, 32)
    quarters = [interpolator.between(first, second, moment) for moment in (0.25, 0.5, 0.75)]
    assert runs(interpolator) == 3
    again = interpolator.network(first[None], quarters[1][None])[0]
    assert torch.equal(quarters[0], again)
    assert interpolator.between(first, second, 0.25) is quarters[0] and runs(interpolator) == 3


def test_an_eighth_is_the_nearest_that_is_drawn(interpolator):
    first, second = pictures(32, 32)
    assert interpolator.between(first, second, 0.05) is first
    assert interpolator.between(first, second, 0.96) is second
    assert runs(interpolator) == 0
    eighth = interpolator.between(first, second, 0.13)
    assert runs(interpolator) == 3
    assert interpolator.between(first, second, 0.125) is eighth
    assert all(torch.isfinite(interpolator.between(first, second, number / 8)).all() for number in range(9))
    assert runs(interpolator) == 7


def test_another_pair_is_drawn_anew(interpolator):
    first, second, third = pictures(32, 32, count=3)
    one, two = interpolator.between(first, second, 0.5), interpolator.between(second, third, 0.5)
    assert runs(interpolator) == 2 and not torch.equal(one, two)


def test_threads_may_share_an_interpolator(interpolator):
    pairs = [pictures(32, 32), pictures(32, 64), pictures(64, 32)]
    wanted = [FlowInterpolator(interpolator.network, Desk()).between(*pair, 0.25) for pair in pairs]
    with ThreadPoolExecutor(3) as pool:
        drawn = list(pool.map(lambda pair: interpolator.between(*pair, 0.25), pairs * 4))
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(drawn, wanted * 4, strict=True))


def test_what_is_drawn_is_an_ordinary_tensor(interpolator):
    middle = interpolator.between(*pictures(32, 32), 0.5)
    assert not middle.is_inference() and not middle.requires_grad
    assert not torch.is_inference_mode_enabled()


@pytest.mark.parametrize("kind", ["published", "converted", "converted whole"])
def test_weights_are_loaded(tmp_path, kind):
    network = random_network()
    weights = network.state_dict()
    teacher = {f"block_tea.{name}": value.clone() for name, value in network.block0.state_dict().items()}
    path = tmp_path / "flownet"
    if kind == "published":
        torch.save({f"module.{name}": value for name, value in (weights | teacher).items()}, path)
    else:
        save_file(weights | teacher if kind == "converted whole" else weights, path)
    loaded = load_flownet(path)
    first, second = (picture[None] for picture in pictures(32, 32))
    assert torch.equal(loaded(first, second), network(first, second))
    assert all(value.dtype == torch.float32 and not value.requires_grad for value in loaded.parameters())


def test_halves_become_whole(tmp_path):
    save_file({name: value.half() for name, value in random_network().state_dict().items()}, tmp_path / "flownet")
    assert {value.dtype for value in load_flownet(tmp_path / "flownet").parameters()} == {torch.float32}


def test_another_network_is_refused(tmp_path):
    save_file({"conv.weight": torch.zeros(3)}, tmp_path / "flownet")
    with pytest.raises(CheckpointError):
        load_flownet(tmp_path / "flownet")
