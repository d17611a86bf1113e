"""Make the templates' pictures in ``workflows/``, of what sonic-preview makes of the samples.

    python assets/make_thumbnails.py

That of *High quality digital human* is left as it is: what sonic-base makes cannot be shown without its weights.
"""

from __future__ import annotations

import sys
import warnings
import wave
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

ASSETS = Path(__file__).resolve().parent
sys.path.insert(0, str(ASSETS.parent))

from sonic_core import (  # noqa: E402
    Job,
    Settings,
    face_finder,
    gather_cast,
    hear_speakers,
    load_model,
    open_clip,
    read_audio,
    read_image,
    refine,
    run,
)
from sonic_core.errors import SonicWarning  # noqa: E402
from sonic_core.evaluate.posing.sitter import Sitter  # noqa: E402 - this file runs without the project being installed
from sonic_core.media.pixels import as_bytes  # noqa: E402
from sonic_core.models.preview.model import frame_poses  # noqa: E402
from sonic_core.post.curve import draw_curve  # noqa: E402

SIDE = 512
"""Pixels of a picture's sides."""
PAPER = (26, 27, 31)
SOUNDS = {"english": ((111, 168, 255), 0.98), "chinese": ((96, 214, 148), 0.5), "spanish": ((240, 180, 84), 0.8)}
"""The samples of *Batch digital human*: colour, and how open the mouth is, as a share of the clip's moments."""
BARS = 44
"""Bars of a sound."""
FACE_HEIGHT = 292
"""Rows of *Talking video repair* above the curve."""
WIDTH, ABOVE = 2.8, 1.05
"""What these show, in eye distances: its width, and how much of it lies above the mouth."""
PLOT = slice(64, 316), slice(48, 620)
"""Rows and columns of the curve in its picture, without the words."""
MOUTH, INSET = (0.34, 0.52, 0.66, 0.74), 0.36
"""Left, top, right and bottom of the mouth in the sample of a video, and how wide it is shown, as a share."""
RIM, GAP = 4, 16
"""Pixels around that, and from it to the picture's edge."""
AWAKE, ASIDE = 0.02, 3.0
"""Most blink, and most degrees of gaze, of a moment that is shown."""


def moment(sound: Path, share: float, **settings: float) -> tuple[Sitter, np.ndarray]:
    """Draw the portrait at a moment of a sound than which so many, as a share, are less open: (h, w, 3) RGB bytes."""
    sitter = Sitter(ASSETS / "portrait.png", Settings(**settings), read_audio(sound))
    _, poses = sitter.speak()
    poses = [pose for pose in poses if pose.blink < AWAKE and abs(pose.gaze_x) < ASIDE and pose.closure < AWAKE]
    order = np.argsort(sitter.gaps(poses))
    return sitter, sitter.draw([poses[order[round(share * (len(order) - 1))]]])[0]


def square(pixels: np.ndarray, side: int) -> Image.Image:
    """Cut the middle square out and bring it to size."""
    height, width = pixels.shape[:2]
    least = min(height, width)
    top, left = (height - least) // 2, (width - least) // 2
    cut = np.ascontiguousarray(pixels[top : top + least, left : left + least])
    return Image.fromarray(cut).resize((side, side), Image.Resampling.LANCZOS)


def fast() -> Image.Image:
    """Show the portrait while it speaks."""
    return square(moment(ASSETS / "speech.wav", 1.0, expand_ratio=0.4, min_resolution=768)[1], SIDE)


def batch() -> Image.Image:
    """Show the portrait three times, and what it says beside it."""
    canvas = Image.new("RGB", (SIDE, SIDE), PAPER)
    brush, height = ImageDraw.Draw(canvas), SIDE / len(SOUNDS)
    for row, (name, (colour, share)) in enumerate(SOUNDS.items()):
        sound = ASSETS / f"sounds/{name}.wav"
        face = square(moment(sound, share, expand_ratio=0.1, min_resolution=384)[1], round(height) + 1)
        top = round(row * height)
        canvas.paste(face, (0, top))
        for number, loud in enumerate(loudness(sound)):
            x, half = 190 + number * 7, max(loud * 0.36 * height, 2.0)
            middle = top + height / 2
            brush.rounded_rectangle((x, middle - half, x + 4, middle + half), 2, fill=colour)
    return canvas


def talk() -> Image.Image:
    """Show the pair at the moment at which one of them speaks with the widest mouth and the other listens."""
    model, settings = load_model("sonic-preview"), Settings()
    sounds = hear_speakers({1: read_audio(ASSETS / "speech.wav", start=2.0, duration=2.0)}, settings)
    cast = gather_cast(read_image(ASSETS / "pair.jpg"), sounds, settings, face_finder("embedded", everybody=True))
    conditions = model.prepare_cast(cast, settings)
    clip = model.animate(conditions, settings).clip
    parts = [frame_poses(part.conditions, settings, clip.length, clip.fps) for part in conditions.parts]
    awake = [max(pose.blink for pose in poses) < AWAKE for poses in zip(*parts, strict=True)]
    wide = int(np.argmax([pose.gap * seen for pose, seen in zip(parts[0], awake, strict=True)]))
    pixels = as_bytes(next(islice(clip.frames(), wide, None)))
    canvas = Image.new("RGB", (SIDE, SIDE), PAPER)
    height = round(SIDE * pixels.shape[0] / pixels.shape[1])
    canvas.paste(Image.fromarray(pixels).resize((SIDE, height), Image.Resampling.LANCZOS), (0, (SIDE - height) // 2))
    return canvas


def dub() -> Image.Image:
    """Show the sample of a video at the moment at which its new mouth differs most from its own, and that beside it."""
    job = Job(
        None, ASSETS / "sounds/spanish.wav", Settings(when_longer="cut"), "sonic-preview", video=ASSETS / "video.mp4"
    )
    pairs = zip(open_clip(ASSETS / "video.mp4").frames(), run(job).clip.frames(), strict=False)
    before, after = max(pairs, key=lambda pair: float((pair[0] - pair[1]).abs().sum()))
    canvas, pixels = square(as_bytes(after), SIDE), as_bytes(before)
    height, width = pixels.shape[:2]
    left, top, right, bottom = MOUTH
    own = Image.fromarray(pixels).crop(
        (round(left * width), round(top * height), round(right * width), round(bottom * height))
    )
    side = round(SIDE * INSET)
    size = side, round(side * own.height / own.width)
    framed = Image.new("RGB", (size[0] + 2 * RIM, size[1] + 2 * RIM), SOUNDS["spanish"][0])
    framed.paste(own.resize(size, Image.Resampling.LANCZOS), (RIM, RIM))
    canvas.paste(framed, (SIDE - GAP - framed.width, SIDE - GAP - framed.height))
    return canvas


def loudness(path: Path) -> np.ndarray:
    """Measure how loud a sound is in ``BARS`` parts of its time: 0 to 1."""
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16) / 32768
    loud = np.array([np.sqrt(np.mean(part**2)) for part in np.array_split(samples, BARS)])
    return np.sqrt(loud / loud.max())


def repair() -> Image.Image:
    """Show a mouth, and how well the sample's sound fits it."""
    sitter, pixels = moment(ASSETS / "speech.wav", 0.97, expand_ratio=0.2, min_resolution=768)
    left, top = sitter.mouth - sitter.unit * np.array([WIDTH / 2, ABOVE])
    right, bottom = left + WIDTH * sitter.unit, top + WIDTH * sitter.unit * FACE_HEIGHT / SIDE
    size, box = (SIDE, FACE_HEIGHT), (round(left), round(top), round(right), round(bottom))
    face = Image.fromarray(np.ascontiguousarray(pixels)).crop(box).resize(size, Image.Resampling.LANCZOS)
    curve = draw_curve(refine(open_clip(ASSETS / "video.mp4")).report).permute(1, 2, 0).numpy()[PLOT]
    plot = Image.fromarray((curve * 255).round().astype(np.uint8))
    canvas = Image.new("RGB", (SIDE, SIDE), PAPER)
    canvas.paste(face, (0, 0))
    canvas.paste(plot.resize((SIDE, SIDE - FACE_HEIGHT), Image.Resampling.LANCZOS), (0, FACE_HEIGHT))
    return canvas


if __name__ == "__main__":
    warnings.simplefilter("ignore", SonicWarning)  # a picture may show more than is advised for a video
    for name, make in {"Fast": fast, "Batch": batch}.items():
        make().save(ASSETS.parent / f"workflows/{name} digital human.jpg", quality=90)
    dub().save(ASSETS.parent / "workflows/Dub a video.jpg", quality=90)
    talk().save(ASSETS.parent / "workflows/Two people talk.jpg", quality=90)
    repair().save(ASSETS.parent / "workflows/Talking video repair.jpg", quality=90)
