"""A talk to learn from: a tiny sonic-base's view of a person who is drawn."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import sonic_core as sonic
from sonic_core.devices import OwnKeeper
from sonic_core.learn.tune.caching import Workshop, prepare
from sonic_core.learn.tune.plan import TuningPlan
from sonic_core.models.base.files import find_base
from sonic_core.models.base.loading import Networks

ASSETS = Path(__file__).resolve().parents[3] / "assets"
PLAN = TuningPlan(
    size=64, expand_ratio=0.15, window=4, batch=2, steps=6, warmup=2, judge_every=3, judged=2, held_out=0.3, rank=4,
    alpha=4.0, save_every=0.0, checkpointing=False,
)  # fmt: skip


@pytest.fixture(scope="session")
def video(tmp_path_factory):
    """The bundled portrait saying the beginning of the bundled speech."""
    model = sonic.load_model("sonic-preview")
    clip = model.generate(
        ASSETS / "speech.wav", ASSETS / "portrait.png", min_resolution=384, expand_ratio=0.3, duration=4.0
    )
    path = tmp_path_factory.mktemp("videos") / "one.mp4"
    return clip.export(path)


@pytest.fixture(scope="session")
def workshop(tiny_set):
    return Workshop(PLAN, Networks(find_base([tiny_set]), torch.float32), OwnKeeper(torch.device("cpu")))


@pytest.fixture(scope="session")
def prepared(video, workshop, tmp_path_factory):
    return prepare([video], tmp_path_factory.mktemp("data"), workshop)
