"""Pictures and sounds as people have them: what is plain is taken, to the same pixels and samples, the rest refused."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sonic_core as sonic
from sonic_core import Audio, InputError, Job, Settings, SonicError, run
from sonic_core.media.colour import BACKDROP
from sonic_core.media.given import as_picture, as_sound
from sonic_core.media.image import read_image

ASSETS = Path(__file__).resolve().parents[3] / "assets"
PORTRAIT = ASSETS / "portrait.png"
RGB = np.asarray(Image.open(PORTRAIT).convert("RGB").resize((96, 80)))
"""(h, w, 3) uint8."""
MEANT = torch.from_numpy(RGB.astype(np.float32) / 255).permute(2, 0, 1)
OPAQUE = np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)])


@pytest.mark.parametrize(
    "given",
    [
        RGB,
        RGB[None],
        np.ascontiguousarray(RGB.transpose(2, 0, 1)),
        RGB.astype(np.float32),
        RGB.astype(np.float64) / 255,
        RGB.astype(np.int64),
        RGB.astype(">i2"),
        RGB.astype(np.uint16) * 257,
        RGB[:, ::-1][:, ::-1],
        OPAQUE,
        OPAQUE.astype(np.float32),
        torch.from_numpy(RGB.copy()),
        torch.from_numpy(RGB.copy())[None],
        torch.from_numpy(RGB.copy()).permute(2, 0, 1),
        torch.from_numpy(OPAQUE),
        MEANT,
        MEANT[None],
        MEANT.permute(1, 2, 0),
        MEANT.double().requires_grad_(),
        MEANT * 255,
        MEANT * 1.0001 - 0.00001,
        Image.fromarray(RGB),
        Image.fromarray(OPAQUE),
        Image.fromarray(RGB).convert("RGBa"),
    ],
    ids=lambda given: f"{type(given).__name__} {getattr(given, 'dtype', '')} {tuple(getattr(given, 'shape', ()))}",
)
def test_every_plain_form_is_the_same_picture(given):
    taken = as_picture(given)
    assert taken.dtype is torch.float32 and taken.is_contiguous() and not taken.requires_grad
    assert taken.shape == MEANT.shape and float((taken - MEANT).abs().max()) < 2e-4
    assert float(taken.min()) >= 0 and float(taken.max()) <= 1


def test_a_tidy_picture_is_not_copied():
    tidy = MEANT.contiguous()
    assert as_picture(tidy).data_ptr() == tidy.data_ptr()


def test_grey_deep_and_transparent_pictures():
    grey = RGB[..., 0]
    meant = torch.from_numpy(grey.astype(np.float32) / 255).expand(3, -1, -1)
    for given in (grey, grey[..., None], grey[None], Image.fromarray(grey), Image.fromarray(grey.astype(np.float32))):
        assert float((as_picture(given) - meant).abs().max()) < 1e-6
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    assert float((as_picture(deep) - meant).abs().max()) < 1e-4, "16 bits are no white picture"
    for form in (np.asarray, torch.as_tensor, Image.fromarray):
        clear = np.dstack([RGB, np.zeros(RGB.shape[:2], np.uint8)])
        assert float((as_picture(form(clear)) - BACKDROP).abs().max()) < 1e-6


def test_files_bytes_and_streams():
    meant = read_image(PORTRAIT)
    for given in (
        PORTRAIT,
        str(PORTRAIT),
        PORTRAIT.read_bytes(),
        io.BytesIO(PORTRAIT.read_bytes()),
        Image.open(PORTRAIT),
    ):
        assert float((as_picture(given) - meant).abs().max()) < 3e-3
    turned = Image.open(PORTRAIT).convert("RGB").rotate(90, expand=True)
    turned.getexif()[0x0112] = 6
    assert float((as_picture(turned) - meant).abs().max()) < 3e-3


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "got NoneType"),
        (5, "got int"),
        ([1, 2], "got list"),
        ({"image": RGB}, "got dict"),
        (np.array(["a"]), "got ndarray"),
        (np.zeros((2, 80, 96, 3)), "got 2 in a batch"),
        (torch.zeros(2, 3, 80, 96), "got 2 in a batch"),
        (torch.zeros(5, 80, 96), r"\(5, 80, 96\)"),
        (torch.zeros(3), r"\(3,\)"),
        (torch.zeros(1, 1, 3, 80, 96), r"\(1, 1, 3, 80, 96\)"),
        (torch.zeros(3, 0, 96), "without a pixel"),
        (np.zeros((0, 96, 3)), "without a pixel"),
        (MEANT * 2 - 1, "from 0 to 1, or from 0 to 255, got -"),
        (MEANT * 1e6, "got 0 to 980392"),
        (MEANT * float("nan"), "not numbers"),
        (MEANT / 0, "not numbers"),
        (MEANT > 0.5, "bool"),
        (MEANT.to(torch.complex64), "complex"),
        (Image.new("RGB", (0, 5)), "0×5"),
    ],
)  # fmt: skip
def test_pictures_of_which_there_is_doubt_are_one_sentence(given, words):
    with pytest.raises(InputError, match=words) as said:
        as_picture(given)
    assert "\n" not in str(said.value)
    with pytest.raises(SonicError):
        run(Job(given, ASSETS / "speech.wav", Settings(min_resolution=384), "sonic-preview"))


WAVE = torch.sin(torch.arange(16000) / 20)
STEREO = torch.stack([WAVE, WAVE / 2])


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (STEREO, STEREO),
        (WAVE, WAVE[None]),
        (STEREO[None], STEREO),
        (STEREO.T, STEREO),
        (STEREO.numpy(), STEREO),
        (STEREO.numpy().T, STEREO),
        (STEREO.double(), STEREO),
        (STEREO.numpy().astype(">f4"), None),
        ((STEREO * 32767).round().to(torch.int16), STEREO),
        ((STEREO.double() * (2**31 - 1)).round().to(torch.int32), STEREO),
        ((STEREO * 127 + 128).round().to(torch.uint8), STEREO),
    ],
)
def test_every_plain_form_is_the_same_sound(given, meant):
    if meant is None:  # torch has no numbers in that order
        with pytest.raises(InputError, match="as numbers"):
            Audio(given, 16000)
        return
    for sound in (Audio(given, 16000), Audio(given, np.int64(16000)), Audio(given, 16000.0)):
        assert sound.samples.dtype is torch.float32 and sound.samples.shape == meant.shape
        assert float((sound.samples - meant).abs().max()) < 0.02
        assert sound.rate == 16000 and type(sound.rate) is int
        assert as_sound(sound) is sound
    host = as_sound({"waveform": torch.as_tensor(given), "sample_rate": 16000})
    assert float((host.samples - meant).abs().max()) < 0.02


def test_a_tidy_sound_keeps_its_samples():
    assert Audio(STEREO, 16000).samples is STEREO


@pytest.mark.parametrize("rate", [0, -1, 16000.5, float("nan"), float("inf"), None, "16000"])
def test_a_rate_that_is_none_is_one_sentence(rate):
    with pytest.raises(InputError, match="a whole number above 0"):
        Audio(STEREO, rate)


@pytest.mark.parametrize(
    "samples",
    [None, 5, [0.0] * 9000, torch.zeros(()), STEREO.expand(2, -1, -1), STEREO > 0, STEREO.to(torch.complex64)],
)
def test_samples_that_are_none_are_one_sentence(samples):
    with pytest.raises(InputError, match="samples of"):
        Audio(samples, 16000)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Audio(torch.zeros(0, 16000), 16000), "without a channel"),
        (Audio(torch.zeros(1, 0), 16000), "at least 0.1 s"),
        (Audio(STEREO * float("nan"), 16000), "not numbers"),
        (Audio(STEREO / 0, 16000), "not numbers"),
        (Audio(STEREO * 32767, 16000), "samples up to 32767"),
        (STEREO, r"Audio\(samples, rate\)"),
        (STEREO.numpy(), r"Audio\(samples, rate\)"),
        (None, "got NoneType"),
        (5, "got int"),
        ({"waveform": STEREO}, "got dict"),
    ],
)
def test_sounds_of_which_there_is_doubt_are_one_sentence(given, words):
    with pytest.raises(InputError, match=words) as said:
        run(Job(PORTRAIT, given, Settings(min_resolution=384), "sonic-preview"))
    assert "\n" not in str(said.value)


@pytest.mark.parametrize("name", [None, 5, b"x.wav", RGB])
def test_a_name_that_is_none_is_one_sentence(name):
    job = Job(PORTRAIT, ASSETS / "speech.wav", Settings(min_resolution=384, duration=0.2), "sonic-preview")
    for ask in (sonic.read_audio, sonic.read_image, sonic.open_clip, run(job).clip.export):
        with pytest.raises(SonicError, match="as the name of a file"):
            ask(name)
    if isinstance(name, int):
        with pytest.raises(SonicError):
            run(replace(job, audio=name))


def test_the_model_takes_them_all():
    model = sonic.load_model("sonic-preview")
    settings = Settings(min_resolution=384, duration=0.2)
    plain = model.generate(ASSETS / "speech.wav", PORTRAIT, settings=settings)
    sound = sonic.read_audio(ASSETS / "speech.wav")
    given = model.generate(
        {"waveform": sound.samples[None], "sample_rate": sound.rate},
        np.asarray(Image.open(PORTRAIT).convert("RGB")),
        settings=settings,
    )
    first, second = (torch.cat(list(clip.read())) for clip in (plain, given))
    assert torch.equal(first, second)
    assert sonic.prepare_portrait(Image.open(PORTRAIT), settings).image.shape[0] == 3
