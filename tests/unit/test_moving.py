"""Networks that go to a device and come back: it is torch's "meta", to which copies can be made but not from there."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef

from sonic_core.moving import MappedTensors, Mover, Staging, is_on
from sonic_core.weights.read import is_mapped, load_into

META = torch.device("meta")
FORMS = [".pth", ".safetensors"]


class Network(nn.Module):
    """Layers, a buffer, and a layer that two names have."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(3, 4)
        self.decoder = nn.Sequential(nn.Conv2d(2, 3, 1), nn.Linear(5, 2, bias=False))
        self.register_buffer("steps", torch.arange(6))


def filled(path, dtype=None):
    """Make a network that lives on a mapped file, but for what has another type there."""
    torch.manual_seed(0)
    tensors = Network().state_dict()
    if path.suffix == ".pth":
        torch.save(tensors, path)
    else:
        from safetensors.torch import save_file

        save_file(tensors, path)
    with META:
        network = Network().requires_grad_(False)
    load_into(network, path, dtype=dtype)
    return network, {name: tensor.clone() for name, tensor in network.state_dict().items()}


def memory_of(network):
    return {name: tensor.data_ptr() for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize("suffix", FORMS)
@pytest.mark.parametrize("inferring", [True, False])
def test_mapped_tensors_come_back_without_a_copy(tmp_path, suffix, inferring):
    network, expected = filled(tmp_path / f"a{suffix}")
    assert all(map(is_mapped, network.state_dict().values()))
    before, mover = memory_of(network), Mover(META)
    for _ in range(3):
        with torch.inference_mode(inferring):
            mover.take(network)
            mover.take(network)
        assert is_on(network, META)
        mover.give_back(network)
        mover.give_back(network)
        assert memory_of(network) == before
        assert all(torch.equal(tensor, expected[name]) for name, tensor in network.state_dict().items())


def test_tensors_of_no_file_leave_main_memory(tmp_path):
    network, _ = filled(tmp_path / "a.pth", torch.float16)
    memory = {name: StorageWeakRef(tensor.untyped_storage()) for name, tensor in network.state_dict().items()}
    assert [name for name, tensor in network.state_dict().items() if is_mapped(tensor)] == ["steps"]
    mover = Mover(META)
    mover.take(network)
    assert [name for name, storage in memory.items() if not storage.expired()] == ["steps"]
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
        mover.give_back(network)


def test_a_mapped_file_is_let_go_with_its_network(tmp_path):
    network, _ = filled(tmp_path / "a.pth")
    storage, mover = StorageWeakRef(network.encoder.weight.untyped_storage()), Mover(META)
    mover.take(network)
    assert not storage.expired()
    del network
    assert storage.expired()


def test_what_changed_on_the_device_is_not_undone(tmp_path):
    network, expected = filled(tmp_path / "a.safetensors")
    mapped, before = MappedTensors(), memory_of(network)
    with mapped.kept(network):
        network._apply(lambda tensor: tensor.clone())
    network.decoder[0].double()
    network.encoder.bias.add_(1)
    network.encoder.weight = nn.Parameter(torch.ones(4, 3))
    network.steps = torch.arange(6, 12)
    mapped.put_back(network)
    same = [name for name, place in memory_of(network).items() if place == before[name]]
    assert same == ["decoder.1.weight"]
    assert network.decoder[0].weight.dtype == torch.float64
    assert torch.equal(network.encoder.bias, expected["encoder.bias"] + 1)
    assert torch.equal(network.encoder.weight, torch.ones(4, 3))
    assert torch.equal(network.steps, torch.arange(6, 12))
    assert torch.equal(network.decoder[1].weight, expected["decoder.1.weight"])


def test_a_move_that_is_interrupted_leaves_the_network_whole(tmp_path):
    class Slippery(torch.Tensor):
        """Cannot be moved while it holds on to something."""

        holds = True

        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            if function is torch.Tensor.to and args[1:] == (META,) and cls.holds:
                raise KeyboardInterrupt
            return super().__torch_function__(function, types, args, kwargs)

    network, expected = filled(tmp_path / "a.pth")
    network.register_buffer("tight", torch.zeros(2).as_subclass(Slippery), persistent=False)
    mover = Mover(META)
    with pytest.raises(KeyboardInterrupt):
        mover.take(network)
    assert is_on(network, torch.device("cpu"))
    assert all(torch.equal(tensor, expected[name]) for name, tensor in network.state_dict().items())
    Slippery.holds = False
    mover.take(network)
    assert is_on(network, META)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.bool])
@pytest.mark.parametrize("shape", [(), (0, 3), (1,), (7, 11, 3), (64,)])
def test_tensors_travel_in_portions_of_a_bounded_buffer(dtype, shape):
    staging = Staging(torch.device("cpu"), size=48)
    assert sum(buffer.nbytes for buffer in staging.buffers) <= 48
    for seed in range(2):
        tensor = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).mul(9).to(dtype)
        copy = staging.copy(tensor)
        assert (copy.dtype, copy.shape) == (dtype, tensor.shape)
        assert torch.equal(copy, tensor)
    assert Staging(META, size=48).copy(tensor).device == META
