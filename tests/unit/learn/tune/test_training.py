"""The tuning: the loss is what is meant and falls, interrupted equals uninterrupted, what is written can be used."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

import sonic_core as sonic
from sonic_core.cli.main import main
from sonic_core.errors import CheckpointError
from sonic_core.learn.tune.examples import Examples, split
from sonic_core.learn.tune.loss import conditioning_of, errors_of, velocity
from sonic_core.learn.tune.network import add_changes, conditioned, trainable_unet
from sonic_core.learn.tune.together import Together
from sonic_core.learn.tune.training import Lesson, tune
from sonic_core.models.base.denoise import denoised
from sonic_core.models.base.guidance import ClipConditioning, Guidance, guided_predictions
from sonic_core.weights.read import load_into

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[4]


def lesson_of(prepared, plan, workshop):
    config = workshop.networks.config
    unet = trainable_unet(config, checkpointing=plan.checkpointing)
    load_into(unet, workshop.networks.files.unet)
    changes = add_changes(unet, plan.layers, plan.rank, plan.scale, plan.seed)
    learned, judging = split(prepared.paths, plan)
    return Lesson(plan, unet, changes, Examples(learned, plan, 0.002, 700.0), judging, {"model": "sonic-base"})


def losses(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def told(run):
    return [{name: value for name, value in line.items() if name != "seconds"} for line in losses(run)]


@pytest.mark.parametrize("sigma", [0.01, 1.0, 30.0])
def test_the_velocity_is_what_denoising_trusts(sigma):
    clean, noise = torch.randn(2, 2, 4, 4, 4).double()
    said = velocity(clean, noise, sigma)
    assert torch.allclose(denoised(clean + sigma * noise, said, sigma), clean)
    away = torch.randn_like(said)
    error = (denoised(clean + sigma * noise, said + away, sigma) - clean).square()
    assert torch.allclose(error * (sigma**2 + 1) / sigma**2, away.square()), "every noise level counts alike"


def test_the_unet_is_asked_as_it_is_when_it_animates(prepared, plan, workshop):
    """The three branches that guidance sums: each is what an example with as much dropped learns."""
    from sonic_core.learn.tune.caching import read_talk
    from sonic_core.learn.tune.examples import without
    from sonic_core.models.base.denoise import Task
    from sonic_core.models.base.sampling import Sampling
    from sonic_core.models.base.unet.attention import AudioTokens, FaceMask, ImageToken
    from sonic_core.models.base.windows import Window

    lesson = lesson_of(prepared, plan, workshop)
    talk = read_talk(prepared.paths[0])
    example = lesson.examples.make(talk, 3, 1, sigma=2.5, noise=torch.randn(4, 4, 8, 8))
    device, dtype = torch.device("cpu"), torch.float32
    conditioning = ClipConditioning(
        ImageToken(example.embedding),
        example.image,
        AudioTokens(example.tokens.float(), device, dtype, cache=False),
        AudioTokens(talk.unheard.float(), device, dtype, cache=False),
        torch.tensor([example.buckets] * 4),
        FaceMask(example.mask, (8, 8), 4),
    )
    task = Task(Window(0, 0, range(4), range(4)), 2.5, example.clean + 2.5 * example.noise)
    sampling = Sampling(torch.tensor([2.5, 0.0]))
    scales = {"nothing": (0.0, 0.0), "picture": (1.0, 0.0), "sound": (1.0, 1.0)}
    learned = {"nothing": without(example, talk, picture=True), "picture": without(example, talk), "sound": example}
    for name, guidance in scales.items():
        (made,) = guided_predictions(
            workshop.networks.unet, conditioning, Guidance(*guidance), sampling, [task], at_once=3
        )
        one = learned[name]
        wanted = velocity(one.clean, one.noise, one.sigma)
        with torch.no_grad(), conditioned(lesson.unet, conditioning_of(lesson.unet, one)):
            error = errors_of(lesson.unet, one) / one.weight
        assert torch.allclose(error, (made.velocity - wanted).square(), rtol=1e-3, atol=1e-4), name


@pytest.fixture(scope="module")
def whole(prepared, plan, workshop, tmp_path_factory):
    """A run that nobody interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    tune(lesson_of(prepared, plan, workshop), folder / "a.safetensors", folder / "run", Together())
    return folder


class StopError(Exception):
    pass


@pytest.mark.parametrize("at", [1, 4])
def test_interrupted_equals_uninterrupted_to_the_bit(whole, prepared, workshop, tmp_path, at):
    plan = workshop.plan

    def stop(stage, done, total):
        if done == at:
            raise StopError

    output, run = tmp_path / "a.safetensors", tmp_path / "run"
    with pytest.raises(StopError):
        tune(lesson_of(prepared, plan, workshop), output, run, Together(), stop)
    assert not output.exists()
    tune(lesson_of(prepared, plan, workshop), output, run, Together())
    expected, found = load_file(whole / "run" / "state.safetensors"), load_file(run / "state.safetensors")
    assert set(expected) == set(found)
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())
    written, wanted = load_file(output), load_file(whole / "a.safetensors")
    assert all(torch.equal(tensor, written[name]) for name, tensor in wanted.items())
    assert told(run) == told(whole / "run")


def test_a_run_that_was_killed_between_two_saves_repeats_what_was_lost(whole, prepared, plan, workshop, tmp_path):
    """Its log has lines beyond what was saved, the last of them torn; they are made again."""
    seldom = replace(plan, save_every=86400.0)
    run = tmp_path / "run"

    def stop(stage, done, total):
        if done == 3:
            raise StopError

    with pytest.raises(StopError):
        tune(lesson_of(prepared, plan, workshop), tmp_path / "a.safetensors", run, Together(), stop)
    with (run / "log.jsonl").open("a") as file:
        file.write('{"step": 5, "loss": 1.0}\n{"step": 6, "lo')
    tune(lesson_of(prepared, seldom, workshop), tmp_path / "a.safetensors", run, Together())
    assert told(run) == told(whole / "run")


def test_another_plan_or_a_damaged_state_is_not_gone_on_with(whole, prepared, plan, workshop, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    state = run / "state.safetensors"
    state.write_bytes((whole / "run" / "state.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match="holds a run of another plan"):
        tune(lesson_of(prepared, replace(plan, rate=1e-3), workshop), tmp_path / "a.safetensors", run, Together())
    state.write_bytes(b"nothing at all")
    with pytest.raises(CheckpointError, match=r"state\.safetensors is damaged"):
        tune(lesson_of(prepared, plan, workshop), tmp_path / "a.safetensors", run, Together())


def test_what_is_written_says_what_it_is(whole, plan):
    with safe_open(str(whole / "a.safetensors"), framework="pt") as file:
        header, names = file.metadata(), list(file.keys())
    assert header["alpha"] == "4" and header["model"] == "sonic-base"
    assert json.loads(header["lora_adapter_metadata"])["unet.r"] == plan.rank
    assert json.loads(header["plan"])["layers"] == plan.layers
    assert all(name.startswith("unet.") and name.endswith((".lora_A.weight", ".lora_B.weight")) for name in names)


def test_the_loss_on_what_was_held_out_falls(prepared, plan, workshop, tmp_path):
    longer = replace(
        plan, steps=24, layers="all", rank=16, alpha=16.0, rate=6e-3, warmup=3, average=0.8, judge_every=12
    )
    tune(lesson_of(prepared, longer, workshop), tmp_path / "a.safetensors", tmp_path / "run", Together())
    judged = [line["held_out"] for line in losses(tmp_path / "run") if "held_out" in line]
    assert len(judged) == 3
    assert judged[-1] < 0.7 * judged[0]
    assert judged[-1] < judged[1] < judged[0]


def test_the_command_learns_and_what_it_wrote_animates(video, tiny_set, tmp_path, capsys):
    output = tmp_path / "me.safetensors"
    flags = ["--size=64", "--expand-ratio=0.15", "--window=4", "--steps=2", "--batch=1", "--rank=2", "--held-out=0.2",
             "--rate=0.01", "--warmup=0", "--alpha=20", "--judged=1", "--average=0", "--layers=all"]  # fmt: skip
    command = ["learn", "tune", str(video), f"--output={output}", f"--weights={tiny_set}", *flags]
    assert main(command) == 0
    shown = capsys.readouterr()
    assert "4.0 s of 1 videos in 1 pieces" in shown.err
    assert f"--lora {output}" in shown.out
    made = {}
    for name, lora in (("plain", ()), ("tuned", (f"--lora={output}",))):
        assert main(["generate", f"--image={ROOT / 'assets/portrait.png'}", f"--audio={ROOT / 'assets/speech.wav'}",
                     f"--output={tmp_path / name}", "--format=png16", "--model=sonic-base", f"--weights={tiny_set}",
                     "--duration=0.2",
                     "--fps=12.5", "--min-resolution=128", "--inference-steps=2", *lora]) == 0  # fmt: skip
        made[name] = [sonic.read_image(path) for path in sorted((tmp_path / name).glob("*.png"))]
    capsys.readouterr()
    assert not all(torch.equal(one, other) for one, other in zip(made["plain"], made["tuned"], strict=True))


def test_what_is_wrong_is_one_sentence(tmp_path, tiny_set, capsys):
    for flags, said in {
        (f"--output={tmp_path / 'a.safetensors'}", "--rank=0"): "rank must be between 1 and 1024, got 0",
        (f"--output={tmp_path / 'a.pth'}",): ".safetensors",
        (f"--output={tmp_path / 'a.safetensors'}",): "found none",
    }.items():
        assert main(["learn", "tune", str(tmp_path), f"--weights={tiny_set}", *flags]) == 2
        shown = capsys.readouterr().err
        assert said in shown.splitlines()[-1]
        assert "Traceback" not in shown


@pytest.mark.skipif(not hasattr(os, "fork"), reason="two processes fork off one that has all loaded")
def test_two_processes_learn_what_one_learns(whole, prepared, tiny_set, tmp_path):
    program = f"""
import os, sys
import torch
torch.set_num_threads(1)
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from tests.unit.learn.conftest import PLAN
from tests.unit.learn.tune.test_training import lesson_of
from sonic_core.devices import OwnKeeper
from sonic_core.learn.tune.caching import Prepared, Workshop
from sonic_core.learn.tune.together import Together
from sonic_core.learn.tune.training import tune
from sonic_core.models.base.files import find_base
from sonic_core.models.base.loading import Networks
workshop = Workshop(PLAN, Networks(find_base([Path({str(tiny_set)!r})]), torch.float32), OwnKeeper(torch.device("cpu")))
other = os.fork()
os.environ["RANK"] = os.environ["LOCAL_RANK"] = "0" if other else "1"
together = Together(torch.device("cpu"))
prepared = Prepared([Path({str(prepared.paths[0])!r})])
tune(lesson_of(prepared, PLAN, workshop), Path("a.safetensors"), Path("run"), together)
assert together.heed_first(together.first)
assert not together.heed_first(not together.first)
together.wait()
together.part()
sys.exit(bool(other and os.waitpid(other, 0)[1]))
"""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        there = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    running = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", program],
        cwd=tmp_path, env={**os.environ, **there}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert running.returncode == 0, running.stderr
    expected, found = load_file(whole / "run" / "state.safetensors"), load_file(tmp_path / "run" / "state.safetensors")
    for name, tensor in expected.items():
        assert torch.allclose(tensor, found[name], rtol=1e-3, atol=1e-6), name
