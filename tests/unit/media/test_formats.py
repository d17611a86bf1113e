"""Every format that is offered: what was written comes back, in its colours, times and sound; nothing stays behind."""

import json
import re
import warnings
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from sonic_core.clip import Clip
from sonic_core.errors import MediaError, SettingsError, SonicWarning
from sonic_core.media import formats
from sonic_core.media.audio import read_audio
from sonic_core.media.formats import FORMATS, available_formats, find_format, format_of
from sonic_core.media.video import probe_video, read_video, write_video
from sonic_core.types import Audio

OFFERED = available_formats()
SILENT = {"webp", "gif"}
PLAYED = [name for name in OFFERED if FORMATS[name].movie]
TEXTS = {"prompt": '{"1": {"class_type": "X"}}', "workflow": '{"nodes": [], "größe": "大"}'}
CODECS = {"mp4-h264": "h264", "mp4-h265": "hevc", "mp4-av1": "av1", "webm-vp9": "vp9", "mov-prores": "prores"}
SIZE = (96, 128)


def smooth(length=6, size=SIZE, seed=3):
    """Soft patches of colour that drift slowly, as skin and backgrounds do."""
    height, width = size
    grid = torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(seed)) * 0.9 + 0.05
    large = torch.nn.functional.interpolate(grid, (height + length, width), mode="bicubic", align_corners=True)
    return torch.cat([large[:, :, index : index + height] for index in range(length)]).clamp(0, 1)


def tone(seconds, rate=48000, channels=1):
    time = torch.arange(round(seconds * rate)) / rate
    return Audio((0.5 * torch.sin(2 * torch.pi * 220 * time)).expand(channels, -1).contiguous(), rate)


def clip_of(frames, audio=None, fps=Fraction(25), chunk=4):
    def read():
        yield from frames.split(chunk)

    return Clip(read, fps, len(frames), tuple(frames.shape[2:]), audio)


def write(folder, name, frames=None, sound=None, **options):
    """Export to a file called x; of a format without sound no sound is written."""
    frames = smooth() if frames is None else frames
    clip = clip_of(frames, None if name in SILENT else sound, options.pop("fps", Fraction(25)), options.pop("chunk", 4))
    return clip.export(folder / f"x{FORMATS[name].suffix}", format=name, **options)


def pictures(path, name):
    """Decode what was written, whatever it is, into (n, 3, h, w) as finely as the format has it."""
    if name == "png16":
        files = [cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in sorted(path.glob("*.png"))]
        assert all(pixels.dtype == np.uint16 for pixels in files)
        return torch.from_numpy(np.stack(files)[..., ::-1].astype(np.float32) / 65535).permute(0, 3, 1, 2)
    if name == "webp":
        with Image.open(path) as moving:
            shown = []
            for index in range(moving.n_frames):
                moving.seek(index)
                shown.append(np.asarray(moving.convert("RGB"), np.float32) / 255)
        return torch.from_numpy(np.stack(shown)).permute(0, 3, 1, 2)
    if name == "mov-prores":
        with av.open(str(path)) as container:
            return torch.stack([rgb_of_ten_bits(frame) for frame in container.decode(video=0)])
    return torch.cat(list(read_video(path)))


def rgb_of_ten_bits(frame):
    assert frame.format.name == "yuv422p10le"
    planes = [
        np.frombuffer(plane, np.uint16).reshape(plane.height, -1)[:, : plane.width].astype(np.float32)
        for plane in frame.planes
    ]
    luma = (planes[0] - 64) / 876
    blue, red = ((np.repeat(plane, 2, 1) - 512) / 896 for plane in planes[1:])
    for chroma in (blue, red):  # samples sit on even pixels
        chroma[:, 1:-1:2] = (chroma[:, :-2:2] + chroma[:, 2::2]) / 2
    r, b = luma + red * 1.5748, luma + blue * 1.8556
    return torch.from_numpy(np.stack([r, (luma - 0.2126 * r - 0.0722 * b) / 0.7152, b])).clamp(0, 1)


@pytest.mark.parametrize("name", OFFERED)
@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001)])
def test_frames_are_exact(tmp_path, name, fps):
    path = write(tmp_path, name, smooth(9), tone(0.3), fps=fps)
    assert len(list(tmp_path.iterdir())) == 1
    if name == "png16":
        assert sorted(file.name for file in path.iterdir()) == [*(f"{n:05}.png" for n in range(1, 10)), "sound.wav"]
    elif name == "webp":
        with Image.open(path) as moving:
            times = [
                (moving.seek(index), moving.load(), moving.info["duration"])[2] for index in range(moving.n_frames)
            ]
        assert sum(times) == round(9000 / fps) and max(times) - min(times) <= 1
    else:
        info = probe_video(path)
        assert (info.length, info.start, info.has_audio) == (9, 0, name not in SILENT)
        assert abs(info.duration - float(9 / fps)) < 0.01
    assert len(pictures(path, name)) == 9


@pytest.mark.parametrize("name", PLAYED)
def test_videos_say_what_they_are(tmp_path, name):
    with av.open(str(write(tmp_path, name, sound=tone(0.24)))) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert context.codec.canonical_name == CODECS[name]
        assert context.pix_fmt == FORMATS[name].pixels
        frame = next(container.decode(stream))
        assert (context.color_primaries, context.color_trc, context.colorspace, context.color_range) == (1, 1, 1, 1)
        assert (frame.colorspace, frame.color_range) == (1, 1)
        if name == "mp4-h265":
            assert context.codec_tag == "hvc1"


@pytest.mark.parametrize(
    ("name", "crf", "mean", "largest"),  # steps of 8 bits
    [
        ("mp4-h264", 12, 1.3, 6), ("mp4-h265", 12, 1.0, 5), ("mp4-av1", 12, 0.9, 5), ("webm-vp9", 12, 0.9, 5),
        ("mov-prores", None, 0.2, 1.0), ("webp", 5, 1.4, 6), ("gif", None, 6.0, 30), ("png16", None, 0.002, 0.002),
    ],
)  # fmt: skip
def test_colours_survive(tmp_path, name, crf, mean, largest):
    if name not in OFFERED:
        pytest.skip(f"PyAV lacks {name}")
    frames = smooth()
    error = (pictures(write(tmp_path, name, frames, crf=crf), name) - frames).abs() * 255
    error = error[..., 4:-4, 4:-4].flatten()  # at the edges chroma has a neighbour less
    most = float(error.kthvalue(int(len(error) * 0.999)).values)
    assert (error.mean() < mean, most < largest) == (True, True)


def portrait(size=(240, 200)):
    """A face as soft as skin: an oval that shades off into its surroundings, a little noise as cameras have."""
    height, width = size
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    face = torch.sigmoid(12 * (0.7 - (x**2 / 0.5 + y**2).sqrt()))
    light = (0.75 + 0.25 * x - 0.15 * y)[None]
    skin, wall = torch.tensor([0.86, 0.66, 0.56]), torch.tensor([0.28, 0.36, 0.42])
    picture = light * (face * skin[:, None, None] + (1 - face) * wall[:, None, None])
    return (picture + 0.004 * torch.randn(3, height, width, generator=torch.Generator().manual_seed(5))).clamp(0, 1)


def psnr(first, second):
    return -10 * float(((first - second) ** 2).mean().log10())


def test_a_gifs_colours_are_made_for_it(tmp_path):
    picture = portrait()
    frames = torch.stack([picture.roll(shift, 2) for shift in range(5)])
    made = psnr(pictures(write(tmp_path, "gif", frames), "gif"), frames)
    pixels = Image.fromarray((picture * 255).round().byte().permute(1, 2, 0).numpy())
    web = pixels.quantize(palette=Image.new("P", (1, 1)).convert("RGB").convert("P", palette=Image.Palette.WEB))
    fixed = torch.from_numpy(np.asarray(web.convert("RGB"), np.float32) / 255).permute(2, 0, 1)
    assert made > 38 > psnr(fixed, picture) + 10


@pytest.mark.parametrize(
    ("fps", "length", "shown", "seconds"),
    [(25, 10, {4}, 0.4), (30, 30, {3, 4}, 1.0), (50, 10, {2}, 0.2), (12.5, 5, {8}, 0.4), (100, 20, {2}, 0.2)],
)
def test_a_gif_lasts_as_long_as_its_clip(tmp_path, fps, length, shown, seconds):
    frames = torch.linspace(0, 1, length)[:, None, None, None].expand(length, 3, 32, 32)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        path = write(tmp_path, "gif", frames, fps=Fraction(fps))
    assert [str(one.message).count("50 frames per second") for one in said] == [1] * (fps > 50)
    with Image.open(path) as moving:
        durations = [(moving.seek(index), moving.info["duration"])[1] for index in range(moving.n_frames)]
    assert {duration // 10 for duration in durations} == shown
    assert sum(durations) == round(1000 * seconds)


@pytest.mark.parametrize("name", sorted(SILENT))
def test_pictures_have_no_sound_and_say_so(tmp_path, name):
    with pytest.warns(SonicWarning, match="has no sound"):
        clip_of(smooth(), tone(0.24)).export(tmp_path / f"x.{name}")


@pytest.mark.parametrize("name", [name for name in OFFERED if name not in SILENT])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_sound_comes_back_in_step(tmp_path, name, channels):
    audio = tone(0.6, 44100, channels)
    audio = Audio(audio.samples * (torch.arange(audio.samples.shape[1]) > 10000), 44100)  # silent up to 0.227 s
    path = write(tmp_path, name, smooth(15), audio)
    back = read_audio(path / "sound.wav" if name == "png16" else path)
    assert len(back.samples) == (channels if name == "png16" else min(2, channels))
    assert abs(back.duration - 0.6) < 0.001
    begins = int((back.samples[0].abs() > 0.1).nonzero()[0]) / back.rate
    assert abs(begins - 10000 / 44100) < 0.003
    if name == "png16":
        assert back.rate == 44100 and back.samples.equal(audio.samples)


@pytest.mark.parametrize("name", [name for name in OFFERED if name not in SILENT])
def test_sound_that_is_missing_empty_silent_or_broken(tmp_path, name):
    broken = tone(0.24)
    broken.samples[0, 4000:5000] = float("nan")
    broken.samples[0, 5000] = float("inf")
    for place, sound in enumerate([None, Audio(torch.zeros(1, 0), 16000), Audio(torch.zeros(1, 3840), 16000), broken]):
        folder = tmp_path / str(place)
        folder.mkdir()
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            path = write(folder, name, sound=sound)
        assert [str(one.message) for one in said] == [
            "1001 samples of the sound are not numbers (NaN or infinite); silence was written for them."
        ] * (sound is broken)
        heard = (path / "sound.wav").exists() if name == "png16" else probe_video(path).has_audio
        assert heard == (place > 1)
        if heard:
            samples = read_audio(path / "sound.wav" if name == "png16" else path).samples
            assert samples.isfinite().all() and bool((samples.abs() > 0.1).any()) == (sound is broken)


def texts_of(path, name):
    """Read the texts as whoever opens the file does."""
    if name == "png16":
        with Image.open(path / "00001.png") as picture:
            picture.load()
            return dict(picture.text)
    if name == "webp":
        with Image.open(path) as moving:
            said = [value for tag, value in sorted(moving.getexif().items(), reverse=True)]
        return dict(one.split(":", 1) for one in said)
    if name == "gif":
        comments, content = {}, path.read_bytes()
        while begin := re.search(rb"\x21\xfe.(?=prompt:|workflow:)", content, re.DOTALL):
            content, said = content[begin.end() - 1 :], b""
            while content[0]:
                said, content = said + content[1 : content[0] + 1], content[content[0] + 1 :]
            word, text = said.decode().split(":", 1)
            comments[word] = text
        return comments
    with av.open(str(path)) as container:
        return {word.lower(): text for word, text in container.metadata.items()}


@pytest.mark.parametrize("name", OFFERED)
def test_the_workflow_is_in_the_file(tmp_path, name):
    long = TEXTS | {"workflow": json.dumps({"nodes": [{"id": index} for index in range(500)]})}
    for texts in (long,) if name == "webp" else (TEXTS, long):  # Pillow reads only ASCII there
        path = write(tmp_path, name, metadata=texts)
        assert {word: texts_of(path, name)[word] for word in texts} == texts
        assert len(pictures(path, name)) == 6
        path = path.rename(tmp_path / f"before{len(list(tmp_path.iterdir()))}") if path.is_dir() else path


def test_a_webp_is_read_as_the_canvas_reads_it(tmp_path):
    """The walk over the chunks that ComfyUI's canvas does, which knows nothing of padding."""
    content = write(tmp_path, "webp", metadata=TEXTS).read_bytes()
    assert int.from_bytes(content[4:8], "little") == len(content) - 8
    place, found = 12, b""
    while place < len(content):
        length = int.from_bytes(content[place + 4 : place + 8], "little")
        if content[place : place + 4] == b"EXIF":
            found = content[place + 8 : place + 8 + length]
        place += 8 + length
    assert f"workflow:{TEXTS['workflow']}\0".encode() in found and f"prompt:{TEXTS['prompt']}\0".encode() in found


def test_a_webp_stores_only_what_changed(tmp_path):
    frames = smooth(1).repeat(8, 1, 1, 1)
    frames[3:, :, 40:56, 60:90] = 0.2
    frames[6, :, 8, 8] = 1.0
    back = pictures(write(tmp_path, "webp", frames, crf=5), "webp")
    assert len(back) == 4  # the first, the patch, the dot, without the dot
    assert (back - frames[[0, 3, 6, 7]]).abs().mean() * 255 < 1.2
    still = write(tmp_path, "webp", smooth(1).repeat(50, 1, 1, 1))
    with Image.open(still) as moving:
        moving.load()
        assert (moving.n_frames, moving.info.get("duration")) == (1, 2000)


@pytest.mark.parametrize("name", OFFERED)
def test_odd_sizes(tmp_path, name):
    frames = smooth(3, (65, 67))
    kept = {"yuv420p": (64, 66), "yuv422p10le": (65, 66)}.get(FORMATS[name].pixels, (65, 67))
    assert pictures(write(tmp_path, name, frames), name).shape == (3, 3, *kept)


@pytest.mark.parametrize("name", OFFERED)
def test_chunk_size_changes_nothing(tmp_path, name):
    shown = []
    for chunk in (1, 5, 12):
        (tmp_path / str(chunk)).mkdir()
        shown.append(pictures(write(tmp_path / str(chunk), name, smooth(12), tone(0.48), chunk=chunk), name))
    assert shown[0].equal(shown[1]) and shown[0].equal(shown[2])


@pytest.mark.parametrize("name", OFFERED)
@pytest.mark.parametrize("pingpong", [False, True])
def test_cancelling_leaves_nothing(tmp_path, monkeypatch, name, pingpong):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    stages = {"palette", "encode"} if name == "gif" else {"encode"}
    for wanted in stages:

        def stop(stage, done, total, wanted=wanted):
            if stage == wanted and done == (8 if pingpong else 4):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write(tmp_path, name, sound=tone(0.24), pingpong=pingpong, progress=stop)
        assert [file.name for file in tmp_path.rglob("*")] == ["temporary"]


@pytest.mark.parametrize("name", OFFERED)
def test_progress_tells_every_frame(tmp_path, name):
    reports = []
    write(tmp_path, name, progress=lambda *report: reports.append(report))
    stages = ["palette", "encode"] if name == "gif" else ["encode"]
    assert reports == [(stage, done, 6) for stage in stages for done in range(1, 7)]


@pytest.mark.parametrize("name", OFFERED)
def test_a_reader_that_fails_leaves_nothing(tmp_path, name):
    def chunks():
        yield smooth(3)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_video(tmp_path / f"x{FORMATS[name].suffix}", chunks(), fps=Fraction(25), length=6, size=SIZE,
                    audio=None, format=name)  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_what_the_build_lacks_is_not_offered(tmp_path, monkeypatch):
    missing = {"libx265", "libvpx-vp9", "libopus", "libvorbis"}
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - missing)
    monkeypatch.setattr(av, "formats_available", av.formats_available - {"gif"})
    monkeypatch.setattr(formats, "filters_available", set())
    assert not {"mp4-h265", "webm-vp9", "gif"} & set(available_formats())
    with pytest.raises(SettingsError) as said:
        clip_of(smooth()).export(tmp_path / "x.mp4", format="mp4-h265")
    words = str(said.value)
    assert "mp4-h265 needs the encoder libx265" in words and "choose from mp4-h264, mp4-av1, mov-prores" in words
    with pytest.raises(SettingsError, match="libvpx-vp9 and the encoder libopus or libvorbis"):
        clip_of(smooth()).export(tmp_path / "x.webm")
    with pytest.raises(SettingsError, match="container gif and the filter paletteuse"):
        find_format("gif")
    assert not list(tmp_path.iterdir())


def test_another_encoder_takes_over(monkeypatch):
    if "libsvtav1" in av.codecs_available:
        assert FORMATS["mp4-av1"].encoder.name == "libsvtav1"
    monkeypatch.setattr(formats, "_has_encoder", lambda name: name == "libaom-av1")
    assert FORMATS["mp4-av1"].encoder.name == "libaom-av1"


@pytest.mark.parametrize(
    ("path", "name"),
    [("x.mp4", "mp4-h264"), ("x.MP4", "mp4-h264"), ("x.webm", "webm-vp9"), ("a.b/x.mov", "mov-prores"),
     ("x.webp", "webp"), ("x.gif", "gif")],
)  # fmt: skip
def test_the_ending_tells_the_format(path, name):
    assert format_of(path).name == name


@pytest.mark.parametrize(
    ("path", "options", "error", "words"),
    [
        ("x.avi", {}, MediaError, "ends in .mp4, .webm, .mov, .webp, .gif, got"),
        ("x", {}, SettingsError, "no ending"),
        ("x.mov", {"format": "mp4-h264"}, MediaError, "ends in .mp4, got"),
        ("x.mp4", {"format": "mp4"}, SettingsError, "format must be one of mp4-h264"),
        ("x.mp4", {"crf": 52}, SettingsError, "crf must be from 0 .* to 51 for mp4-h264"),
        ("x.webm", {"crf": -1}, SettingsError, "to 63"),
        ("x.webm", {"crf": float("nan")}, SettingsError, "crf"),
        ("x.mp4", {"sound": "cut"}, SettingsError, "sound must be one of whole, trimmed"),
        ("there", {"format": "png16"}, MediaError, "there exists; choose another name"),
        ("none/x", {"format": "png16"}, MediaError, "existing folder"),
    ],
)
def test_bad_wishes_are_one_sentence_before_any_work(tmp_path, path, options, error, words):
    (tmp_path / "there").mkdir()

    def read():
        raise AssertionError("work was begun")
        yield

    with pytest.raises(error, match=words) as said:
        Clip(read, Fraction(25), 4, SIZE, None).export(tmp_path / path, **options)
    assert "\n" not in str(said.value)
    assert [file.name for file in tmp_path.iterdir()] == ["there"]


def test_a_sequence_never_takes_the_place_of_a_folder(tmp_path):
    path = write(tmp_path, "png16")
    before = sorted((file.name, file.stat().st_mtime_ns) for file in path.iterdir())
    with pytest.raises(MediaError, match="exists"):
        write(tmp_path, "png16")
    assert sorted((file.name, file.stat().st_mtime_ns) for file in path.iterdir()) == before

    def take_the_name(stage, done, total):
        (tmp_path / "late").mkdir(exist_ok=True)

    with pytest.raises(MediaError, match="exists"):
        clip_of(smooth()).export(tmp_path / "late", format="png16", progress=take_the_name)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["late", "x"] and not list((tmp_path / "late").iterdir())


def test_a_gif_keeps_what_is_small_and_of_another_colour(tmp_path):
    """Lips: one pixel in four hundred, and the only red."""
    picture = portrait()
    picture[:, 150:160, 90:102] = torch.tensor([0.72, 0.30, 0.28])[:, None, None]
    frames = picture.expand(3, -1, -1, -1)
    lips = pictures(write(tmp_path, "gif", frames), "gif")[:, :, 151:159, 91:101].mean((0, 2, 3))
    assert (lips - torch.tensor([0.72, 0.30, 0.28])).abs().max() * 255 < 4
