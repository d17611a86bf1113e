"""What sonic-preview makes of portraits, to be looked at and to be judged.

python benchmarks/portraits.py PORTRAIT… --sheet OUT.png                eight poses of each portrait
python benchmarks/portraits.py PORTRAIT… --rate DIR                     sheets to rate by: poses, close-ups, speech
python benchmarks/portraits.py PORTRAIT… --clips DIR [--sound FILE]     clips, and beside each what was asked of it
PYTHON_WITH_DLIB benchmarks/judge.py DIR                                what another tracker sees in those clips
python benchmarks/portraits.py PORTRAIT… --held-note                    how steady a picture stays while a note is held
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.portrait_parts.sheets import refused, strips, tile, titled, write, write_together  # noqa: E402
from benchmarks.portrait_parts.sitter import POSES, Sitter  # noqa: E402
from sonic_core import Audio, Settings  # noqa: E402
from sonic_core.errors import SonicError  # noqa: E402
from sonic_core.media.audio import read_audio  # noqa: E402
from sonic_core.media.image import read_image  # noqa: E402
from sonic_core.media.mixing import cut, resample  # noqa: E402
from sonic_core.models.preview.model import WIDEST  # noqa: E402

SETTINGS = Settings()
TILE = 200, 230
TILE_REACH = 2.1
"""How much of the picture a tile shows across, in I."""


def draw_sheet(files: Iterable[Path], sound: Audio) -> np.ndarray:
    """Draw one row of poses per portrait, cut around the face: (h, w, 3) RGB bytes."""
    rows = [np.hstack([titled(name, TILE[0]) for name in POSES])]
    for file in files:
        sitter = Sitter(file, SETTINGS, sound)
        middle, across = (sitter.eyes + sitter.mouth) / 2, TILE_REACH * sitter.unit
        rows.append(np.hstack([tile(sitter.posed(asked), middle, across, TILE) for asked in POSES.values()]))
        print(file.name, flush=True)
    return np.vstack(rows)


def rate_sheets(files: Iterable[Path], sound: Audio, folder: Path) -> None:
    """Write a page per portrait, and sheets that show one thing of six portraits each."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds: dict[str, list[tuple[str, np.ndarray]]] = {}
    for file in files:
        said: list[str] = []
        try:
            sitter = Sitter(file, SETTINGS, sound)
            said, drawn = sitter.warnings, strips(sitter)
        except SonicError as error:
            said = [f"refused: {error}"]
            picture = (read_image(file).permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
            drawn = refused(picture, str(error))
        title = " | ".join([file.stem, *said])
        write(folder / f"{file.stem}.png", np.vstack([titled(title), *drawn.values()]))
        for kind, row in drawn.items():
            kinds.setdefault(kind, []).append((title, row))
        print(title, flush=True)
    for kind, rows in kinds.items():
        write_together(kind, rows, folder)


def make_clip(file: Path, sound: Audio, folder: Path) -> str:
    """Write a clip, the crop it was made of, and what was asked of each frame; say what was said of the portrait.

    ``NAME.npz`` holds every field of the poses, ``gap`` (n,) in I, ``fps``, and ``changed`` (h, w): by how much each
    pixel, before encoding, ever differed from the crop, in 1/255.
    """
    try:
        sitter = Sitter(file, SETTINGS, sound)
    except SonicError as error:
        return f"{file.name} | refused: {error}"
    clip, poses = sitter.speak()
    clip.export(folder / f"{file.stem}.mp4", crf=14)
    picture = sitter.portrait.image
    changed = torch.zeros(picture.shape[1:])
    for frames in clip.read():
        changed = torch.maximum(changed, (frames - picture).abs().amax((0, 1)))
    write(folder / f"{file.stem}.portrait.png", sitter.picture)
    fields: dict[str, Any] = {name: np.array([getattr(pose, name) for pose in poses]) for name in asdict(poses[0])}
    fields["gap"] = sitter.gaps(poses)
    np.savez_compressed(
        folder / f"{file.stem}.npz",
        **fields,
        fps=float(clip.fps),
        changed=(changed * 255).round().byte().numpy(),
    )
    return " | ".join([file.name, *sitter.warnings])


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
    sitter = Sitter(file, Settings(motion_scale=0.0), held_note())
    clip, poses = sitter.speak()
    held = slice(int(5 * clip.fps), int(7 * clip.fps))
    asked = sitter.gaps(poses)[held] / WIDEST
    below = slice(int((sitter.eyes + sitter.mouth)[1] / 2), None)
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
    parser.add_argument("--rate", type=Path)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--sound", type=Path, default=ROOT / "assets" / "speech.wav")
    parser.add_argument("--seconds", type=float, help="say no more than this of the sound")
    parser.add_argument("--held-note", action="store_true")
    asked = parser.parse_args()
    sound = read_audio(asked.sound)
    sound = sound if asked.seconds is None else cut(sound, min(asked.seconds, sound.duration))
    if asked.sheet:
        write(asked.sheet, draw_sheet(asked.portraits, sound))
    if asked.rate:
        rate_sheets(asked.portraits, sound, asked.rate)
    if asked.clips:
        asked.clips.mkdir(parents=True, exist_ok=True)
        for file in asked.portraits:
            print(make_clip(file, sound, asked.clips), flush=True)
    if asked.held_note:
        for file in asked.portraits:
            print(
                file.name,
                "opening {:.2f}, change with opening {:.3f}, when still {:.2f} / 255".format(*hold_note(file)),
                flush=True,
            )


if __name__ == "__main__":
    main()
