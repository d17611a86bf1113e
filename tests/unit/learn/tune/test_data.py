"""From videos to what is learned from: what is used, what is dropped and why, and that it is drawn the same again."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

import sonic_core as sonic
from sonic_core.clip import Clip
from sonic_core.errors import InputError, MediaError, SettingsError
from sonic_core.faces.crop import face_mask
from sonic_core.faces.geometry import face_box
from sonic_core.learn.tune.caching import find_videos, prepare, read_talk
from sonic_core.learn.tune.examples import Examples, face_weight, measure_movement, split
from sonic_core.learn.tune.plan import TuningPlan, read_plan
from sonic_core.learn.tune.watching import FPS, _runs, at_rate, lip_movement, watch
from sonic_core.media.mixing import shift
from sonic_core.models.base.config import LATENT_SCALE
from sonic_core.models.base.vae import reference_latents

pytestmark = pytest.mark.slow


def examples_of(prepared, plan):
    learned, judging = split(prepared.paths, plan)
    return Examples(learned, plan, 0.002, 700.0), judging


def test_a_video_becomes_what_the_model_sees_of_it(prepared, video, workshop):
    (path,) = prepared.paths
    talk, clip = read_talk(path), at_rate(sonic.open_clip(video), FPS)
    assert talk.length == 50 and prepared.seconds == 4.0
    assert talk.latents.shape == (50, 4, 8, 8) and talk.tokens.shape == (50, 32, 32)
    assert talk.unheard.shape == (1, 32, 32)
    found = watch(clip, workshop.plan)
    (piece,) = found.pieces
    left, top, right, bottom = piece.square
    assert right - left == bottom - top
    frame = torch.stack(list(clip.frames()))[2 * 31, :, top:bottom, left:right]
    image = torch.nn.functional.interpolate(frame[None], (64, 64), mode="bilinear", antialias=True)[0]
    near = reference_latents(workshop.networks.vae, image)
    others = [(talk.latents[number].float() - near).abs().mean() for number in range(50)]
    assert int(torch.stack(others).argmin()) in range(30, 33)
    for box, points in zip(talk.boxes, talk.points, strict=True):
        assert box.tolist() == pytest.approx(face_box(points.numpy()), abs=1e-3)
        assert box.min() >= 0 and box.max() <= 64


def test_what_is_heard_is_what_is_heard_when_it_is_animated(prepared, video, workshop):
    """Of a piece that begins with the video, the audio tokens are those of the sound, brought in step."""
    from sonic_core.models.base.conditions import encode_audio

    talk, clip = read_talk(prepared.paths[0]), sonic.open_clip(video)
    told = json.loads(next(prepared.paths[0].parent.glob("*.json")).read_text())
    sound = shift(clip.audio, -told["offset"]) if told["sure"] else clip.audio
    sound = replace(sound, samples=sound.samples[:, : round(4.0 * sound.rate)], mapped=None)
    heard = encode_audio(workshop.networks, workshop.keeper, sound, talk.embeddings[0], published=False,
                         progress=lambda *_: None)  # fmt: skip
    assert torch.allclose(heard.tokens[:50].float(), talk.tokens.float(), atol=2e-3)
    assert torch.allclose(heard.buckets[:50], talk.predicted, atol=1e-3)


def test_a_sound_that_is_late_is_brought_in_step(talking, workshop):
    late = replace(talking, audio=shift(talking.audio, 0.2))
    found = watch(late, workshop.plan)
    assert found.sure
    assert found.offset == pytest.approx(0.2, abs=0.03)
    moved, whole = found.clip.audio.samples, talking.audio.samples
    at = round(0.03 * talking.audio.rate)
    alike = {by: float((moved[0, 50000:60000] * whole[0, 50000 + by : 60000 + by]).sum()) for by in range(-at, at + 1)}
    assert abs(max(alike, key=alike.__getitem__)) < at, "there is a peak"


def test_what_is_dropped_is_counted_with_its_reason(talking, workshop):
    still = next(iter(talking.frames()))
    gray = torch.full_like(still, 0.5)
    plan, short = workshop.plan, talking.cut(0, 60)

    def dropped(clip, **other):
        found = watch(clip, replace(plan, **other))
        assert found.pieces == []
        return {reason for reason, seconds in found.dropped.items() if seconds > 1}

    assert dropped(replace(short, audio=None)) == {"no sound"}
    assert dropped(replace(short, fps=Fraction(10))) == {"fewer than 12.5 frames a second"}
    assert dropped(replace(short, read=lambda: (gray[None] for _ in range(60)))) == {"no face"}
    assert dropped(replace(short, read=lambda: (still[None] for _ in range(60)))) == {"the mouth hardly moves"}
    assert dropped(short, size=1024) == {"the face is too small for 1024 pixels"}
    quiet = replace(short.audio, samples=short.audio.samples * 1e-6, mapped=None)
    assert dropped(replace(short, audio=quiet)) == {"silence"}
    assert dropped(short, least_seconds=10.0) == {"no face, or too short between two cuts"}


def test_a_cut_in_a_video_parts_it(talking, workshop):
    """After 60 frames, which are 30 of the model's, the picture stands half as large in a corner."""

    def read():
        for number, frame in enumerate(talking.cut(0, 120).frames()):
            small = torch.nn.functional.interpolate(frame[None], scale_factor=0.5, mode="area")
            yield frame[None] if number < 60 else torch.nn.functional.pad(small, (192, 0, 192, 0), value=0.4)

    found = watch(replace(talking.cut(0, 120), read=read), workshop.plan)
    assert [(piece.first, piece.length) for piece in found.pieces] == [(0, 30), (60, 30)]
    first, second = (piece.square for piece in found.pieces)
    assert second[2] - second[0] == pytest.approx((first[2] - first[0]) / 2, rel=0.1)
    assert min(second) >= 192


def test_a_cut_parts_two_pieces():
    plan = TuningPlan(window=4, least_seconds=0.4, most_seconds=1.0)
    face = np.zeros((468, 2), np.float32)
    points = [face] * 10 + [None] * 2 + [face] * 3 + [face] * 20
    assert list(_runs(points, {15}, plan)) == [(0, 10), (15, 25), (25, 35)]
    assert list(_runs(points, set(), plan)) == [(0, 10), (12, 23), (23, 35)]
    assert list(_runs([face] * 4, set(), plan)) == []


def test_frames_are_chosen_and_never_mixed():
    frames = torch.arange(30.0)[:, None, None, None].expand(-1, 3, 2, 2) / 30
    clip = Clip(lambda: iter(frames.split(7)), Fraction(30), 30, (2, 2), None)
    shown = torch.cat(list(at_rate(clip, Fraction(25)).read()))[:, 0, 0, 0] * 30
    wanted = [round(number * 30 / 25 + 1e-9) for number in range(25)]
    assert shown.round().int().tolist() == wanted
    slow = at_rate(replace(clip, fps=Fraction(15)), Fraction(25))
    assert slow.length == 50
    assert torch.cat(list(slow.read())).shape[0] == 50


def test_prepared_videos_are_not_prepared_again(prepared, video, workshop, tmp_path):
    folder = prepared.paths[0].parent

    def never(stage, done, total):
        raise AssertionError(stage)

    again = prepare([video], folder, workshop, progress=never)
    assert (again.paths, again.seconds) == (prepared.paths, prepared.seconds)
    other = replace(workshop, plan=replace(workshop.plan, expand_ratio=0.1))
    with pytest.raises(AssertionError, match="watch"):
        prepare([video], folder, other, progress=never)


def test_whoever_is_stopped_goes_on_with_the_same_video(video, workshop, tmp_path):
    class EnoughError(Exception):
        pass

    def stop(stage, done, total):
        if stage == "encode" and done > 10:
            raise EnoughError

    with pytest.raises(EnoughError):
        prepare([video], tmp_path, workshop, progress=stop)
    assert not list(tmp_path.iterdir()), "half a piece is no piece"
    assert prepare([video], tmp_path, workshop).seconds == 4.0


def test_what_cannot_be_read_is_told_and_the_rest_is_used(video, workshop, tmp_path):
    (tmp_path / "videos").mkdir()
    broken, good = tmp_path / "videos" / "a.mp4", tmp_path / "videos" / "b.MP4"
    broken.write_bytes(b"nothing")
    good.write_bytes(video.read_bytes())
    (tmp_path / "videos" / "notes.txt").touch()
    found = find_videos([tmp_path / "videos"])
    assert found == [broken, good]
    made = prepare(found, tmp_path / "data", workshop)
    assert len(made.paths) == 1
    assert list(made.unread) == [str(broken)]
    with pytest.raises(InputError, match=r"Nothing of 1 videos can be learned from: Expected a video"):
        prepare([broken], tmp_path / "data", workshop)
    with pytest.raises(MediaError, match="found none"):
        find_videos([tmp_path / "data"])


def test_the_same_step_draws_the_same_and_another_draws_another(prepared, plan):
    examples, _ = examples_of(prepared, plan)
    one, same, other = examples.draw(3, 1), examples.draw(3, 1), examples.draw(4, 1)
    assert one.sigma == same.sigma != other.sigma
    assert torch.equal(one.noise, same.noise) and torch.equal(one.clean, same.clean)
    assert not torch.equal(one.noise, other.noise)


def test_drawn_examples_are_windows_with_shares_as_planned(prepared, plan):
    examples, judging = examples_of(prepared, replace(plan, drop_sound=0.3, drop_all=0.2))
    talk = read_talk(prepared.paths[0])
    drawn = [examples.draw(step, 0) for step in range(300)]
    sounds = [len(one.tokens) for one in drawn]
    assert sum(one.image is None for one in drawn) / 300 == pytest.approx(0.2, abs=0.08)
    assert sounds.count(1) / 300 == pytest.approx(0.5, abs=0.1)
    assert all(one.embedding is None and len(one.tokens) == 1 for one in drawn if one.image is None)
    levels = torch.tensor([one.sigma for one in drawn]).log()
    assert float(levels.mean()) == pytest.approx(plan.mean, abs=0.25)
    assert float(levels.std()) == pytest.approx(plan.deviation, abs=0.2)
    clean = talk.latents.float() * LATENT_SCALE
    starts = {next(n for n in range(50) if torch.equal(clean[n : n + 4], one.clean)) for one in drawn}
    (span,) = judging
    assert max(starts) + 4 <= span.first, "what judges is not learned from"
    assert len(starts) > 0.8 * (span.first - 4)
    heard = next(one for one in drawn if len(one.tokens) > 1)
    first = next(n for n in range(50) if torch.equal(clean[n : n + 4], heard.clean))
    assert torch.equal(heard.tokens, talk.tokens[first : first + 4]), "picture and sound of the same moment"


def test_movement_is_told_in_the_models_units(prepared, plan):
    examples, _ = examples_of(prepared, plan)
    talk = read_talk(prepared.paths[0])
    usual = [examples.movement.buckets(talk, first, 4) for first in range(0, 32, 4)]
    guessed = talk.predicted[:32].mean(0)
    assert torch.tensor(usual).mean(0).tolist() == pytest.approx(guessed.tolist(), rel=0.05)
    still = replace(talk, boxes=talk.boxes[:1].expand(50, -1), points=talk.points[:1].expand(50, -1, -1))
    assert examples.movement.buckets(still, 0, 4) == (0.0, 0.0)
    moving = measure_movement(talk, 0, 40)
    double = replace(talk, boxes=talk.boxes * 2, points=talk.points * 2)
    assert measure_movement(double, 0, 40) == pytest.approx(moving, rel=1e-4), "a larger picture moves no more"


def test_the_face_counts_more():
    weight = face_weight((64, 64), (16, 16, 48, 48), 3.0)
    assert float(weight.mean()) == pytest.approx(1.0)
    inside = face_mask((64, 64), (16, 16, 48, 48))[0, ::8, ::8].bool()
    assert float(weight[inside].max() / weight[0, 0]) == pytest.approx(3.0)
    assert torch.equal(face_weight((64, 64), (16, 16, 48, 48), 1.0), torch.ones(8, 8))


def test_whole_pieces_judge_where_there_are_enough(prepared, plan):
    paths = [prepared.paths[0]] * 20
    learned, judging = split([path.with_name(f"{n}").parent / path.name for n, path in enumerate(paths)][:1], plan)
    assert (learned[0].end, judging[0].first) == (judging[0].first, learned[0].end)
    with pytest.raises(InputError, match="so that some of it can judge the rest"):
        split(prepared.paths, replace(plan, window=40))


def test_a_mouth_that_speaks_moves(prepared):
    talk = read_talk(prepared.paths[0])
    assert 0.015 < lip_movement(talk.points.numpy()) < 0.1


def test_a_plan_is_read_from_a_file_and_flags_overrule_it(tmp_path):
    (tmp_path / "a.toml").write_text('rank = 8\nlayers = "audio"\nrate = 1\n')
    (tmp_path / "a.json").write_text('{"rank": 8, "layers": "audio", "rate": 1.0}')
    for name in ("a.toml", "a.json"):
        assert read_plan(tmp_path / name, {"steps": 7}) == TuningPlan(rank=8, layers="audio", rate=1.0, steps=7)
    assert read_plan(None, {}) == TuningPlan()
    bad = {
        "ranks = 8": "has ranks; there are size,",
        'rank = "8"': "rank must be of the kind of 16, got '8'",
        "rank = 0": "rank must be between 1 and 1024, got 0",
        "rank =": "should hold a plan as TOML",
        "checkpointing = 1": "checkpointing must be of the kind of True",
        'layers = "some"': "layers must be one of audio, audio\\+temporal, all",
        "size = 100": "size must be a multiple of 64",
        "drop_sound = 0.6\ndrop_all = 0.4": "must leave something",
    }
    for text, said in bad.items():
        (tmp_path / "bad.toml").write_text(text)
        with pytest.raises(SettingsError, match=said):
            read_plan(tmp_path / "bad.toml", {})
    with pytest.raises(MediaError, match="cannot be read"):
        read_plan(tmp_path / "none.toml", {})
