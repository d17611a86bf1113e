"""The main job: one description, one function, and whatever goes wrong leaves nothing behind."""

from __future__ import annotations

import io
import wave
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

import sonic_core as sonic
from sonic_core import Clip, Job, Settings, run
from sonic_core.media.audio import read_audio
from sonic_core.post.stage import Told

ASSETS = Path(__file__).resolve().parents[2] / "assets"
SETTINGS = Settings(min_resolution=384, duration=0.4)
JOB = Job(ASSETS / "portrait.png", ASSETS / "speech.wav", SETTINGS, "sonic-preview")


def frames_of(clip):
    return torch.cat(list(clip.read()))


class EnoughError(Exception):
    pass


def stop_at(wanted, done_at=0):
    def progress(stage, done, total):
        if stage == wanted and done >= done_at:
            raise EnoughError

    return progress


def test_a_job_makes_what_generate_makes(tmp_path):
    stages = []
    made = run(replace(JOB, output=tmp_path / "out.mp4"), lambda stage, *_: stages.append(stage))
    assert made.output == tmp_path / "out.mp4" and made.output.is_file()
    assert (made.model, made.clip.length, made.seconds) == ("sonic-preview", 10, 0.4)
    assert list(dict.fromkeys(stages)) == ["portrait", "encode"]
    model = sonic.load_model("sonic-preview")
    clip = model.generate(JOB.audio, JOB.image, settings=SETTINGS)
    assert torch.equal(frames_of(clip), frames_of(made.clip))
    assert torch.equal(clip.audio.samples, made.clip.audio.samples)


def test_a_loaded_model_a_picture_and_a_sound_do_as_well_as_names():
    named = run(JOB)
    given = replace(
        JOB,
        model=sonic.load_model("sonic-preview"),
        image=sonic.read_image(ASSETS / "portrait.png"),
        audio=read_audio(ASSETS / "speech.wav"),
    )
    assert named.output is None
    assert torch.equal(frames_of(run(given).clip), frames_of(named.clip))


def test_a_job_can_be_written_in_every_way(tmp_path):
    shown = io.BytesIO()
    run(replace(JOB, output=shown))
    with av.open(io.BytesIO(shown.getvalue())) as container:
        assert sum(1 for _ in container.decode(video=0)) == 10
    run(replace(JOB, output=tmp_path / "out.webm", pingpong=True, sound="trimmed"))
    assert [path.name for path in tmp_path.iterdir()] == ["out.webm"]
    assert sonic.open_clip(tmp_path / "out.webm").length == 18
    run(replace(JOB, output=tmp_path / "folder", format="png16"))
    assert len(list((tmp_path / "folder").glob("*.png"))) == 10


def piped(seconds=0.5):
    """A hum, byte by byte."""
    samples = (np.sin(np.arange(round(16000 * seconds)) * 0.05) * 9000).astype("<i2")
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    stream.seek(0)
    return stream


def test_a_sound_that_comes_byte_by_byte_is_read_to_its_end_for_a_file(tmp_path):
    settings = Settings(min_resolution=384, face=(100, 100, 400, 400))
    with pytest.warns(sonic.SonicWarning):  # nobody speaks in a hum
        made = run(replace(JOB, audio=piped(), settings=settings, output=tmp_path / "out.mp4"))
    assert made.seconds == pytest.approx(0.52, abs=0.021)


def test_a_sound_that_comes_byte_by_byte_is_answered_while_it_comes_into_a_stream():
    settings = Settings(min_resolution=384, face=(100, 100, 400, 400))
    shown, heard = io.BytesIO(), []
    made = run(replace(JOB, audio=piped(0.7), settings=settings, output=shown), lambda *report: heard.append(report))
    assert made.seconds == pytest.approx(0.7, abs=0.001)
    with av.open(io.BytesIO(shown.getvalue())) as container:
        assert sum(1 for _ in container.decode(video=0)) == 18
    with av.open(io.BytesIO(shown.getvalue())) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) == pytest.approx(0.72 * 16000, abs=2 * 1024)
    assert ("encode", 18, 0) in heard, "nobody knows how long it will be"


class Darker:
    """A stage of one's own."""

    def apply(self, clip, progress=None):
        dark = Clip(lambda: (c / 2 for c in clip.read()), clip.fps, clip.length, clip.size, clip.audio, clip.placement)
        return sonic.Staged(dark, Told("darker."))


def test_stages_of_a_job_follow_the_model_and_come_before_the_picture():
    settings = Settings(min_resolution=384, duration=0.4, paste_back=True)
    plain = run(replace(JOB, settings=settings))
    dark = run(replace(JOB, settings=settings, stages=[Darker(), sonic.Retime(Fraction(50))]))
    assert dark.report.reason.startswith("darker. frame rate: 25 → 50")
    assert (dark.clip.length, dark.clip.size) == (20, plain.clip.size)
    picture = sonic.read_image(ASSETS / "portrait.png")
    assert torch.equal(frames_of(dark.clip)[0][:, :4, :4], picture[:, :4, :4]), "the picture around is no darker"
    assert float(frames_of(dark.clip)[0].mean()) < 0.9 * float(frames_of(plain.clip)[0].mean())


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"output": "out.avi"}, sonic.MediaError, "ends in"),
        ({"output": "out.mp4", "format": "betamax"}, sonic.SettingsError, "format must be one of"),
        ({"output": "out.mp4", "crf": 99}, sonic.SettingsError, "crf"),
        ({"output": io.BytesIO(), "format": "webp"}, sonic.SettingsError, "got webp"),
        ({"model": "sonic-huge"}, sonic.SettingsError, "sonic-huge"),
        ({"audio": "nothing.wav"}, sonic.MediaError, "nothing.wav"),
        ({"image": torch.full((3, 200, 200), 0.5)}, sonic.FaceNotFoundError, "face"),
        ({"settings": Settings(duration=500.0)}, sonic.InputError, "500"),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing(tmp_path, monkeypatch, change, kind, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind, match=words):
        run(replace(JOB, **{"output": "out.mp4", **change}))
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_cannot_be_written_is_refused_before_anything_is_read(tmp_path):
    nothing = Job("no picture", "no sound", model="no model")
    for change, kind, words in [
        ({"output": tmp_path / "no" / "out.mp4"}, sonic.MediaError, "folder"),
        ({"output": tmp_path / "out.mp4", "sound": "half"}, sonic.SettingsError, "sound must be one of whole, trimmed"),
        ({"output": io.BytesIO(), "sound": "half"}, sonic.SettingsError, "sound must be one of whole, trimmed"),
        ({"output": io.BytesIO(), "crf": 60}, sonic.SettingsError, r"crf must be from 0 \(best\) to 51"),
    ]:
        with pytest.raises(kind, match=words):
            run(replace(nothing, **change))


@pytest.mark.parametrize(("stage", "done"), [("portrait", 0), ("portrait", 1), ("encode", 3)])
def test_cancelling_leaves_nothing(tmp_path, stage, done):
    with pytest.raises(EnoughError):
        run(replace(JOB, output=tmp_path / "out.mp4"), stop_at(stage, done))
    assert list(tmp_path.iterdir()) == []


def test_conditions_say_whom_and_what_and_nothing_else():
    model = sonic.load_model("sonic-preview")
    portrait = sonic.prepare_portrait(sonic.read_image(ASSETS / "portrait.png"), SETTINGS)
    sound = sonic.trim_audio(read_audio(ASSETS / "speech.wav"), SETTINGS)
    conditions = model.model.prepare(portrait, sound, SETTINGS)
    assert conditions.portrait is portrait and conditions.audio is sound
    made = model.animate(conditions, SETTINGS, stages=())
    assert torch.equal(frames_of(made.clip), frames_of(run(JOB).clip))


class Greedy:
    """A stage that asks for more memory than there is."""

    def __init__(self, take):
        self.take = take

    def apply(self, clip, progress=None):
        def read():
            self.take()
            yield from clip.read()

        return sonic.Staged(replace(clip, read=read), Told("greedy."))


@pytest.mark.parametrize(
    "take",
    [lambda: np.zeros(1 << 45), lambda: torch.zeros(1 << 45), lambda: bytearray(1 << 60)],
    ids=["numpy", "torch", "python"],
)
def test_too_little_memory_is_one_sentence(tmp_path, take):
    with pytest.raises(sonic.OutOfMemoryError, match="not enough memory") as said:
        run(replace(JOB, stages=[Greedy(take)], output=tmp_path / "out.mp4"))
    assert "\n" not in str(said.value) and isinstance(said.value, MemoryError)
    assert list(tmp_path.iterdir()) == []


def test_only_the_wanted_part_of_a_sound_is_read(tmp_path):
    """What comes later would be refused."""
    samples = np.concatenate([read_audio(JOB.audio).samples.numpy()[0, :48000], np.full(200_000, np.nan, np.float32)])
    path = tmp_path / "long.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_f32le", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert run(replace(JOB, audio=path)).clip.audio.samples.shape == (1, 6400)
    with pytest.raises(sonic.InputError, match="not numbers"):
        run(replace(JOB, audio=path, settings=Settings(min_resolution=384)))


@pytest.mark.parametrize("name", ["out.mp4/", "out.mp4/."])
def test_a_name_that_means_a_folder_is_no_file(tmp_path, name):
    with pytest.raises(sonic.MediaError, match="got the folder"):
        run(replace(JOB, output=f"{tmp_path}/{name}"))
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_the_format_cannot_hold_is_refused_before_it_is_animated(tmp_path):
    tall = torch.zeros(3, 8800, 1100)
    tall[:, :768, :768] = sonic.read_image(JOB.image)[:, :768, :768]
    settings = Settings(min_resolution=384, duration=0.4, paste_back=True, face=(250, 150, 520, 500))

    def progress(stage, *_):
        assert stage == "portrait"

    with pytest.raises(sonic.MediaError, match="MP4 AV1 takes pictures from"):
        run(Job(tall, JOB.audio, settings, "sonic-preview", output=tmp_path / "o.mp4", format="mp4-av1"), progress)
