"""The person of a video says another sound, and all but the lower face stays as it was, to the bit."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import av
import numpy as np
import pytest
import torch

import sonic_core as sonic
from sonic_core import Audio, Job, Settings, open_clip, run
from sonic_core.faces.geometry import eye_distance
from sonic_core.faces.person_track import PeopleTracker, PersonTracker
from sonic_core.media.colour import yuv420
from sonic_core.media.pixels import as_bytes
from sonic_core.models.preview.dub.lengths import lengthen, numbers
from sonic_core.models.preview.posing import poses
from sonic_core.speech import Speech

from .conftest import HIGH, LEFT, RATE, TOP, WIDE, clip_of


@pytest.fixture(scope="module")
def dubbed(model, frames, sound):
    made = run(Job(None, sound, model=model, video=clip_of(frames)))
    return made, list(made.clip.frames())


def gaps(frames):
    tracker, found = PersonTracker(), []
    for frame in frames:
        points = tracker.follow(frame).points
        found.append(np.linalg.norm(points[13] - points[14]) / eye_distance(points))
    return np.array(found)


def test_every_pixel_but_those_of_the_lower_face_is_the_videos_to_the_bit(dubbed, frames):
    made, shown = dubbed
    tracker, differing = PersonTracker(), 0
    for before, after in zip(frames, shown, strict=True):
        points = tracker.follow(before).points
        differs = (before != after).any(0)
        differing += int(differs.sum())
        rows, columns = np.flatnonzero(differs.any(1)), np.flatnonzero(differs.any(0))
        unit = eye_distance(points)
        assert rows[0] > points[[33, 133, 362, 263], 1].max(), "eyes and brows are the video's"
        assert rows[-1] < points[152, 1] + 2.0 * unit and columns[0] > points[:, 0].min() - 1.0 * unit
        assert columns[-1] < points[:, 0].max() + 1.0 * unit
        assert float(after.min()) >= 0 and float(after.max()) <= 1
    report = made.report.parts[0]
    assert report.changed_share == pytest.approx(differing / (len(frames) * HIGH * WIDE))
    assert 0.05 < report.changed_share < 0.27, "the face fills half of the picture"
    assert (report.frames, report.frames_without_face, report.frames_left, report.scenes) == (60, 0, 0, 1)


def test_the_mouth_says_the_new_sound_and_not_the_old_one(dubbed, frames, sound):
    _, shown = dubbed
    asked = [pose.gap for pose in poses(Speech.of(sound), Settings(motion_scale=0.0), 60, RATE, seed=0)]
    new, old = gaps(shown), gaps(frames)
    assert np.corrcoef(asked, old)[0, 1] < 0.5, "else this would show nothing"
    assert np.corrcoef(new, asked)[0, 1] > 0.85
    assert abs(np.corrcoef(new - new.mean(), old)[0, 1] - np.corrcoef(asked, old)[0, 1]) < 0.2


def test_reading_twice_gives_the_same_frames_at_the_videos_rate(dubbed, frames):
    made, shown = dubbed
    assert all(torch.equal(one, other) for one, other in zip(made.clip.frames(), shown, strict=True))
    assert (made.clip.fps, made.clip.size, made.clip.length) == (RATE, (HIGH, WIDE), len(frames))


def planes_of(path):
    """A file's frames as they are stored: luma above chroma, (frames, h · 3/2, w)."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray() for frame in container.decode(video=0)])


def test_a_file_gets_the_videos_own_luma_and_chroma_but_for_the_lower_face(model, frames, sound, tmp_path):
    """Where the encoder loses nothing, what is written has them to the bit; no colour was converted."""
    source = tmp_path / "source.mp4"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "14"})
        stream.height, stream.width, stream.pix_fmt = HIGH, WIDE, "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_range = 1, 1
        for frame in frames[:16]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(as_bytes(frame), "rgb24")))
        container.mux(stream.encode(None))
    made = run(Job(None, sound, Settings(when_longer="cut"), model, video=source, output=tmp_path / "made.mp4", crf=0))
    before, after = planes_of(source), planes_of(tmp_path / "made.mp4")
    differs, luma = before != after, np.s_[:, :HIGH]
    painted = changed(list(open_clip(source).frames()), list(made.clip.frames())).numpy()
    assert not (differs[luma] & ~painted).any(), "what was not painted keeps its luma"
    assert painted.mean() == pytest.approx(made.report.parts[0].changed_share)
    assert differs[luma].sum() > 0.5 * painted.sum(), "the rest is hardly bent"
    blocks = painted.reshape(len(before), HIGH // 2, 2, WIDE // 2, 2).any((2, 4))
    blocks[..., 1:] |= blocks[..., :-1].copy()  # chroma on the left has something of its neighbour
    for chroma in differs[:, HIGH:].reshape(len(before), 2, HIGH // 2, WIDE // 2).transpose(1, 0, 2, 3):
        assert chroma.any() and not (chroma & ~blocks).any()
    wanted = np.stack([yuv420(frame, left=True) for frame in made.clip.frames()])
    assert np.abs(after[luma][painted].astype(int) - wanted[luma][painted]).max() <= 1


def test_frames_without_the_face_pass_untouched(model, frames, sound):
    grey = torch.full_like(frames[0], 0.5)
    shown = [*frames[:10], *[grey] * 6, *frames[16:26]]
    made = run(Job(None, sound, Settings(when_longer="cut"), model, video=clip_of(shown)))
    after = list(made.clip.frames())
    assert all(torch.equal(after[number], grey) for number in range(10, 16))
    report = made.report.parts[0]
    assert report.frames_without_face == 6 and report.scenes == 3
    assert not torch.equal(after[4], shown[4]) and not torch.equal(after[20], shown[20]), "found again after the cut"


def test_after_a_cut_another_person_is_left_alone(model, frames, sound):
    other = frames[30].flip(0).flip(2)
    assert PersonTracker().follow(other) is not None
    shown = [*frames[:8], *[other] * 8, *frames[16:24]]
    made = run(Job(None, sound, Settings(when_longer="cut"), model, video=clip_of(shown)))
    after = list(made.clip.frames())
    assert all(torch.equal(one, other) for one in after[8:16])
    assert made.report.parts[0].frames_without_face == 8
    assert not torch.equal(after[20], shown[20])


def test_of_two_people_the_one_that_is_asked_for_speaks(model, frames, sound):
    both = [torch.cat((frame[:, :, LEFT : LEFT + 384], frame[:, :, LEFT : LEFT + 384].flip(2)), 2) for frame in frames]
    both = [frame.clone() for frame in both[:12]]
    settings = Settings(when_longer="cut", face_index=1)
    after = list(run(Job(None, sound, settings, model, video=clip_of(both))).clip.frames())
    changed = torch.stack([(one != other).any(0) for one, other in zip(both, after, strict=True)]).any(0)
    assert changed[:, :384].any() != changed[:, 384:].any(), "one of them alone"
    with pytest.raises(sonic.FaceNotFoundError, match="2 were told apart"):
        run(Job(None, sound, Settings(face_index=2), model, video=clip_of(both[:3])))


@pytest.fixture(scope="module")
def pair(frames):
    """Two people side by side: the one of ``frames``, and her mirrored in other colours, a little later."""
    heads = [frame[:, :, LEFT : LEFT + 384] for frame in frames]
    return [torch.cat((one, other.flip(0).flip(2)), 2) for one, other in zip(heads[:16], heads[20:36], strict=True)]


def said(model, video, speakers, **options):
    made = run(Job(None, None, Settings(when_longer="cut"), model, video=clip_of(video), speakers=speakers, **options))
    return made, list(made.clip.frames())


def changed(before, after):
    """Pixels (frames, h, w) that are not those of the video."""
    return torch.stack([(one != other).any(0) for one, other in zip(before, after, strict=True)])


@pytest.mark.slow
def test_each_of_two_people_of_a_video_says_a_sound_of_their_own(model, pair, sound, talking):
    rate, other = sound.rate, Audio(talking.audio.samples[:, : round(2.4 * sound.rate)], sound.rate)
    made, after = said(model, pair, {0: sound, 1: other})
    where = changed(pair, after)
    assert where[:, :, :384].any((1, 2)).all() and where[:, :, 384:].any((1, 2)).all()
    reports = list(made.report.flat())
    assert [one.number for one in reports] == [0, 1]
    assert [one.reason[:15] for one in reports] == ["dubbing face 0:", "dubbing face 1:"]
    assert sum(one.changed_share for one in reports) == pytest.approx(float(where.float().mean()), rel=1e-3)
    assert made.clip.audio.rate == rate and len(made.clip.audio.samples) == 1
    _, alone = said(model, pair, {0: sound, 1: sound})
    both = torch.stack(after) != torch.stack(alone)
    sides = both[..., :384].any(), both[..., 384:].any()
    assert sum(map(bool, sides)) == 1, "what one says moves the other's mouth by no bit"


def test_two_who_are_never_seen_together_are_numbered_as_they_appear(model, pair, sound):
    shown = [*(frame[..., :384] for frame in pair[:6]), *(frame[..., 384:] for frame in pair[:6]), pair[7][..., :384]]
    made, after = said(model, shown, {0: sound, 1: sound})
    assert changed(shown, after).any((1, 2)).all()
    assert [one.frames_without_face for one in made.report.flat()] == [6, 7]
    _, after = said(model, shown, {1: sound})
    assert changed(shown, after).any((1, 2)).tolist() == [False] * 6 + [True] * 6 + [False]


def test_who_turns_strange_within_a_scene_is_nobody_new(pair):
    tracker = PeopleTracker(numbers=(0, 1))
    first, other = pair[0][..., :384], pair[0][..., 384:]
    assert set(tracker.follow(first)) == {0}
    tracker.follow(torch.full_like(first, 0.5))
    assert tracker.follow(other) == {}, "the first one may be this, seen otherwise"
    tracker.forget()
    assert set(tracker.follow(other)) == {1}
    tracker.forget()
    assert {number: bool(one.origin[0] > 192) for number, one in tracker.follow(pair[0]).items()} == {0: False, 1: True}


def test_one_who_is_not_there_or_not_dubbed_is_said(model, pair, sound):
    with pytest.raises(sonic.FaceNotFoundError, match=r"Expected face 2 in the video.*2 were told apart"):
        said(model, pair[:2], {0: sound, 2: sound})
    with pytest.raises(sonic.SettingsError, match="Face 1 is directed, and 0 alone speaks"):
        run(Job(None, sound, Settings(direction="1.dynamic_scale=0.5"), model, video=clip_of(pair[:2])))


def test_voices_of_one_sound_are_shared_out_in_a_video(model, pair, sound):
    settings = Settings(when_longer="cut")
    made = run(Job(None, sound, settings, model, video=clip_of(pair[:6]), speakers={1: "voice:1"}))
    where = changed(pair[:6], list(made.clip.frames()))
    assert where[..., 384:].any() != where[..., :384].any(), "one of them alone"
    seconds = made.clip.audio.samples.shape[1]
    assert torch.equal(made.clip.audio.samples, sound.samples[:, :seconds]), "the sound is the one that was given"
    with pytest.raises(sonic.InputError, match="Face 1: "):
        run(Job(None, sound, settings, model, video=clip_of(pair[:6]), speakers={1: "voice:4"}))


def test_a_video_goes_on_as_asked():
    assert [numbers(4, "hold")(shown) for shown in range(6)] == [0, 1, 2, 3, 3, 3]
    assert [numbers(4, "loop")(shown) for shown in range(6)] == [0, 1, 2, 3, 0, 1]
    assert [numbers(4, "bounce")(shown) for shown in range(9)] == [0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert [numbers(1, "bounce")(shown) for shown in range(3)] == [0, 0, 0]
    grey = [torch.full((3, 32, 48), level / 255) for level in (10, 60, 110, 160)]
    for how in ("hold", "loop", "bounce"):
        longer = list(lengthen(clip_of(grey), 11, how).frames())
        assert len(longer) == 11
        assert all(torch.equal(frame, grey[numbers(4, how)(shown)]) for shown, frame in enumerate(longer)), how
    assert len(list(lengthen(clip_of(grey), 3, "hold").frames())) == 3


@pytest.mark.parametrize(("how", "length"), [("hold", 60), ("loop", 60), ("bounce", 60), ("cut", 8)])
def test_a_sound_longer_than_the_video_is_said_to_its_end(model, frames, sound, how, length):
    few = frames[:8]
    clip = run(Job(None, sound, Settings(when_longer=how), model, video=clip_of(few))).clip
    assert clip.length == length and clip.audio.duration == pytest.approx(length / 25, abs=1e-3)
    number = numbers(8, how)
    for shown, frame in enumerate(clip.frames()):
        assert torch.equal(frame[:, :TOP], few[number(shown)][:, :TOP])
        if shown > 20:
            break


def test_a_video_longer_than_the_sound_stays_whole_and_its_mouth_shuts(model, frames, sound):
    short = Audio(sound.samples[:, : sound.rate], sound.rate)
    clip = run(Job(None, short, model=model, video=clip_of(frames[:45]))).clip
    assert clip.length == 45 and clip.audio.duration == 1.0
    assert gaps(list(clip.frames())[-15:]).max() < 0.085
    assert run(Job(None, short, Settings(when_longer="cut"), model, video=clip_of(frames[:30]))).clip.length == 25
    assert run(Job(None, short, Settings(duration=0.4), model, video=clip_of(frames[:30]))).clip.length == 10


def test_no_more_than_a_few_frames_are_held(model, frames, sound):
    alive: list[weakref.ref] = []
    most = 0

    def read():
        nonlocal most
        for frame in frames[:24]:
            made = frame.clone()[None]
            alive.append(weakref.ref(made))
            most = max(most, sum(one() is not None for one in alive))
            yield made

    video = replace(clip_of(frames[:24]), read=read)
    made = run(Job(None, sound, model=model, video=video))
    gc.collect()
    for _ in made.clip.read():
        pass
    assert most <= 10


def test_who_gives_a_picture_and_a_video_or_neither_is_told(model, frames, sound):
    with pytest.raises(sonic.InputError, match="got both"):
        model.generate(sound, frames[0], video=clip_of(frames))
    with pytest.raises(sonic.InputError, match="got neither"):
        model.generate(sound)


def test_a_video_without_a_face_is_refused_in_one_sentence(model, sound, tmp_path):
    grey = clip_of([torch.full((3, 96, 128), 0.5)] * 4)
    with pytest.raises(sonic.FaceNotFoundError, match="none was found in any frame"):
        run(Job(None, sound, model=model, video=grey, output=tmp_path / "out.mp4"))
    assert list(tmp_path.iterdir()) == []


def test_a_tiny_face_is_left_and_said(model, frames, sound):
    heads = [frame[None, :, TOP : TOP + 384, LEFT : LEFT + 384] for frame in frames[:6]]
    small = [torch.nn.functional.interpolate(head, size=(40, 40), mode="area")[0] for head in heads]
    small = [torch.nn.functional.pad(frame, (30, 30, 20, 20), value=0.4) for frame in small]
    with pytest.raises(sonic.InputError, match="too small"):
        run(Job(None, sound, model=model, video=clip_of(small)))


def test_cancelling_leaves_nothing(model, frames, sound, tmp_path):
    def stop(stage, done, total):
        if stage == "track" and done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Job(None, sound, model=model, video=clip_of(frames), output=tmp_path / "out.mp4"), stop)
    assert list(tmp_path.iterdir()) == []


def test_the_diffusion_model_says_that_it_does_not_dub(tiny_set, frames, sound):
    with pytest.warns(sonic.SonicWarning, match="processor"):
        base = sonic.load_model("sonic-base", weights=tiny_set, device="cpu")
    with pytest.raises(sonic.SettingsError, match="sonic-base animates pictures; expected sonic-preview"):
        base.generate(sound, video=clip_of(frames))
