"""A tiny sonic-base, a portrait and a sound for it."""

from __future__ import annotations

import warnings

import pytest
import torch

from sonic_core.devices import OwnKeeper
from sonic_core.faces.crop import crop_portrait
from sonic_core.models.base.files import find_base
from sonic_core.models.base.model import BaseModel
from sonic_core.settings import Settings
from sonic_core.types import Audio, Face


def settings(**options):
    """Make settings for a tiny clip, without a word about them."""
    small = {"min_resolution": 128, "inference_steps": 2, "window": 4, "window_shift": 3}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Settings(**{**small, **options})


@pytest.fixture(scope="package", name="settings")
def settings_fixture():
    return settings


@pytest.fixture(scope="package")
def tiny_model(tiny_set):
    """A tiny sonic-base in float32 on the processor."""
    return BaseModel(find_base([tiny_set]), OwnKeeper(torch.device("cpu")), torch.float32)


@pytest.fixture(scope="package")
def portrait():
    """A picture with something like a face."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 150), torch.linspace(0, 1, 140), indexing="ij")
    image = torch.stack([x, y, ((x - 0.5) ** 2 + (y - 0.5) ** 2).sqrt()])
    face = Face((40, 40, 100, 110), ((55, 65), (85, 65), (70, 80), (58, 95), (82, 95)), 1.0)
    return crop_portrait(image, face, settings())


@pytest.fixture(scope="package")
def sound():
    """Half a second at 16 kHz: seven frames."""
    moments = torch.arange(8000) / 16000
    return Audio((0.4 * torch.sin(moments * 900) * torch.sin(moments * 20))[None], 16000)


@pytest.fixture(scope="package")
def conditions(tiny_model, portrait, sound):
    """What the tiny model knows of them."""
    return tiny_model.prepare(portrait, sound, settings())
