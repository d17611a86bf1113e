"""What sonic-preview makes of portraits, to be looked at and to be judged.

python benchmarks/portraits.py PORTRAIT… --sheet OUT.png                eight poses of each portrait
python benchmarks/portraits.py PORTRAIT… --clips DIR [--sound FILE]     clips, and beside each what was asked of it
PYTHON_WITH_MEDIAPIPE benchmarks/judge.py DIR                           what a face tracker sees in those clips
python benchmarks/portraits.py PORTRAIT… --held-note                    how steady a picture stays while a note is held
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sonic_core import Audio, Settings  # noqa: E402
from sonic_core.media.audio import read_audio  # noqa: E402
from sonic_core.media.image import read_image  # noqa: E402
from sonic_core.media.mixing import resample  # noqa: E402
from sonic_core.models.preview.anatomy import measure_anatomy  # noqa: E402
from sonic_core.models.preview.drawing import Drawing  # noqa: E402
from sonic_core.models.preview.model import WIDEST, PreviewModel, frame_poses  # noqa: E402
from sonic_core.models.preview.pose import Pose  # noqa: E402
from sonic_core.pipeline import prepare_portrait  # noqa: E402

SETTINGS = Settings()
POSES = {
    "at rest": {"rest": 1.0},
    "closed": {"closure": 1.0},
    "open": {"opening": 1.0, "jaw": 1.0, "upper": 0.5, "lower": 0.6},
    "rounded": {"opening": 0.4, "rounding": 1.0, "width": -0.5, "jaw": 0.35},
    "wide": {"opening": 0.35, "width": 0.9, "upper": 0.5, "jaw": 0.3},
    "f and v": {"opening": 0.12, "lower": -0.9, "upper": 0.3, "jaw": 0.15},
    "blink": {"blink": 1.0},
    "turned": {"opening": 0.5, "jaw": 0.5, "yaw": 1.0, "pitch": 0.7, "roll": 0.7, "brows": 1.0},
}
TILE = 200, 230


def draw_sheet(files: Iterable[Path]) -> np.ndarray:
    """Draw one row of poses per portrait, cut around the face: (h, w, 3) RGB bytes."""
    titles = [np.full((22, TILE[0], 3), 255, np.uint8) for _ in POSES]
    for tile, name in zip(titles, POSES, strict=True):
        cv2.putText(tile, name, (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    rows = [np.hstack(titles)]
    for file in files:
        portrait = prepare_portrait(read_image(file), SETTINGS)
        image = np.ascontiguousarray(portrait.image.permute(1, 2, 0).numpy())
        anatomy = measure_anatomy(portrait)
        drawing, unit, (x, y) = Drawing(image, anatomy), anatomy.unit, anatomy.head.centre
        tiles = []
        for asked in POSES.values():
            opening = asked.get("opening", 0.0) * WIDEST * unit
            frame = (drawing.frame(Pose(**{**asked, "opening": opening})) * 255).round().astype(np.uint8)
            cut = cv2.getRectSubPix(frame, (int(2.1 * unit), int(2.415 * unit)), (x, y + 0.15 * unit))
            tiles.append(cv2.resize(cut, TILE, interpolation=cv2.INTER_AREA))
        rows.append(np.hstack(tiles))
        print(file.name, flush=True)
    return np.vstack(rows)


def make_clip(file: Path, sound: Audio, folder: Path) -> None:
    """Write a clip, the opening that was asked of each frame, the portrait's crop and where it ever changed."""
    model = PreviewModel()
    portrait = prepare_portrait(read_image(file), SETTINGS)
    conditions = model.prepare(portrait, sound, SETTINGS)
    clip = model.animate(conditions, SETTINGS)
    clip.export(folder / f"{file.stem}.mp4", crf=14)
    changed = torch.zeros(portrait.image.shape[1:], dtype=torch.bool)
    for frames in clip.read():
        changed |= (frames != portrait.image).any(1).any(0)
    crop = (portrait.image.permute(1, 2, 0).numpy()[..., ::-1] * 255).round().astype(np.uint8)
    cv2.imwrite(str(folder / f"{file.stem}.portrait.png"), crop)
    cv2.imwrite(str(folder / f"{file.stem}.changed.png"), changed.numpy().astype(np.uint8) * 255)
    poses = frame_poses(conditions, SETTINGS, clip.length, Fraction(clip.fps))
    anatomy = conditions.anatomy
    own = float((anatomy.mouth.lower_inner - anatomy.mouth.upper_inner).max())
    asked = [(pose.opening + pose.rest * own) / anatomy.unit for pose in poses]
    np.savez(folder / f"{file.stem}.npz", opening=asked)
    print(file.name, flush=True)


def held_note() -> Audio:
    """Let the bundled voice speak for four seconds, then an open a be sung for three: formants, 3 % of vibrato."""
    rate = 16_000
    speech = resample(read_audio(ROOT / "assets" / "speech.wav"), rate, channels=1).samples[0, : 4 * rate]
    time, overtone = torch.arange(3 * rate) / rate, torch.arange(1, 60)
    formants = ((730, 90, 1.0), (1090, 110, 0.6), (2440, 160, 0.25))
    strength = torch.stack([gain / (1 + ((120 * overtone - at) / width) ** 2) for at, width, gain in formants]).sum(0)
    swing = torch.sin(2 * torch.pi * 5.2 * time)
    phase = 2 * torch.pi * torch.cumsum(120 * (1 + 0.03 * swing), 0) / rate
    vowel = (strength[:, None] * torch.sin(overtone[:, None] * phase)).sum(0) * (1 + 0.15 * swing)
    pause = torch.zeros(rate // 2)
    return Audio(torch.cat([speech, pause, vowel * (0.8 * speech.abs().max() / vowel.abs().max()), pause])[None], rate)


def hold_note(file: Path) -> tuple[float, float, float]:
    """Let a portrait sing a note, its head still, and look at two seconds in the middle of it.

    Returns:
        The mean opening, as a share of ``WIDEST``; the correlation of how much the lower face changes from frame to
        frame with how much the opening does; and the largest change of the face between two frames in which the
        opening changed by less than 0.005, in 1/255 (root mean square over the lower face).
    """
    settings, sound = Settings(motion_scale=0.0), held_note()
    model = PreviewModel()
    conditions = model.prepare(prepare_portrait(read_image(file), settings), sound, settings)
    clip = model.animate(conditions, settings)
    poses = frame_poses(conditions, settings, clip.length, Fraction(clip.fps))
    held = slice(int(5 * clip.fps), int(7 * clip.fps))
    asked = np.array([pose.opening for pose in poses])[held] / (WIDEST * conditions.anatomy.unit)
    below = slice(int(conditions.anatomy.head.centre[1]), None)
    frames = torch.stack([frame[:, below] for frame in islice(clip.frames(), held.start, held.stop)])
    changes = (frames[1:] - frames[:-1]).square().mean((1, 2, 3)).sqrt().numpy() * 255
    moves = np.abs(np.diff(asked))
    still = changes[moves < 0.005]
    return float(asked.mean()), float(np.corrcoef(changes, moves)[0, 1]), float(still.max()) if len(still) else np.nan


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("portraits", nargs="+", type=Path)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--sound", type=Path, default=ROOT / "assets" / "speech.wav")
    parser.add_argument("--held-note", action="store_true")
    asked = parser.parse_args()
    if asked.sheet:
        cv2.imwrite(str(asked.sheet), draw_sheet(asked.portraits)[..., ::-1])
    if asked.clips:
        asked.clips.mkdir(parents=True, exist_ok=True)
        sound = read_audio(asked.sound)
        for file in asked.portraits:
            make_clip(file, sound, asked.clips)
    if asked.held_note:
        for file in asked.portraits:
            print(
                file.name,
                "opening {:.2f}, change with opening {:.3f}, when still {:.2f} / 255".format(*hold_note(file)),
                flush=True,
            )


if __name__ == "__main__":
    main()
