"""sonic-base lets those speak who do; those who only listen need no diffusion."""

from __future__ import annotations

import pytest
import torch

import sonic_core as sonic
from tests.unit.cast.conftest import ASSETS, said


@pytest.mark.slow
def test_the_slow_model_makes_those_who_speak_and_the_quick_one_who_listen(tiny_set):
    with pytest.warns(sonic.SonicWarning, match="runs on the processor"):
        model = sonic.load_model("sonic-base", weights=[tiny_set], device="cpu", precision="fp32")
    with pytest.warns(sonic.SonicWarning, match="min_resolution"):
        settings = sonic.Settings(min_resolution=128, inference_steps=10, quality="exact", window=14)
    picture = sonic.read_image(ASSETS / "pair.jpg")
    sounds = sonic.hear_speakers({1: said("speech.wav", 2.0, 0.3)}, settings)
    cast = sonic.gather_cast(picture, sounds, settings, sonic.face_finder("embedded", everybody=True))
    conditions = model.prepare_cast(cast, settings)
    assert [part.model.name for part in conditions.parts] == ["sonic-base", "sonic-preview"]
    made = model.animate(conditions, settings, stages=())
    frames = torch.cat(list(made.clip.read()))
    assert frames.shape == (8, 3, *picture.shape[1:])
    left, top, right, bottom = conditions.portrait.placement.box
    changed = (frames[-1] - picture).abs().amax(0)
    assert changed[top:bottom, left:right].mean() > 0.1, "random weights draw no face"
    changed[top:bottom, left:right] = 0
    assert changed.max() > 0.02, "the other one listens"
    assert changed[:, :100].max() == 0
