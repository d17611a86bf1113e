"""Distilling: what is asked and answered, that it learns and can be stopped, that quality live takes what it made."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import sonic_core as sonic
from sonic_core.cli.main import main
from sonic_core.errors import CheckpointError, InputError, SettingsError, SonicError, SonicWarning
from sonic_core.learn.distil.commands import NAME, distillation
from sonic_core.learn.distil.guard import Guard
from sonic_core.learn.distil.judging import Judging, distance, movement
from sonic_core.learn.distil.ladder import Ladder, make_ladder
from sonic_core.learn.distil.pair import step_to
from sonic_core.learn.distil.plan import DistillingPlan
from sonic_core.learn.distil.targets import Questions, learn_from, straight
from sonic_core.learn.distil.training import distil
from sonic_core.learn.tune.examples import Excerpts
from sonic_core.learn.tune.together import Together
from sonic_core.models.base.denoise import denoised, deviation
from sonic_core.models.base.files import find_base
from sonic_core.models.base.loading import Networks
from sonic_core.weights.lora import Lora, read_header
from sonic_core.weights.student import read_student

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[4]
PLAN = DistillingPlan(
    size=64, expand_ratio=0.15, window=4, batch=1, guidance_steps=3, steps=3, warmup=1, judge_every=2, judged=1,
    held_out=0.3, rank=4, alpha=4.0, rate=1e-3, save_every=0.0, checkpointing=False, teacher_steps=5, student_steps=2,
    least_amplitude=0.0, hop=1,
)  # fmt: skip
LEVELS = {"sigma_min": 0.002, "sigma_max": 700.0}
ON = torch.device("cpu"), torch.float32


@pytest.fixture(scope="module")
def work_of(prepared, tiny_set):
    """Set up a distillation of the tiny model, by whatever plan."""
    return lambda plan=PLAN, loras=(): distillation(find_base([tiny_set]), plan, prepared, loras, ON)


def disturb(changes, size=0.02):
    """Let a student be another than its teacher."""
    chance = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for layer in changes.layers:
            layer.up.copy_(torch.randn(layer.up.shape, generator=chance) * size)


def told(folder):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def judged(folder, stage):
    return [line for line in told(folder) if line.get("stage") == stage]


@pytest.mark.parametrize(("teacher", "student"), [(25, 4), (25, 8), (5, 4), (50, 1)])
def test_a_student_stands_on_its_teachers_levels(teacher, student):
    ladder = make_ladder(teacher, student, LEVELS)
    assert len(ladder.teacher) == teacher + 1 and len(ladder.student) == student + 1
    assert set(ladder.student.tolist()) <= set(ladder.teacher.tolist())
    assert list(ladder.rungs) == sorted(set(ladder.rungs))
    assert (ladder.rungs[0], ladder.rungs[-1], ladder.student[-1]) == (0, teacher, 0)


def test_a_step_ends_at_the_next_rung():
    ladder = Ladder((8.0, 4.0, 2.0, 1.0, 0.0), (0, 2, 4))
    assert [ladder.end(level) for level in range(4)] == [2, 2, 4, 4]
    assert [ladder.above(level) for level in range(4)] == [0, 0, 1, 1]
    assert [ladder.between(place) for place in (0.0, 0.5, 1.0)] == pytest.approx([8.0, math.sqrt(8.0), 1.0])


@pytest.mark.parametrize(("sigma", "following"), [(700.0, 10.2), (10.2, 2.2), (0.2, 0.0)])
def test_the_straight_way_leads_there(sigma, following):
    noisy, there = torch.randn(2, 3, 4, 8, 8).double() * 5
    assert torch.allclose(step_to(noisy, straight(noisy, there, sigma, following), sigma, following), there)


def test_teacher_and_student_are_asked_as_they_are_when_they_animate(work_of, workshop):
    """The three branches of the lean UNet, summed by hand, and its last branch alone."""
    from sonic_core.learn.tune.caching import read_talk
    from sonic_core.learn.tune.examples import without
    from sonic_core.learn.tune.loss import conditioning_of, predict
    from sonic_core.learn.tune.network import conditioned

    work = work_of(replace(PLAN, appearance_guidance=1.5, audio_guidance=3.0))
    scene = Judging(work.pair, work.excerpts, work.judging, work.ladder).scenes[0]
    example = replace(scene.example, sigma=2.5)
    noisy, unet = example.clean + 2.5 * example.noise, workshop.networks.unet
    talk = read_talk(work.judging[0].path)
    said = []
    for one in (without(example, talk, picture=True), without(example, talk), example):
        with torch.no_grad(), conditioned(unet, conditioning_of(unet, one)):
            said.append(predict(unet, one))
    nothing, picture, sound = said
    wanted = nothing + 1.5 * (picture - nothing) + 3.0 * (sound - picture)
    assert torch.allclose(work.pair.teacher(scene, noisy, 2.5), wanted, rtol=1e-3, atol=1e-4)
    assert torch.allclose(work.pair.student(scene, noisy, 2.5), sound, rtol=1e-3, atol=1e-4)


def test_a_student_begins_as_its_teachers_last_branch_and_never_changes_the_teacher(work_of):
    plain, guided = (work_of(replace(PLAN, appearance_guidance=g, audio_guidance=g)) for g in (1.0, 3.0))
    scene = Judging(plain.pair, plain.excerpts, plain.judging, plain.ladder).scenes[0]
    noisy = scene.begun(4.0)
    assert torch.equal(plain.pair.student(scene, noisy, 4.0), plain.pair.teacher(scene, noisy, 4.0))
    before = guided.pair.teacher(scene, noisy, 4.0)
    disturb(guided.pair.changes)
    assert torch.equal(guided.pair.teacher(scene, noisy, 4.0), before)
    assert not torch.equal(guided.pair.student(scene, noisy, 4.0), plain.pair.student(scene, noisy, 4.0))


def test_lent_values_answer_and_are_given_back(work_of):
    pair = work_of().pair
    own = {name: one.detach().clone() for name, one in pair.changes.tensors().items()}
    disturb(pair.changes)
    other = {name: one.detach().clone() for name, one in pair.changes.tensors().items()}
    with pytest.raises(RuntimeError, match="meanwhile"), pair.changes.being(own):
        assert all(torch.equal(one, own[name]) for name, one in pair.changes.tensors().items())
        raise RuntimeError("meanwhile")
    assert all(torch.equal(one, other[name]) for name, one in pair.changes.tensors().items())


def test_only_changes_learn(work_of):
    work = work_of()
    questions = Questions(work.pair, work.excerpts, work.plan, work.ladder)
    asked = questions.of_guidance(0, 0), questions.of_steps(0, 0, work.pair.changes.tensors())
    for question in asked:
        learn_from(work.pair, question, 1)
        assert all(one.grad is None for one in work.pair.unet.parameters())
        assert all(one.up.grad.isfinite().all() and one.up.grad.any() for one in work.pair.changes.layers)
        work.pair.changes.zero_grad()


@pytest.mark.parametrize(("hop", "apart"), [(1, 3), (5, 0)])
def test_of_steps_the_answer_leads_where_the_teachers_path_crosses_the_next_rung(work_of, hop, apart):
    """The teacher leads over ``hop`` levels; where that is not far enough, the average goes the rest of the way."""
    work = work_of(replace(PLAN, own_share=0.0, rung_share=0.0, hop=hop))
    average = {name: one.detach().clone() for name, one in work.pair.changes.tensors().items()}
    disturb(work.pair.changes)
    questions, ladder = Questions(work.pair, work.excerpts, work.plan, work.ladder), work.ladder
    asked, sigmas = {}, ladder.sigmas
    for step in range(20):
        one = questions.of_steps(step, 0, average)
        asked[ladder.teacher.tolist().index(one.sigma)] = one
    assert set(asked) == set(range(5)), "every level is asked about"
    for level, one in asked.items():
        reached, led, end = one.noisy, min(level + hop, ladder.end(level)), ladder.end(level)
        for number in range(level, led):
            said = work.pair.teacher(one.scene, reached, sigmas[number])
            reached = step_to(reached, said, sigmas[number], sigmas[number + 1])
        if led != end:
            with work.pair.changes.being(average):
                said = work.pair.student(one.scene, reached, sigmas[led])
            reached = step_to(reached, said, sigmas[led], sigmas[end])
            apart -= 1
        assert torch.allclose(step_to(one.noisy, one.velocity, one.sigma, sigmas[end]), reached, atol=1e-3, rtol=1e-4)
    assert apart == 0


def test_its_own_steps_lead_where_it_animates(work_of):
    """At a rung, the window that it learns from is the one that it comes to itself, from the same noise."""
    work = work_of(replace(PLAN, own_share=1.0, rung_share=1.0))
    disturb(work.pair.changes)
    average = work.pair.changes.tensors()
    questions, rungs = Questions(work.pair, work.excerpts, work.plan, work.ladder), work.ladder.rungs
    second = work.ladder.sigmas[rungs[1]]
    for one in (questions.of_steps(step, 0, average) for step in range(8)):
        begun = one.scene.begun(work.ladder.sigmas[0])
        if one.sigma == work.ladder.sigmas[0]:
            continue
        said = work.pair.student(one.scene, begun, work.ladder.sigmas[0])
        assert one.sigma == second
        assert torch.allclose(one.noisy, step_to(begun, said, work.ladder.sigmas[0], second))
        return
    raise AssertionError("the second rung was never asked about")


@pytest.fixture(scope="module")
def whole(work_of, tmp_path_factory):
    """A run that nobody interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    distil(work_of(), folder / "a.safetensors", folder / "run", Together())
    return folder


class StopError(Exception):
    pass


@pytest.mark.parametrize("at", [2, 4])
def test_interrupted_equals_uninterrupted_to_the_bit(whole, work_of, tmp_path, at):
    def stop(stage, done, total):
        if done == at:
            raise StopError

    output, run = tmp_path / "a.safetensors", tmp_path / "run"
    with pytest.raises(StopError):
        distil(work_of(), output, run, Together(), stop)
    distil(work_of(), output, run, Together())
    for name in ("run/state.safetensors", "a.safetensors"):
        expected, found = load_file(whole / name), load_file(tmp_path / name)
        assert set(expected) == set(found)
        assert all(torch.equal(tensor, found[key]) for key, tensor in expected.items()), name
    assert told(run) == told(whole / "run")
    assert read_header(output) == read_header(whole / "a.safetensors")
    output.unlink()
    with pytest.raises(SonicError, match=r"The student of step 6 was written to .*a\.safetensors, which is gone"):
        distil(work_of(), output, run, Together())


def test_another_plan_or_another_teacher_is_not_gone_on_with(whole, work_of, tmp_path):
    shutil.copytree(whole / "run", tmp_path / "run")
    for work in (work_of(replace(PLAN, audio_guidance=3.0)), work_of(loras=[Lora(whole / "a.safetensors")])):
        with pytest.raises(CheckpointError, match="holds a run of another plan"):
            distil(work, tmp_path / "a.safetensors", tmp_path / "run", Together())


def test_what_is_judged_is_told_with_its_count(whole):
    guidance, steps = (judged(whole / "run", stage) for stage in ("guidance", "steps"))
    assert [line["step"] for line in guidance] == [0, 2, 3]
    assert [line["step"] for line in steps] == [4, 6]
    assert {(line["evaluations"], line["against"]) for line in guidance} == {(5, 15)}
    assert {(line["evaluations"], line["against"]) for line in steps} == {(2, 15)}
    assert all(line["error"] > 0 and line["times"] == line["teachers_own"] / line["error"] for line in steps)
    found = DistillingPlan()
    assert (found.student_steps, 3 * found.teacher_steps) == (4, 75)


def test_one_branch_learns_what_three_say(work_of, tmp_path):
    """At noise levels and windows that it was never asked about, of a teacher of random numbers."""
    plan = replace(PLAN, guidance_steps=40, steps=1, rank=16, alpha=16.0, average=0.9, judge_every=41,
                   audio_guidance=4.0)  # fmt: skip
    work = work_of(plan)
    others = Questions(work.pair, Excerpts(work.judging, plan), plan, work.ladder)
    asked = [others.of_guidance(1000 + number, 0) for number in range(6)]

    def errors():
        said = [work.pair.student(one.scene, one.noisy, one.sigma) for one in asked]
        return [distance([answer], [one.velocity]) for answer, one in zip(said, asked, strict=True)]

    before = errors()
    distil(work, tmp_path / "a.safetensors", tmp_path / "run", Together())
    written = load_file(tmp_path / "a.safetensors")
    with work.pair.changes.being({name: written[f"unet.{name}"].float() for name in work.pair.changes.tensors()}):
        after = errors()
    assert all(late < early for late, early in zip(after, before, strict=True))
    assert sum(after) < 0.95 * sum(before)


def damaged(work):
    """Let a student's estimate of what is under the noise lose nearly all that changes over time, once it is asked."""
    asked = {"still": False}

    def still(unet, given, answer):
        if not (asked["still"] and work.pair.changes.layers[0].counts):
            return None
        sigma = math.exp(4 * float(given[1][0]))
        noisy = given[0][:, :, :4] * deviation(sigma)
        clean = denoised(noisy, answer[0], sigma)
        clean = clean.mean(1, keepdim=True) + 0.5 * (clean - clean.mean(1, keepdim=True))
        return ((noisy / deviation(sigma) - clean * deviation(sigma)) / sigma,)

    work.pair.unet.register_forward_hook(still)
    return asked


STILL = replace(PLAN, guidance_steps=6, steps=1, appearance_guidance=1.0, audio_guidance=1.0, rate=1e-6,
                least_amplitude=0.9, grace=100)  # fmt: skip


def test_a_student_that_goes_still_is_stopped_and_the_last_that_moved_is_kept(work_of, tmp_path):
    work, output = work_of(STILL), tmp_path / "a.safetensors"
    asked, kept = damaged(work), {}

    def progress(stage, done, total):
        if done == 3:
            asked["still"] = True
            kept["bytes"] = output.read_bytes()

    said = (
        r"Stopped after step 4: the student moves 0\.\d+ as much as its teacher, less than 0\.9; the student of step 2"
    )
    with pytest.warns(SonicWarning, match=said):
        distil(work, output, tmp_path / "run", Together(), progress)
    assert output.read_bytes() == kept["bytes"]
    amplitudes = [line["amplitude"] for line in judged(tmp_path / "run", "guidance")]
    assert min(amplitudes[:2]) > 0.9 > amplitudes[2]
    with pytest.warns(SonicWarning, match=said):  # whoever asks again hears the same, and nothing is learned
        assert distil(work, output, tmp_path / "run", Together(), progress) is None
    assert len(judged(tmp_path / "run", "guidance")) == 3


def test_a_student_that_never_moves_is_not_written(work_of, tmp_path):
    work = work_of(replace(STILL, grace=2))
    damaged(work)["still"] = True
    with pytest.raises(
        SonicError, match=r"Stopped after step 2: .* no student moved enough before, so none is written"
    ):
        distil(work, tmp_path / "a.safetensors", tmp_path / "run", Together())
    assert not (tmp_path / "a.safetensors").exists()


def test_the_guard_waits_only_for_a_student_that_has_not_moved_yet():
    guard = Guard(0.9, 100)
    assert not guard.watch(0.5, 50, 0) and not guard.stopped
    assert guard.watch(0.95, 60, 0)
    guard.begin_part()
    assert not guard.watch(0.3, 150, 60) and not guard.stopped, "few steps begin anew"
    again = Guard(0.9, 100)
    again.remember(guard.to_text())
    assert again == guard
    assert not again.watch(0.89, 160, 60)
    assert "the student of step 60, which moves 0.950 as much, is kept" in again.stopped


def test_movement_and_distance_are_what_they_say():
    still = torch.randn(1, 4, 8, 8).expand(6, -1, -1, -1)
    waves = torch.sin(torch.arange(6.0) * 2 * math.pi / 6)[:, None, None, None].expand(6, 4, 8, 8)
    assert movement([still]) == pytest.approx(0.0, abs=1e-6)
    assert movement([still + 3 * waves]) == pytest.approx(3 * 0.5**0.5)
    assert distance([still + 0.5], [still]) == pytest.approx(0.5)


def test_quality_live_runs_what_the_command_made(video, tiny_set, tmp_path, capsys):
    for part in tiny_set.iterdir():
        if part.name != "Sonic":
            (tmp_path / part.name).symlink_to(part)
    shutil.copytree(tiny_set / "Sonic", tmp_path / "Sonic")
    flags = ["--size=64", "--expand-ratio=0.15", "--window=4", "--guidance-steps=1", "--steps=1", "--batch=1",
             "--rank=2", "--held-out=0.2", "--rate=0.01", "--warmup=0", "--alpha=20", "--judged=1", "--average=0",
             "--teacher-steps=5", "--student-steps=3", "--least-amplitude=0"]  # fmt: skip
    assert main(["learn", "distil", str(video), f"--weights={tmp_path}", *flags]) == 0
    shown, student = capsys.readouterr(), tmp_path / "Sonic" / NAME
    assert "3 evaluations against 15" in shown.err
    assert f"{student}: python -m sonic_core generate --model sonic-base --quality live" in shown.out
    read = read_student(student)
    assert (read.kind, read.steps, read.distilled) == ("lora", 3, True)
    assert list(read.sigmas) == pytest.approx(make_ladder(5, 3, LEVELS).student.tolist()[:-1], rel=1e-6)
    networks = Networks(find_base([tmp_path]), torch.float32)
    assert networks.live.student == read
    rows = []
    networks.student_unet.register_forward_pre_hook(lambda _, inputs: rows.append(float(inputs[1][0])))
    made = {}
    for quality in ("live", "exact"):
        command = ["generate", f"--image={ROOT / 'assets/portrait.png'}", f"--audio={ROOT / 'assets/speech.wav'}",
                   f"--output={tmp_path / quality}", "--format=png16", "--model=sonic-base", f"--weights={tmp_path}",
                   "--duration=0.2", "--fps=12.5", "--min-resolution=128", "--inference-steps=3",
                   f"--quality={quality}"]  # fmt: skip
        assert main(command) == 0
        made[quality] = [sonic.read_image(path) for path in sorted((tmp_path / quality).glob("*.png"))]
    assert "few-step student" not in capsys.readouterr().err
    assert not all(torch.equal(one, other) for one, other in zip(made["live"], made["exact"], strict=True))


def test_what_was_written_answers_as_what_was_learned(whole, work_of, tiny_set, tmp_path):
    """The merged student of quality live, asked as the one that learned beside frozen weights."""
    shutil.copytree(tiny_set, tmp_path / "set")
    shutil.copy(whole / "a.safetensors", tmp_path / "set" / "Sonic" / NAME)
    work = work_of()
    scene = Judging(work.pair, work.excerpts, work.judging, work.ladder).scenes[0]
    written = load_file(whole / "a.safetensors")
    with work.pair.changes.being({name: written[f"unet.{name}"].float() for name in work.pair.changes.tensors()}):
        learned = work.pair.arrive(scene, work.ladder.student, taught=True)
    merged = replace(work.pair, unet=Networks(find_base([tmp_path / "set"]), torch.float32).student_unet)
    found = merged.arrive(scene, work.ladder.student, taught=True)
    assert torch.allclose(found, learned, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(found, work.pair.arrive(scene, work.ladder.student, taught=True), rtol=1e-3, atol=1e-3)


def test_what_is_wrong_is_one_sentence(work_of, tmp_path, tiny_set, video, capsys):
    with pytest.raises(SettingsError, match="student_steps must be fewer than teacher_steps; got 5 and 5"):
        replace(PLAN, student_steps=5)
    with pytest.raises(InputError, match="raise held_out"):
        distil(replace(work_of(), judging=[]), tmp_path / "a.safetensors", tmp_path / "run", Together())
    for flags, said in {
        ("--student-steps=0",): "student_steps must be between 1 and 16, got 0",
        (f"--output={tmp_path / 'a.pth'}",): ".safetensors",
        (f"--output={tmp_path / 'a.safetensors'}", f"--lora={video}"): "one.mp4",
    }.items():
        assert main(["learn", "distil", str(tmp_path), f"--weights={tiny_set}", *flags]) == 2
        shown = capsys.readouterr().err
        assert said in shown.splitlines()[-1]
        assert "Traceback" not in shown
