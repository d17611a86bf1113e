"""Training learns, can be repeated, and what it writes is read by the package; judging measures what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from sonic_core.cli.main import main
from sonic_core.errors import CheckpointError
from sonic_core.learn.lipreading.coarticulation import Script, draw_targets
from sonic_core.learn.lipreading.corpus import CROP, Roughener, SpokenClip, make_noises, read_clips
from sonic_core.learn.lipreading.dataset import Batch, make_batch
from sonic_core.learn.lipreading.judging import DEGREES, MEASURES, judge_speech, make_trials
from sonic_core.learn.lipreading.training import LipTraining, TrainingPlan, losses, train
from sonic_core.speech.mel import BANDS
from sonic_core.speech.network import CHANNELS, Mouth, MouthNetwork, load_network


def tiny_clips() -> list[SpokenClip]:
    """Clips whose levels tell the sounds apart by a band of their own."""
    random = np.random.default_rng(0)
    clips = []
    for _ in range(6):
        symbols = random.choice(list("_pamuifs"), 60)
        rows = [(0.1 * i, 0.1 * (i + 1), ord(symbol)) for i, symbol in enumerate(symbols)]
        shut = [(start, end) for start, end, code in rows if chr(code) in "pm"]
        levels = np.full((600, BANDS), -80.0, np.float32)
        for start, end, code in rows:
            levels[round(100 * start) : round(100 * end), 5 * "_pamuifs".index(chr(code)) :][:, :5] = -20
        targets = draw_targets(Script(np.array(rows, np.float32), np.array(shut, np.float32).reshape(-1, 2)), levels)
        clips.append(SpokenClip(levels.astype(np.float16), levels.astype(np.float16), targets.astype(np.float16)))
    return clips


@pytest.fixture(scope="module")
def noises() -> np.ndarray:
    return make_noises(4)


def test_batches_are_crops_with_targets(noises):
    levels, targets = Roughener(tiny_clips(), noises, 0).batch(12)
    assert levels.shape == (12, CROP, BANDS) and targets.shape == (12, len(CHANNELS) + 2, CROP // 2)
    assert np.isfinite(levels).all() and np.abs(levels).max() < 8
    assert set(np.unique(targets[:, -1])) <= set(range(14)) and 0 <= targets[:, -2].min() <= targets[:, -2].max() <= 1
    again = Roughener(tiny_clips(), noises, 0).batch(12)
    assert np.array_equal(levels, again[0]) and np.array_equal(targets, again[1])


def test_noise_without_speech_is_taught_as_a_pause(noises):
    source = Roughener(tiny_clips(), noises, 0)
    drawn = [source.drawn() for _ in range(200)]
    silent = [clip for clip in drawn if not clip.targets[:, -1].any()]
    longer = [clip for clip in drawn if len(clip.clean) > 600 and clip.targets[:, -1].any()]
    assert 2 <= len(silent) <= 25 and len(longer) >= 10
    assert all(len(clip.clean) == len(clip.rough) == len(clip.targets) for clip in drawn)


def test_the_loss_falls_and_the_same_seed_learns_the_same(noises):
    def learn(steps: int) -> tuple[float, MouthNetwork]:
        torch.manual_seed(0)
        training = LipTraining(TrainingPlan(steps, batch=6, rate=1e-2), MouthNetwork(16, 0))
        training.run(Roughener(tiny_clips(), noises, 0))
        network = training.average
        levels, targets = Roughener(tiny_clips(), noises, 9).batch(12)
        with torch.no_grad():
            parts = losses(network(torch.from_numpy(levels)), torch.from_numpy(targets))
        return float(torch.stack(list(parts.values())).sum()), network

    (before, _), (after, network), (again, _) = learn(1), learn(40), learn(40)
    assert after < 0.75 * before
    assert after == again
    assert not network.training


def test_a_training_that_was_interrupted_ends_with_the_same_bits(noises, tmp_path):
    def weights(training: LipTraining) -> list[torch.Tensor]:
        return [*training.network.state_dict().values(), *training.average.state_dict().values()]

    plan, path = TrainingPlan(6, width=8, batch=2), tmp_path / "mouth.pt"
    whole, begun = LipTraining(plan), LipTraining(plan)
    whole.run(Roughener(tiny_clips(), noises, 0))
    for _ in range(3):
        begun.advance(Roughener(tiny_clips(), noises, 0))
    begun.save(path)
    later = LipTraining(plan)
    later.resume(path)
    assert later.step == 3
    later.run(Roughener(tiny_clips(), noises, 0), path)
    assert all(torch.equal(one, other) for one, other in zip(weights(whole), weights(later), strict=True))


def test_another_plan_or_a_damaged_checkpoint_is_not_gone_on_with(tmp_path):
    path = tmp_path / "mouth.pt"
    LipTraining(TrainingPlan(2, width=8)).save(path)
    with pytest.raises(CheckpointError, match=r"with the same plan .* begin anew with --fresh"):
        LipTraining(TrainingPlan(3, width=8)).resume(path)
    with pytest.raises(CheckpointError, match="of width 16"):
        LipTraining(TrainingPlan(2, width=16)).begin_with(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(CheckpointError, match="which is damaged"):
        LipTraining(TrainingPlan(2, width=8)).resume(path)


def stored_speech(folder: Path) -> None:
    """Write two clips as the synthesiser's are stored."""
    random, count = np.random.default_rng(0), 500
    levels = (random.standard_normal((2 * count, BANDS)) * 10 - 40).astype(np.float16)
    sounds = [(clip, 0.1 * i, 0.1 * (i + 1), ord("pa"[i % 2])) for clip in range(2) for i in range(50)]
    shut = [row[:3] for row in sounds if chr(row[3]) == "p"]
    folder.mkdir()
    np.savez(
        folder / "en_0.npz", clean=levels, rough=levels, lengths=np.array([count, count]),
        symbols=np.array(sounds, np.float32), closures=np.array(shut, np.float32),
    )  # fmt: skip


def test_the_command_goes_on_and_earlier_words_are_understood(tmp_path, capsys):
    stored_speech(tmp_path / "speech")
    (tmp_path / "plan.json").write_text('{"width": 8, "batch": 2, "noises": 2}')
    jobs = str(torch.get_num_threads())
    asked = ["learn", "lipreading", "fit", "--folder", str(tmp_path), "--jobs", jobs, "--plan"]
    asked += [str(tmp_path / "plan.json"), "--steps", "2"]
    assert main(asked) == 0
    said = capsys.readouterr().err
    assert "learn lipreading fit: say learn lipreading instead." in said
    assert "step 2 of 2" in said
    first = load_file(tmp_path / "mouth.safetensors")
    assert main(asked) == 0
    assert "going on from step 2" in capsys.readouterr().err
    again = load_file(tmp_path / "mouth.safetensors")
    assert all(torch.equal(again[name], value) for name, value in first.items())
    assert main([*asked, "--width", "9"]) == 2
    assert "begin anew with --fresh" in capsys.readouterr().err
    assert main([*asked, "--fresh"]) == 0
    again = load_file(tmp_path / "mouth.safetensors")
    assert all(torch.equal(again[name], value) for name, value in first.items())
    assert main(["learn", "lipreading", "--clips", "0"]) == 2
    assert capsys.readouterr().err.endswith("sonic: Expected --clips to be 1 or more, got 0; choose a larger one.\n")


def test_a_perfect_answer_costs_less_than_any_other():
    targets = torch.from_numpy(np.stack([clip.targets[::2].T for clip in tiny_clips()])).float()
    sure = torch.nn.functional.one_hot(targets[:, -1].long(), 14).transpose(1, 2) * 20.0
    right = Mouth(targets[:, :-2], (targets[:, -2] - 0.5) * 30, sure)
    wrong = Mouth(targets[:, :-2] + 0.2, right.closure, sure)
    missed = Mouth(targets[:, :-2], right.closure - 20, sure)
    needless = Mouth(targets[:, :-2], right.closure + 20, sure)
    cost = [float(sum(losses(mouth, targets).values())) for mouth in (right, wrong, missed, needless)]
    assert cost[0] < min(cost[1:])
    assert losses(right, targets)["opening"] < 0.01


def test_from_speech_to_weights(synthesizer, tmp_path):
    (tmp_path / "speech").mkdir()
    make_batch(Batch(tmp_path / "speech" / "en_0.npz", "en", 2, 0))
    clips = read_clips([tmp_path / "speech" / "en_0.npz"])
    assert len(clips) == 2 and all(len(clip.clean) == len(clip.targets) > 200 for clip in clips)
    assert all(0.2 < (clip.targets[:, -1] > 0).mean() <= 1 for clip in clips)
    train(tmp_path / "speech", tmp_path / "mouth.safetensors", TrainingPlan(steps=2, width=8, batch=2, noises=2))
    assert load_network(tmp_path / "mouth.safetensors").width == 8
    train(
        tmp_path / "speech", tmp_path / "on.safetensors", TrainingPlan(1, 8, 2, noises=2), start=tmp_path / "mouth.pt"
    )
    assert (tmp_path / "on.safetensors").exists()


def test_the_weights_in_the_package_read_lips_off_held_out_speech(synthesizer, tmp_path, monkeypatch):
    monkeypatch.setattr("sonic_core.learn.lipreading.judging.HELD_OUT", ("sw", "sv"))
    place = tmp_path / "held-out-1-2"
    place.mkdir()
    for language in ("sw", "sv"):
        make_trials(place / f"{language}.npz", 1, 2)
    results = judge_speech(tmp_path, 1, 2, 1)
    assert list(results) == list(DEGREES) and set(results["clean"]) == set(MEASURES)
    clean, heavy = results["clean"], results["worn, noisy 0 … 12 dB"]
    assert clean["closed"] > 0.9 and clean["open over close"] > 0.85 and clean["rounder"] > 0.9
    assert clean["shut elsewhere"] < 0.1 and clean["likeness"] > 0.75
    assert heavy["closed"] > 0.4 and heavy["likeness"] < clean["likeness"]
