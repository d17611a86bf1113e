"""Names and shapes of the full-size networks are those of the published files."""

from __future__ import annotations

import json

import torch

from sonic_core.models.base.config import BaseConfig
from sonic_core.models.base.networks import empty_unet
from sonic_core.post.interpolators.flownet import IFNet
from tests.parity.kit import SHARED_KIT, needs_kit

TEACHER = "block_tea."
"""Needed in the interpolator's training only; the published file holds it, the network leaves it out."""

pytestmark = needs_kit


def keys(name: str) -> dict[str, list[int]]:
    return json.loads((SHARED_KIT / name).read_text(encoding="utf-8"))


def test_the_unet_has_the_published_names_and_shapes():
    published = keys("unet_keys.json")
    ours = {name: list(tensor.shape) for name, tensor in empty_unet(BaseConfig()).state_dict().items()}
    assert len(published) == 1492
    assert ours == published


def test_the_interpolator_has_the_published_names_and_shapes():
    published = {name: shape for name, shape in keys("interpolation_keys.json").items() if not name.startswith(TEACHER)}
    with torch.device("meta"):
        ours = {name: list(tensor.shape) for name, tensor in IFNet().state_dict().items()}
    assert ours == published
