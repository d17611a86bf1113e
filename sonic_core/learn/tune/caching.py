"""What a tuning needs of its videos, computed once: latents, audio tokens, where the face is; kept on disk.

One file per piece of video, and one beside them per video that says which pieces it gave and what was dropped. Whoever
is stopped goes on with the first video that has no such file.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save

from ...clip import open_clip
from ...devices import Keeper
from ...errors import InputError, MediaError, SonicError
from ...faces.geometry import face_box
from ...media.ahead import closable, read_ahead
from ...media.files import written_beside
from ...media.pixels import resize_lanczos
from ...models.base.conditions import FEATURE_BYTES, VAE_ENCODER_BYTES, hear, unconditional_tokens
from ...models.base.image_features import image_embedding
from ...models.base.loading import Networks
from ...models.base.vae import reference_latents
from ...types import Audio, FaceFinder, Progress, ignore_progress
from ..data.notes import listed_clips, read_note
from .plan import LearningPlan
from .watching import FPS, STRIDE, Take, Watched, watch

STAGE = "encode"
VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".ts")
"""Endings of the files in a folder that are taken for videos."""
_VERSION = 1
"""Of the files' form; another one prepares everything anew."""

_log = logging.getLogger("sonic")


@dataclass(frozen=True, eq=False)
class Talk:
    """A piece of video as the model knows it, n frames, 12.5 a second."""

    latents: torch.Tensor
    """(n, 4, h, w) float16, unscaled."""
    tokens: torch.Tensor
    """(n, tokens, width) float16, what each frame hears."""
    unheard: torch.Tensor
    """(1, tokens, width) float16, what is heard where there is no sound."""
    references: torch.Tensor
    """(k,) numbers of the frames that may stand for the portrait."""
    embeddings: torch.Tensor
    """(k, width) float32, what CLIP sees in them."""
    boxes: torch.Tensor
    """(n, 4) float32, the face in the square's pixels."""
    points: torch.Tensor
    """(n, 468, 2) float32, its points, likewise."""
    predicted: torch.Tensor
    """(n, 2) float32, the motion buckets that the model itself would guess from the sound."""

    @property
    def length(self) -> int:
        """Number of frames."""
        return len(self.latents)

    @property
    def size(self) -> int:
        """Pixels of the square's side."""
        return self.latents.shape[-1] * 8


@dataclass
class Prepared:
    """What came of some videos."""

    paths: list[Path] = field(default_factory=list)
    """Files of the pieces, in the videos' order."""
    seconds: float = 0.0
    """Length of all pieces."""
    dropped: dict[str, float] = field(default_factory=dict)
    """Seconds that are not used, by reason."""
    unread: dict[str, str] = field(default_factory=dict)
    """Videos that could not be read, and why."""
    unmeasured: int = 0
    """Videos whose sound was left as it is, since it could not be told whether it is in step."""


def find_videos(named: Sequence[Path]) -> list[Path]:
    """List the videos that are meant: files, and those in folders, however deep, by name; of a set, its clips.

    Raises:
        MediaError: There is none.
    """
    found = []
    for path in named:
        inside = listed_clips(path) if path.is_dir() else [path]
        if inside is None:
            inside = sorted(one for one in path.rglob("*") if one.suffix.lower() in VIDEOS)
        found += [one for one in inside if one.is_file()] if path.is_dir() else inside
    if not found:
        raise MediaError(f"Expected videos in {', '.join(map(str, named))}, found none ({', '.join(VIDEOS)}).")
    return list(dict.fromkeys(found))


@dataclass(frozen=True, eq=False)
class Workshop:
    """What pieces of video are encoded with."""

    plan: LearningPlan
    """What is cut out."""
    networks: Networks
    """The VAE, the image encoder and the audio networks are used."""
    keeper: Keeper
    """Tells where."""


def prepare(
    videos: Sequence[Path],
    folder: Path,
    workshop: Workshop,
    *,
    finder: FaceFinder | None = None,
    progress: Progress = ignore_progress,
) -> Prepared:
    """Prepare videos that are not prepared yet.

    Args:
        videos: Files.
        folder: Where what is prepared is kept.
        workshop: What they are encoded with.
        finder: Finds faces; None takes the best finder that is there.
        progress: Called with ("watch" and "encode", frames done, frames in all).

    Raises:
        InputError: Nothing of them can be learned from; the reasons are told.
    """
    folder.mkdir(parents=True, exist_ok=True)
    result = Prepared()
    for video in videos:
        mark = _mark(video, workshop)
        verdict = folder / f"{mark}.json"
        if not verdict.is_file():
            try:
                in_step = read_note(video) is not None
                found = watch(open_clip(video), workshop.plan, finder, progress, in_step=in_step)
                told = _kept(found, folder / mark, workshop, progress)
            except (MediaError, InputError) as error:
                told = {"unread": str(error)}
            with written_beside(verdict) as part:
                part.write_text(json.dumps({"video": str(video), **told}, indent=1), encoding="utf-8")
            _log.info("%s: %s", video.name, _words(told))
        _add(result, video, folder, json.loads(verdict.read_text(encoding="utf-8")))
    if not result.paths:
        reasons = [f"{seconds:.0f} s {reason}" for reason, seconds in result.dropped.items()]
        reasons += [reason.rstrip(".") for reason in result.unread.values()]
        raise InputError(
            f"Nothing of {len(videos)} videos can be learned from: {'; '.join(reasons)}. "
            "Use videos of one face, larger and longer, that speaks."
        )
    return result


def read_talk(path: Path) -> Talk:
    """Read a prepared piece; its tensors are mapped.

    Raises:
        MediaError: The file is damaged.
    """
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            return Talk(**{name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 - no mapping
    except Exception as error:
        raise MediaError(f"{path} is damaged ({error}); remove the folder, and it is prepared anew.") from error


def _add(result: Prepared, video: Path, folder: Path, told: Mapping[str, Any]) -> None:
    if "unread" in told:
        result.unread[str(video)] = told["unread"]
        return
    result.paths += [folder / name for name in told["pieces"]]
    result.seconds += told["seconds"]
    for reason, seconds in told["dropped"].items():
        result.dropped[reason] = result.dropped.get(reason, 0.0) + seconds
    result.unmeasured += not told["sure"] and bool(told["pieces"])


def _words(told: Mapping[str, Any]) -> str:
    if "unread" in told:
        return f"not used: {told['unread']}"
    step = f"its sound moved by {0.0 - told['offset'] * 1000:+.0f} ms" if told["sure"] else "its sound left as it is"
    dropped = "".join(f"; {seconds:.1f} s dropped: {reason}" for reason, seconds in told["dropped"].items())
    return f"{told['seconds']:.1f} s in {len(told['pieces'])} pieces, {step}{dropped}"


def _mark(video: Path, workshop: Workshop) -> str:
    """Tell a video, and all on which its preparation depends."""
    files, plan = workshop.networks.files, workshop.plan
    made_of = [str(video.resolve()), *(files.audio2token, files.audio2bucket, files.svd), files.whisper]
    states = [_state(Path(one)) for one in made_of]
    words = json.dumps([_VERSION, made_of[0], states, plan.of_data(), plan.window], default=str)
    return f"{video.stem[:40]}-{hashlib.sha256(words.encode()).hexdigest()[:16]}"


def _state(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError:
        return 0, 0
    return state.st_size, state.st_mtime_ns


def _kept(found: Watched, beside: Path, workshop: Workshop, progress: Progress) -> dict[str, Any]:
    """Encode a video's pieces and keep them in files that begin like ``beside``; tell what is kept and what is not."""
    names = []
    for number, talk in enumerate(encode(found, workshop, progress)):
        names.append(f"{beside.name}-{number:03d}.safetensors")
        with written_beside(beside.with_name(names[-1])) as part:
            part.write_bytes(save({name: value.contiguous() for name, value in vars(talk).items()}))
    return {
        "pieces": names,
        "seconds": sum(piece.length for piece in found.pieces) * STRIDE / float(FPS),
        "dropped": found.dropped,
        "offset": found.offset,
        "sure": found.sure,
    }


def encode(found: Watched, workshop: Workshop, progress: Progress = ignore_progress) -> Iterator[Talk]:
    """Encode the pieces of a video, in one pass over it.

    Args:
        found: What ``watch`` gave.
        workshop: What they are encoded with.
        progress: Called with ("encode", frames done, frames in all).
    """
    if not found.pieces or found.clip.audio is None:
        return
    plan, networks, keeper = workshop.plan, workshop.networks, workshop.keeper
    unheard = unconditional_tokens(networks, keeper).half()
    waiting = iter(found.pieces)
    piece = next(waiting)
    latents: list[torch.Tensor] = []
    images: dict[int, torch.Tensor] = {}
    chosen = _references(piece, plan)
    with closing(read_ahead(closable(found.clip.frames()))) as frames:
        for number, frame in enumerate(frames):
            progress(STAGE, number + 1, found.clip.length)
            if number < piece.first or (number - piece.first) % STRIDE:
                continue
            image = _cut_out(frame, piece, plan.size)
            if len(latents) in chosen:
                images[len(latents)] = image
            keeper.bring(networks.vae, VAE_ENCODER_BYTES * plan.size**2)
            latents.append(reference_latents(networks.vae, image).half())
            if len(latents) == piece.length:
                yield _talk(found.clip.audio, piece, _Seen(torch.stack(latents), images, unheard), workshop)
                latents, images = [], {}
                piece = next(waiting, None)
                if piece is None:
                    return
                chosen = _references(piece, plan)


@dataclass(frozen=True, eq=False)
class _Seen:
    """What was encoded of a piece's picture."""

    latents: torch.Tensor
    """(n, 4, h, w) float16."""
    images: dict[int, torch.Tensor]
    """Those frames, (3, size, size), that may stand for the portrait, by their number."""
    unheard: torch.Tensor
    """(1, tokens, width) float16."""


def _references(piece: Take, plan: LearningPlan) -> set[int]:
    """Choose the frames of a piece that may stand for the portrait, evenly."""
    return {round(one) for one in np.linspace(0, piece.length - 1, min(plan.references, piece.length))}


def _cut_out(frame: torch.Tensor, piece: Take, size: int) -> torch.Tensor:
    left, top, right, bottom = piece.square
    return resize_lanczos(frame[:, top:bottom, left:right], (size, size))


def _talk(audio: Audio, piece: Take, seen: _Seen, workshop: Workshop) -> Talk:
    """Encode the rest of one piece."""
    clip, size = workshop.networks.clip, workshop.plan.size
    workshop.keeper.bring(clip, FEATURE_BYTES)
    embeddings = torch.stack([image_embedding(clip, image)[0] for image in seen.images.values()])
    tokens, predicted = _heard(audio, piece, embeddings[0], workshop)
    left, top, right, _ = piece.square
    points = (piece.points - np.array([left, top], np.float32)) * np.float32(size / (right - left))
    boxes = np.array([face_box(one) for one in points], np.float32)
    return Talk(
        seen.latents, tokens.half(), seen.unheard, torch.tensor(list(seen.images)), embeddings, torch.from_numpy(boxes),
        torch.from_numpy(points), predicted.float(),
    )  # fmt: skip


def _heard(audio: Audio, piece: Take, embedding: torch.Tensor, workshop: Workshop) -> tuple[torch.Tensor, torch.Tensor]:
    """Let the audio networks hear a piece's sound: tokens and predicted buckets of its frames."""
    begin, end = (round(float(one / FPS) * audio.rate) for one in (piece.first, piece.first + STRIDE * piece.length))
    part = replace(audio, samples=audio.samples[:, begin:end].clone(), mapped=None)
    missing = end - begin - part.samples.shape[1]
    if missing > 0:  # the sound is shorter than the picture
        part = replace(part, samples=torch.nn.functional.pad(part.samples, (0, missing)))
    parts = list(hear(workshop.networks, workshop.keeper, part, embedding, published=False))
    tokens, buckets = (
        torch.cat([getattr(one, name) for one in parts])[: piece.length].clone() for name in ("tokens", "buckets")
    )
    if len(tokens) < piece.length:
        raise SonicError(f"Expected a sound of {piece.length} frames, heard {len(tokens)}.")
    return tokens, buckets
