"""The sync network learns from what is made for it, says how far from chance it is, and goes on where it stopped."""

from __future__ import annotations

import copy
import logging
import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from sonic_core.errors import CheckpointError
from sonic_core.learn.sync.batches import Batches
from sonic_core.learn.sync.judging import SyncTrial, SyncTrials, hits_of, offset_of
from sonic_core.learn.sync.pieces import Piece
from sonic_core.learn.sync.training import SyncPlan, SyncTraining, contrast, likeness
from sonic_core.learn.sync.variety import vary_mouth
from sonic_core.speech.mel import BANDS
from sonic_core.sync.network import EDGE, LEVELS, WINDOW, SyncNetwork

CURVES = 8


def spoken(seed: int, frames: int = 120) -> Piece:
    """A mouth whose curves go with the bands of its sound, as those of speech do, and are smooth like them."""
    random = np.random.default_rng(seed)
    count = LEVELS * (frames - 1) + 1
    slow = ndimage.gaussian_filter1d(random.standard_normal((CURVES, count + 40)), 10, axis=1)[:, 20 : count + 20]
    slow /= slow.std(1, keepdims=True)
    mixed = np.random.default_rng(99).standard_normal((BANDS, CURVES)) @ slow
    levels = (6 * mixed + 2 * random.standard_normal(mixed.shape) - 40).T.astype(np.float16)
    return Piece(slow[:, ::LEVELS].astype(np.float32), levels, levels, f"voice {seed}")


@pytest.fixture(scope="module")
def noises():
    power = np.random.default_rng(5).exponential(size=(2, 700, BANDS)).astype(np.float32)
    return power / power.mean((1, 2), keepdims=True)


@pytest.fixture(scope="module")
def batches(noises):
    return Batches([spoken(seed) for seed in range(6)], noises, seed=3)


PLAN = SyncPlan(steps=60, batch=8, frames=20)


@pytest.fixture(scope="module")
def learned(batches):
    training = SyncTraining(PLAN)
    losses = [training.advance(batches.draw(step, PLAN.batch, PLAN.frames)) for step in range(PLAN.steps)]
    return training, losses


def test_twenty_steps_bring_the_loss_a_tenth_below_chance(learned):
    losses = learned[1]
    first, chance = losses[0]
    assert chance == pytest.approx(math.log(PLAN.batch * (PLAN.frames - WINDOW + 1)))
    assert first > 0.95 * chance
    assert np.mean([loss for loss, _ in losses[18:24]]) < 0.9 * chance


def test_a_picture_of_noise_stays_at_chance(learned, batches):
    """Where the ends of a row could be told by how they look, noise would do better than chance."""
    network = copy.deepcopy(learned[0].network).train()
    drawn = batches.draw(1000, 16, PLAN.frames)
    mouths = torch.randn(drawn.mouths.shape, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        network.sharpness.fill_(math.log(10.0))
        loss, seen = contrast(network, type(drawn)(mouths, drawn.sounds))
        own, _ = contrast(network, drawn)
    chance = math.log(len(seen))
    assert float(loss) > 0.995 * chance
    assert float(own) < 0.95 * chance


def test_neither_tower_can_tell_where_its_input_ends(learned):
    network = learned[0].network.eval()
    frames = 60
    mouth, levels = torch.randn(1, CURVES, frames), torch.randn(1, LEVELS * frames - LEVELS + 1, BANDS)
    seen, heard = network.see(mouth), network.hear(levels)
    assert seen.shape[1] == heard.shape[1] == frames - 2 * EDGE - WINDOW + 1
    later = network.see(mouth[..., 7:]), network.hear(levels[:, 7 * LEVELS :])
    assert torch.allclose(seen[:, 7:], later[0], atol=1e-5) and torch.allclose(heard[:, 7:], later[1], atol=1e-5)


def test_an_interrupted_training_ends_where_another_does_to_the_bit(batches, tmp_path):
    plan = SyncPlan(steps=6, batch=3, frames=10)
    whole, first = SyncTraining(plan), SyncTraining(plan)
    whole.run(batches)
    for step in range(3):
        first.advance(batches.draw(step, plan.batch, plan.frames))
    first.save(tmp_path / "sync.pt")
    torch.rand(7)
    second = SyncTraining(plan)
    second.resume(tmp_path / "sync.pt")
    assert second.step == 3
    second.run(batches)
    ours, theirs = whole.network.state_dict(), second.network.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sync.pt"]


def test_another_plan_and_a_damaged_file_are_not_gone_on_with(tmp_path):
    SyncTraining(PLAN).save(tmp_path / "sync.pt")
    with pytest.raises(CheckpointError, match=r"same plan.*--fresh"):
        SyncTraining(SyncPlan(steps=61)).resume(tmp_path / "sync.pt")
    (tmp_path / "sync.pt").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="damaged"):
        SyncTraining(PLAN).resume(tmp_path / "sync.pt")


def test_it_says_how_far_from_chance_it_is(caplog):
    training = SyncTraining(PLAN)
    training.alike = 0.01
    with caplog.at_level(logging.INFO):
        training.step = 1
        training.tell(5.54, math.log(256))
        training.step = 80
        training.tell(5.54, math.log(256))
        training.alike = 0.4
        training.tell(2.0, math.log(256))
    early, late, good = (record.getMessage() for record in caplog.records)
    assert "loss 5.54 = chance for 256 rows (5.55): nothing is learnt yet" in early
    assert "means a fault" in late
    assert "64% below chance" in good and "collapsing" in good


def test_vectors_that_all_point_one_way_are_noticed():
    random = torch.randn(50, 16, generator=torch.Generator().manual_seed(0))
    apart = torch.nn.functional.normalize(random, dim=1)
    alike = torch.nn.functional.normalize(random + 5, dim=1)
    assert abs(likeness(apart)) < 0.05 and likeness(alike) > 0.9


def test_a_batch_depends_on_seed_and_step_alone(batches, noises):
    again = Batches([spoken(seed) for seed in range(6)], noises, seed=3)
    again.draw(0, 2)
    ours, theirs = batches.draw(5, 2), again.draw(5, 2)
    assert torch.equal(ours.mouths, theirs.mouths) and torch.equal(ours.sounds, theirs.sounds)
    assert not torch.equal(ours.mouths, batches.draw(6, 2).mouths)


def test_mouths_become_various_but_keep_their_time():
    own = np.asarray(spoken(3).mouth)
    random = np.random.default_rng(0)
    likes = [np.corrcoef(own[0], vary_mouth(own, random)[0])[0, 1] for _ in range(40)]
    assert 0.4 < np.mean(likes) < 0.95 and np.std(likes) > 0.02


def test_offsets_are_scored_by_the_frame():
    cosines = np.zeros((200, 2 * 32 + 1))
    cosines[:, 32 - 4] = 1.0
    assert np.mean(hits_of(cosines, 1.0, 0.08)) == 1.0
    assert np.mean(hits_of(cosines, 1.0, 0.12)) == 1.0 and np.mean(hits_of(cosines, 1.0, 0.16)) == 0.0
    assert hits_of(cosines[:10], 1.0, 0.08) == []
    assert offset_of(cosines) == pytest.approx(0.08)
    assert np.isnan(offset_of(np.full((200, 65), np.nan)))


def test_held_out_pieces_are_judged_in_words(learned):
    trials = SyncTrials.of([spoken(50)])
    network = learned[0].network.train()
    score = trials.judge(network)
    assert network.training
    assert "within a frame of 31 (chance 10%): 0.2 s" in str(score)
    assert score.within[2.0] > 0.3 > 3 / 31
    late = SyncTrial(np.asarray(spoken(50).mouth), np.ones(120, bool), 25.0, spoken(50).clean, late=0.2)
    assert SyncTrials([late]).judge(network).error > 0.05
    assert SyncNetwork(CURVES).curves == CURVES
