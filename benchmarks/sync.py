"""How well offsets between sound and picture are measured.

    python benchmarks/sync.py VIDEO [VIDEO …] [--sounds FILE …] [--portraits PICTURE …] [--weights FILE]

Of every video: its offset and confidence; how often stretches of 1, 2 and 5 s have it within a frame of 31; and the
error when its sound is moved by −200 … +200 ms in steps of 20. Then the sounds of the other videos, of ``--sounds`` and
noise, none of them a video's own: the area under the curve of right against wrong evidence, how many videos are above
99 and 95 % of the wrong ones, how many wrong ones are trusted, and the distribution that confidence comes from.

``--portraits`` has sonic-preview draw them saying ``--sounds`` in turn: how often stretches of 0.2, 1 and 2 s are right
within a frame, and how often they are with a mouth at rest, where only head, eyes and lids move, or only the lids, or
where the mouth is noise: 10 % is chance.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sonic_core.clip import Clip, frame_count, open_clip
from sonic_core.errors import FaceNotFoundError
from sonic_core.evaluate.strangers import are_one_recording, separate
from sonic_core.learn.sync.judging import hits_of
from sonic_core.media.audio import read_audio
from sonic_core.media.image import read_image
from sonic_core.media.mixing import cut, shift
from sonic_core.models.preview.model import PreviewModel, frame_poses
from sonic_core.models.preview.puppet.pose import Pose
from sonic_core.pipeline import prepare_portrait
from sonic_core.settings import Settings
from sonic_core.speech import Speech
from sonic_core.sync.agreement import agreement
from sonic_core.sync.mouth import MouthMotion, mouth_motion
from sonic_core.sync.network import WEIGHTS, SyncNetwork, load_network
from sonic_core.sync.offset import REACH, SyncMeasurement, evidence_of, measure_offset
from sonic_core.types import Audio

SHIFTS = np.arange(-200, 201, 20) / 1000
PIECE = 8.0
"""Seconds of a wrong sound, at most."""
FPS = Fraction(25)
MOST_DRAWN = 8.0
"""Seconds of a drawn clip."""

MOUTH = ("gap", "width", "rounding", "upper", "lower", "jaw", "closure")
HEAD = ("brows", "yaw", "pitch", "roll", "sway_x", "sway_y", "gaze_x", "gaze_y")
"""What of a pose is the mouth's, and what the head's."""


@dataclass(frozen=True, eq=False)
class Sounded:
    """A mouth with its own sound."""

    motion: MouthMotion
    audio: Audio
    speech: Speech


def main() -> None:
    """Print everything for the files of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="*", type=Path)
    parser.add_argument("--sounds", nargs="*", default=[], type=Path)
    parser.add_argument("--portraits", nargs="*", default=[], type=Path)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    network, own = load_network(options.weights), dict(opened(options.videos))
    wrong = pieces(options.sounds) | noises()
    if own:
        people(network, own, {name: Speech.of(sound) for name, sound in wrong.items()})
    if options.portraits:
        drawn(network, options.portraits, options.sounds)


def opened(paths: list[Path]) -> Iterator[tuple[str, Sounded]]:
    """Look at videos; those without sound or face are said and left out."""
    for path in paths:
        clip = open_clip(path)
        if clip.audio is None:
            print(f"{path.name}: has no sound")
            continue
        try:
            yield path.stem, Sounded(mouth_motion(clip), clip.audio, Speech.of(clip.audio))
        except FaceNotFoundError as error:
            print(f"{path.name}: {error}")


def cosines_of(network: SyncNetwork, motion: MouthMotion, speech: Speech) -> np.ndarray:
    """Compare a mouth with a sound."""
    return agreement(network, motion.signals, motion.seen, float(motion.fps), speech.levels, reach=REACH)


def people(network: SyncNetwork, own: dict[str, Sounded], wrong: dict[str, Speech]) -> None:
    """Print what is found of videos with their own sounds and with others'."""
    right, errors, within = [], [], {1.0: [], 2.0: [], 5.0: []}
    for name, one in own.items():
        cosines = cosines_of(network, one.motion, one.speech)
        found = measure_offset(cosines)
        right.append(evidence_of(cosines))
        for seconds in within:
            hits = hits_of(cosines, seconds, found.offset)
            within[seconds] += [float(np.mean(hits))] if hits else []
        moved = [measure_offset(cosines_of(network, one.motion, Speech.of(shift(one.audio, by)))) for by in SHIFTS]
        off = np.abs([shifted.offset - found.offset - by for shifted, by in zip(moved, SHIFTS, strict=True)])
        errors += off.tolist() if found.confident else []
        tell(name, found, right[-1], off)
    shares = ", ".join(f"{seconds:g} s {np.mean(some):.0%}" for seconds, some in within.items() if some)
    print(f"within a frame of 31 of their own offset: {shares}")
    if errors:
        middle, most = 1000 * np.quantile(errors, (0.5, 0.9))
        print(f"shifts of trusted ones: median {middle:.1f} ms, 90 % {most:.1f} ms off")
    strangers(network, own, wrong, np.array(right))


def tell(name: str, found: SyncMeasurement, evidence: float, off: np.ndarray) -> None:
    """Print what was found of one video."""
    told = f"{found}; {found.verdict}; evidence {evidence:.2f}"
    print(f"{name}: {told}; shifts {1000 * np.median(off):.1f} ms off, at most {1000 * off.max():.0f}", flush=True)


def strangers(network: SyncNetwork, own: dict[str, Sounded], wrong: dict[str, Speech], right: np.ndarray) -> None:
    """Print how videos stand against the same ones with sounds that are not theirs."""
    heard = wrong | {name: one.speech for name, one in own.items()}
    found, trusted = [], []
    for name, one in own.items():
        others = {other: speech for other, speech in heard.items() if not are_one_recording(one.speech, speech)}
        cosines = {other: cosines_of(network, one.motion, speech) for other, speech in others.items()}
        found += [evidence_of(some) for some in cosines.values()]
        trusted += [f"{name} with {other}" for other, some in cosines.items() if measure_offset(some).confident]
    told = separate(right.tolist(), found)
    print(f"{len(right)} right against {len(found)} wrong: area {told.area:.4f}; above 99 % of the wrong ones "
          f"{told.above_high}, above 95 % {told.above_usual}")  # fmt: skip
    print(f"wrong sounds trusted: {len(trusted)} of {len(found)} ({', '.join(trusted) or 'none'})")
    print(
        f"evidence of wrong ones: 95 % below {told.usual:.3f}, 99 % {told.high:.3f}: middle {told.middle:.3f}, "
        f"{told.spread:.3f}"
    )


def drawn(network: SyncNetwork, portraits: list[Path], sounds: list[Path]) -> None:
    """Print how often stretches of drawn clips are right, with the mouth that speaks and without."""
    kinds = {"speaking": (), "at rest": MOUTH, "only lids": (*MOUTH, *HEAD)}
    hits: dict[str, dict[float, list[float]]] = {
        kind: {0.2: [], 1.0: [], 2.0: [], 5.0: []} for kind in (*kinds, "noise")
    }
    for number, path in enumerate(portraits):
        audio = cut(read_audio(sounds[number % len(sounds)]), MOST_DRAWN)
        speech = Speech.of(audio)
        for kind, still in kinds.items():
            motion = mouth_motion(draw(path, audio, still))
            add(hits[kind], cosines_of(network, motion, speech))
            if kind == "speaking":
                noise = np.random.default_rng(number).standard_normal(motion.signals.shape)
                add(hits["noise"], cosines_of(network, replace(motion, signals=noise), speech))
        told = {kind: f"{np.mean(rows[1.0]):.0%}" for kind, rows in hits.items() if rows[1.0]}
        print(f"{path.name}: so far, of 1 s: {told}", flush=True)
    for kind, rows in hits.items():
        print(
            f"drawn, {kind}: "
            + ", ".join(f"{seconds:g} s {np.mean(some):.1%}" for seconds, some in rows.items() if some)
        )


def add(rows: dict[float, list[float]], cosines: np.ndarray) -> None:
    """Add what stretches of a clip scored; the clip is in step."""
    for seconds in rows:
        rows[seconds] += hits_of(cosines, seconds, 0.0)


def draw(portrait: Path, audio: Audio, still: tuple[str, ...]) -> Clip:
    """Draw a portrait that says a sound, some of its movements left out."""
    settings = Settings(duration=audio.duration, fps=float(FPS), min_resolution=384)
    model = PreviewModel()
    conditions = model.prepare(prepare_portrait(read_image(portrait), settings=settings), audio, settings)
    length = frame_count(audio.duration, FPS)
    posed = [stilled(pose, still) for pose in frame_poses(conditions, settings, length, FPS)]
    puppet = conditions.puppet

    def read() -> Iterator[torch.Tensor]:
        for pose in posed:
            yield torch.from_numpy(puppet.frame(pose)).permute(2, 0, 1)[None]

    return Clip(read, FPS, length, (puppet.image.shape[0], puppet.image.shape[1]), audio)


def stilled(pose: Pose, still: tuple[str, ...]) -> Pose:
    """Leave movements out of a pose; a mouth at rest is the portrait's own."""
    return replace(pose, **dict.fromkeys(still, 0.0), **({"rest": 1.0} if still else {}))


def pieces(files: list[Path]) -> dict[str, Audio]:
    """Cut sounds into pieces of ``PIECE`` seconds; a shorter one is one piece."""
    found = {}
    for path in files:
        for number in range(max(1, int(read_audio(path).duration // PIECE))):
            found[f"{path.stem} {number}"] = read_audio(path, start=PIECE * number, duration=PIECE)
    return found


def noises() -> dict[str, Audio]:
    """Make noise of three kinds: even, in bursts, and swelling."""
    generator = torch.Generator().manual_seed(0)
    even = 0.1 * torch.randn(1, 10 * 16000, generator=generator)
    times = torch.arange(even.shape[1]) / 16000
    bursts = (torch.rand(100, generator=generator) > 0.5).float().repeat_interleave(1600)
    swelling = 1 + torch.sin(2 * torch.pi * 3 * times)
    made = {"even noise": even, "bursts of noise": even * bursts, "swelling noise": even * swelling}
    return {name: cut(Audio(samples, 16000), 10.0) for name, samples in made.items()}


if __name__ == "__main__":
    main()
