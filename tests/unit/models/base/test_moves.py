"""Networks that are copied whenever they move, as on a graphics card, in a host that infers and threads that do not."""

from __future__ import annotations

import itertools
from contextlib import closing

import pytest
import torch
from torch import nn

from sonic_core.devices import OwnKeeper
from sonic_core.media.ahead import closable, read_ahead
from sonic_core.models.base.files import find_base
from sonic_core.models.base.model import BaseModel
from sonic_core.weights.read import load_into

CPU = torch.device("cpu")
PLACES = ("inside", "outside", "ahead inside", "ahead outside")


class Copying(OwnKeeper):
    """Copies a network each time that it is brought, which leaves other tensors behind, as a move does."""

    def __init__(self):
        super().__init__(CPU)
        self.moves = 0

    def bring(self, network, working=0):
        super().bring(network, working)
        network._apply(lambda tensor: tensor.clone())
        self.moves += 1


class Layers(nn.Module):
    """Layers, and a buffer that files leave out."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 3), nn.Conv2d(2, 2, 1))
        self.register_buffer("position_ids", torch.arange(4)[None], persistent=False)


def brought(keeper, network, place):
    """Move the network at a place, and look at its parameters there as running networks do."""

    def use():
        keeper.bring(network)
        with torch.no_grad():
            yield network.layers[0](torch.ones(2, 3)) + network.layers[0].weight.view(9)[:3]

    with torch.inference_mode(place.endswith("inside")):
        ahead = read_ahead(use()) if place.startswith("ahead") else use()
        with closing(ahead):
            return next(ahead)


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_a_network_that_was_filled_inferring_can_move_anywhere(tmp_path, dtype):
    torch.save(Layers().state_dict(), tmp_path / "a.pth")
    keeper = Copying()
    for order in itertools.product(PLACES, repeat=3):
        with torch.inference_mode(), torch.device("meta"):
            network = Layers().requires_grad_(False)
        with torch.inference_mode():
            load_into(network, tmp_path / "a.pth", dtype=dtype)
        network.float()
        results = [brought(keeper, network, place) for place in order]
        assert all(torch.equal(result, results[0]) for result in results)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_clip_that_was_made_inferring_is_read_ahead(tiny_set, settings, portrait, sound, dtype):
    with torch.inference_mode():
        model = BaseModel(find_base([tiny_set]), Copying(), dtype)
        clip = model.animate(model.prepare(portrait, sound, settings()), settings(inference_steps=1))
    model.networks.vae.decoder.float()  # as where its half precision overflows
    for inferring in (False, True, False):
        before = model.keeper.moves
        with torch.inference_mode(inferring):
            frames = torch.cat(list(read_ahead(closable(clip.read()))))
        assert len(frames) == clip.length
        assert model.keeper.moves > before + 6, "the decoder and the interpolator moved"
