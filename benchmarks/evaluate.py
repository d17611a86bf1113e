"""Does ``evaluate`` see known damage, and does it see nothing else?

    python benchmarks/evaluate.py [--portrait P] [--sounds FILE…] [--seeds 3] [--side 256] [--only NAME…] [--json OUT]

sonic-preview speaks every sound with several seeds; that is how far a measure spreads without any damage (standard
deviation over the seeds, pooled over the sounds; how far the sounds are apart is printed too). Then one clip of each
sound is damaged in a known way, and for each measure it is told by how many of its spreads it moved, mean over the
sounds. Every clip is written as MP4 and read again, as people's are. Movement is measured against another seed.

[x] is a damage's own measure, which should move by 5 and more; (x) sees the same by its nature; what follows should be
little. What moves by less than half a spread is not told.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.evaluate_parts.damage import DAMAGES, SILENCE, Damage, Take  # noqa: E402
from sonic_core import Audio, Clip, Settings, face_finder, open_clip, read_audio, read_image  # noqa: E402
from sonic_core.errors import SonicWarning  # noqa: E402
from sonic_core.evaluate.evaluation import report  # noqa: E402
from sonic_core.evaluate.portrait import Still  # noqa: E402
from sonic_core.evaluate.posing.sitter import Sitter  # noqa: E402
from sonic_core.evaluate.report import MEASURES, ClipReport  # noqa: E402
from sonic_core.evaluate.watching import Watch  # noqa: E402
from sonic_core.media.mixing import pad  # noqa: E402
from sonic_core.types import ignore_progress  # noqa: E402

ENOUGH, HARDLY = 5.0, 0.5
"""Spreads by which a damage must move its own measure, and below which a measure has not moved."""
LEAST = {"closures_kept": 15.0}
"""Percent that one closure is worth, of the six or seven that these sounds have."""
LEFT_OUT = ("closures", "psnr", "ssim")
"""Counted, or against a reference's pixels, which another seed does not have."""
NAMES = [name for name in MEASURES if name not in LEFT_OUT]
Values = dict[str, float]


def bundled_sounds() -> list[Audio]:
    """Take the bundled speech, and three more voices one after the other."""
    three = [read_audio(path) for path in sorted((ROOT / "assets" / "sounds").glob("*.wav"))]
    together = Audio(torch.cat([one.samples[:1] for one in three], 1), three[0].rate)
    return [read_audio(ROOT / "assets" / "speech.wav"), together]


class Bench:
    """Makes clips, writes them, evaluates them."""

    def __init__(self, portrait: Path, side: int, folder: Path) -> None:
        self.portrait, self.side, self.folder = portrait, side, folder
        self.still, self.finder = Still.of(read_image(portrait)), face_finder("embedded")

    def take(self, sound: Audio, other: Audio, seed: int) -> Take:
        """Let the portrait speak."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SonicWarning)  # small sides are meant
            settings = Settings(min_resolution=self.side, seed=seed)
        sound = pad(sound, sound.duration + SILENCE)
        return Take.of(Sitter(self.portrait, settings, sound), other)

    def watch(self, clip: Clip) -> tuple[Watch, Clip]:
        """Look at what is left of a clip after it was written."""
        path = clip.export(self.folder / "clip.mp4", sound="trimmed")
        watch, read = Watch(open_clip(path), self.still, None, self.finder), open_clip(path)
        watch.read(ignore_progress)
        return watch, read


def numbers(told: ClipReport) -> Values:
    """Take the measures that there are."""
    return {name: value for name, value in told.values.items() if value is not None and name in NAMES}


def spreads(clean: list[list[Values]]) -> tuple[Values, Values]:
    """Say how far each measure spreads over undamaged clips; at least by half of its last digit, or by one closure.

    Args:
        clean: For each sound, what its seeds score.

    Returns:
        Standard deviations over the seeds, pooled over the sounds; and over the sounds' means.
    """
    within, between = {}, {}
    for name in NAMES:
        least = LEAST.get(name, 0.5 * 10.0 ** -MEASURES[name].digits)
        groups = [[one[name] for one in some if name in one] for some in clean]
        groups = [group for group in groups if len(group) > 1]
        pooled = np.sqrt(np.mean([np.var(group, ddof=1) for group in groups])) if groups else 0.0
        middles = [np.mean(group) for group in groups]
        within[name] = max(float(pooled), least)
        between[name] = max(float(np.std(middles, ddof=1)), least) if len(middles) > 1 else least
    return within, between


def moved(pairs: Iterable[tuple[Values, Values]], spread: Values) -> Values:
    """Say by how many spreads each measure moved, mean over pairs (before, after)."""
    pairs = list(pairs)
    found = {}
    for name in NAMES:
        apart = [after[name] - before[name] for before, after in pairs if name in before and name in after]
        if apart:
            found[name] = float(np.mean(apart)) / spread[name]
    return found


def line(damage: Damage, by: Values) -> str:
    """Write what a damage moved, in spreads: [its own], (what sees the same), and what else moved."""

    def told(names: Iterable[str]) -> str:
        return ", ".join(f"{name} {by[name]:+.1f}" for name in names if name in by)

    others = [name for name in by if name not in (*damage.own, *damage.also) and abs(by[name]) >= HARDLY]
    also = [name for name in damage.also if abs(by.get(name, 0)) >= HARDLY]
    others.sort(key=lambda name: -abs(by[name]))
    return f"{damage.name:18s} [{told(damage.own)}] ({told(also)}) {told(others) or '-'}"


def main() -> None:
    """Print what is measured of undamaged clips, its spread, and what damage moves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--portrait", type=Path, default=ROOT / "assets" / "portrait.png")
    parser.add_argument("--sounds", nargs="*", type=Path, help="instead of the bundled ones; two at least")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--side", type=int, default=256, help="pixels of the clips' sides")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="names of damages")
    parser.add_argument("--json", type=Path, help="write all figures there")
    options = parser.parse_args()
    sounds = [read_audio(path) for path in options.sounds] if options.sounds else bundled_sounds()
    with tempfile.TemporaryDirectory() as folder:
        told = examine(Bench(options.portrait, options.side, Path(folder)), sounds, options)
    if options.json:
        options.json.write_text(json.dumps(told, indent=1) + "\n")


def examine(bench: Bench, sounds: list[Audio], options: argparse.Namespace) -> dict[str, Values]:
    """Measure everything."""
    takes, clean = [], []
    for number, sound in enumerate(sounds):
        others = [bench.take(sound, sounds[number - 1], seed) for seed in range(options.seeds + 1)]
        reference = report(*bench.watch(others[0].clip))
        watched = [bench.watch(one.clip) for one in others[1:]]
        scores = [numbers(report(watch, clip, reference)) for watch, clip in watched]
        takes.append((others[1], reference, scores[0], watched[0][0]))
        clean.append(scores)
        print(f"sound {number} is done", flush=True)
    spread, between = spreads(clean)
    for name in NAMES:
        scores = [score[name] for some in clean for score in some if name in score]
        shown = MEASURES[name].written(float(np.mean(scores)) if scores else None)
        print(f"{name:18s} {shown:>8s} {MEASURES[name].unit:5s} spread {spread[name]:.3g}, sounds {between[name]:.3g}")
    told, weak = {"spread": spread, "between sounds": between}, []
    for damage in DAMAGES:
        if options.only and damage.name not in options.only:
            continue
        pairs = []
        for take, reference, score, watch in takes:
            made = damage.make(take)
            seen, clip = (watch, made) if damage.heard else bench.watch(made)
            pairs.append((score, numbers(report(seen, clip, reference))))
        told[damage.name] = by = moved(pairs, spread)
        print(line(damage, by), flush=True)
        weak += [
            f"{damage.name}: {name} by {by.get(name, 0):.1f}" for name in damage.own if abs(by.get(name, 0)) < ENOUGH
        ]
    print(f"own measures that moved by less than {ENOUGH:g} spreads: {'; '.join(weak) or 'none'}")
    return told


if __name__ == "__main__":
    main()
