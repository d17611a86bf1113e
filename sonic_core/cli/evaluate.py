"""The command ``evaluate``: what a talking video scores, and what a real one does."""

# ruff: noqa: PLC0415 - torch and its kin load only when they are needed
from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .console import ProgressLine, add_weights, answer, say

if TYPE_CHECKING:
    import torch

    from ..clip import Clip
    from ..evaluate.report import ClipReport
    from ..evaluate.scores.sets import Pool, SetScore
    from ..types import FaceFinder

Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]
ENDINGS = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".gif", ".webp"}
"""What is taken for a video where a folder is named."""
PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


def add_commands(command: Command) -> None:
    """Offer the command.

    Args:
        command: Adds a command by its name, what it runs and a text about it, and returns its parser.
    """
    told = "measure what is good and bad about talking videos: lips, movement, flicker, likeness"
    evaluate = command("evaluate", run, told)
    evaluate.add_argument("videos", nargs="+", metavar="VIDEO", help="videos of a speaking face, or folders of them")
    same = "or a folder with one for each video, of the same name"
    evaluate.add_argument("--portrait", metavar="P", help=f"the picture that they were made of, {same}")
    evaluate.add_argument("--reference", metavar="V", help=f"a real video of the same performance, {same}")
    evaluate.add_argument(
        "--against",
        nargs="+",
        default=[],
        metavar="VIDEO",
        help="videos of the same inputs by another model, or a folder",
    )
    evaluate.add_argument("--html", metavar="R.html", help="write a page with curves and frames there")
    evaluate.add_argument(
        "--scores",
        metavar="NAMES",
        help="measure with these networks of others, whose weights must be there: syncnet,lpips,csim,fid,fvd, or none "
        "(default: those that are there)",
    )
    add_weights(evaluate, "weights of a face finder, and of networks that score,")


def run(options: argparse.Namespace) -> int:
    """Evaluate videos and print one table."""
    from ..evaluate.figures import describe_reports, list_figures
    from ..media.files import check_writable

    if options.html:
        check_writable(options.html, ".html")
    videos, others = listed(options.videos), listed(options.against) if options.against else []
    check_pairs(videos, others)
    bench = _Bench(options)
    reports, against = bench.score_all(videos), bench.score_all(others)
    sets = bench.compare()
    lines = [describe_reports(reports, against, sets)]
    if options.html:
        from ..evaluate.page import write_report

        lines.append(f"page: {write_report(options.html, reports, against, sets)}")
    answer(options, list_figures(reports, against, options.html, sets), "\n".join(lines))
    return 0


def listed(names: Sequence[str]) -> list[Path]:
    """List videos, and those in folders by their names.

    Raises:
        InputError: There is none in a folder.
    """
    found = []
    for name in map(Path, names):
        inside = sorted(path for path in name.iterdir() if path.suffix.lower() in ENDINGS) if name.is_dir() else [name]
        if not inside:
            raise InputError(f"Expected videos in {name}, found none; name a folder that holds some, or files.")
        found += inside
    return found


def asked_scores(names: str | None) -> list[str] | None:
    """Read names of scores, parted by commas; "none" asks for none, and nothing for those that are there.

    >>> asked_scores("lpips, csim"), asked_scores("none"), asked_scores(None)
    (['lpips', 'csim'], [], None)
    """
    if names is None:
        return None
    return [name.strip() for name in names.split(",")] if names.strip() != "none" else []


def check_pairs(videos: Sequence[Path], others: Sequence[Path]) -> None:
    """Refuse what cannot be compared in pairs, before any long work.

    Raises:
        InputError: There are not as many videos on both sides.
    """
    if others and len(videos) != len(others):
        raise InputError(
            f"--against compares the same inputs made by two models, pair by pair: expected {len(videos)} of them, got "
            f"{len(others)}."
        )


def beside(place: str, video: Path, endings: set[str]) -> Path:
    """Find what belongs to a video: the one file that there is, or in a folder the one of the same name.

    Raises:
        InputError: There is none of that name in the folder.
    """
    folder = Path(place)
    if not folder.is_dir():
        return folder
    found = sorted(path for path in folder.iterdir() if path.stem == video.stem and path.suffix.lower() in endings)
    if not found:
        raise InputError(f"Expected a file called {video.stem} in {folder}, to go with {video}; found none.")
    return found[0]


class _Bench:
    """Evaluates one video after the other; a reference that several share is read once for its own score."""

    def __init__(self, options: argparse.Namespace) -> None:
        from ..evaluate.scores.finding import find_scores
        from ..faces import face_finder

        self._portrait, self._reference = options.portrait, options.reference
        self._finder: FaceFinder = face_finder("auto", options.weights)
        self._networks = find_scores(options.weights, asked_scores(options.scores))
        self._real, self._sets = self._networks.new_pool(), []
        self._known: dict[tuple[Path, Path | None], ClipReport] = {}

    def score_all(self, videos: Sequence[Path]) -> list[ClipReport]:
        """Evaluate the videos of a model, which are a set too."""
        if not videos:
            return []
        pool = self._networks.new_pool() if self._reference is not None else {}
        self._sets.append(pool)
        return [self._score(video, pool) for video in videos]

    def compare(self) -> list[dict[str, SetScore]]:
        """Tell how far each model's set is from that of the references."""
        from ..evaluate.scores.sets import compare_sets

        real = self._real if self._reference is not None else {}
        return [compare_sets(pool, real, self._networks.missing) for pool in self._sets]

    def _score(self, video: Path, pool: Pool) -> ClipReport:
        """Evaluate a video."""
        from ..clip import open_clip
        from ..media.image import read_image

        portrait_path = None if self._portrait is None else beside(self._portrait, video, PICTURES)
        portrait = None if portrait_path is None else read_image(portrait_path)
        reference, score = None, None
        if self._reference is not None:
            path = beside(self._reference, video, ENDINGS)
            reference, asked = open_clip(path), (path, portrait_path)
            if asked not in self._known:
                self._known[asked] = self._evaluate(reference, path, portrait, pool=self._real)
            score = self._known[asked]
        return self._evaluate(open_clip(video), video, portrait, reference, score, pool=pool)

    def _evaluate(
        self,
        clip: Clip,
        path: Path,
        portrait: torch.Tensor | None,
        reference: Clip | None = None,
        score: ClipReport | None = None,
        *,
        pool: Pool,
    ) -> ClipReport:
        from ..evaluate.evaluation import evaluate_clip

        say(f"{path}: {clip.length} frames of {clip.size[1]}x{clip.size[0]}")
        return evaluate_clip(
            clip,
            portrait=portrait,
            reference=reference,
            reference_report=score,
            finder=self._finder,
            scores=replace(self._networks, pool=pool),
            name=path.stem,
            progress=ProgressLine(),
        )
