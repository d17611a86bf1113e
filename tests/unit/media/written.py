"""Small clips, written in any format and read back as finely as it has them."""

import re
from fractions import Fraction

import av
import cv2
import numpy as np
import torch
from PIL import Image

from sonic_core.clip import Clip
from sonic_core.media.formats import FORMATS, available_formats
from sonic_core.media.video import read_video
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


def psnr(first, second):
    return -10 * float(((first - second) ** 2).mean().log10())


def portrait(size=(240, 200)):
    """A face as soft as skin: an oval that shades off into its surroundings, a little noise as cameras have."""
    height, width = size
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    face = torch.sigmoid(12 * (0.7 - (x**2 / 0.5 + y**2).sqrt()))
    light = (0.75 + 0.25 * x - 0.15 * y)[None]
    skin, wall = torch.tensor([0.86, 0.66, 0.56]), torch.tensor([0.28, 0.36, 0.42])
    picture = light * (face * skin[:, None, None] + (1 - face) * wall[:, None, None])
    return (picture + 0.004 * torch.randn(3, height, width, generator=torch.Generator().manual_seed(5))).clamp(0, 1)


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
