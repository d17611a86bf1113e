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
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sonic_core import Audio, Settings  # noqa: E402
from sonic_core.errors import SonicError  # noqa: E402
from sonic_core.evaluate.posing.holding import hold_note, measure_held_note  # noqa: E402
from sonic_core.evaluate.posing.sheets import (  # noqa: E402
    draw_poses,
    refused,
    strips,
    title_poses,
    titled,
    write,
    write_together,
)
from sonic_core.evaluate.posing.sitter import Sitter  # noqa: E402
from sonic_core.media.audio import read_audio  # noqa: E402
from sonic_core.media.image import read_image  # noqa: E402
from sonic_core.media.mixing import cut  # noqa: E402
from sonic_core.media.pixels import as_bytes  # noqa: E402

SETTINGS = Settings()


def draw_sheet(files: Iterable[Path], sound: Audio) -> np.ndarray:
    """Draw one row of poses per portrait: (h, w, 3) RGB bytes."""
    rows = [title_poses()]
    for file in files:
        rows.append(draw_poses(Sitter(file, SETTINGS, sound)))
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
            drawn = refused(as_bytes(read_image(file)), str(error))
        title = " | ".join([file.stem, *said])
        write(folder / f"{file.stem}.png", np.vstack([titled(title), *drawn.values()]))
        for kind, row in drawn.items():
            kinds.setdefault(kind, []).append((title, row))
        print(title, flush=True)
    for kind, rows in kinds.items():
        write_together(kind, rows, folder)


def make_clip(file: Path, sound: Audio, folder: Path) -> str:
    """Write a clip, the crop it was made of, and what was asked of each frame; say what was said of the portrait."""
    try:
        sitter = Sitter(file, SETTINGS, sound)
    except SonicError as error:
        return f"{file.name} | refused: {error}"
    clip, poses = sitter.speak()
    clip.export(folder / f"{file.stem}.mp4", crf=14)
    write(folder / f"{file.stem}.portrait.png", sitter.picture)
    np.savez_compressed(folder / f"{file.stem}.npz", allow_pickle=False, **sitter.record(clip, poses))
    return " | ".join([file.name, *sitter.warnings])


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
        note = hold_note(read_audio(ROOT / "assets" / "speech.wav"))
        for file in asked.portraits:
            held = measure_held_note(Sitter(file, Settings(motion_scale=0.0), note))
            figures = held.opening, held.change_with_opening, held.change_when_still
            print(
                file.name,
                "opening {:.2f}, change with opening {:.3f}, when still {:.2f} / 255".format(*figures),
                flush=True,
            )


if __name__ == "__main__":
    main()
