"""The main job, wired: a portrait and a sound go in, a talking clip comes out."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from . import voicing
from .cast.people import Cast, gather_cast
from .cast.performing import CastConditions, animate_cast, prepare_cast
from .cast.speakers import Sound, Speaker
from .clip import SOUND_CHOICES, Clip, Source, open_clip
from .devices import Hardware, Keeper
from .direction import Directions, combined
from .errors import SettingsError
from .faces import RememberingFinder, face_finder
from .media.arriving import ArrivingAudio
from .media.credentials import Signer
from .media.given import as_picture
from .media.mark import Mark
from .media.mixing import mixdown
from .memory import memory_errors
from .models.protocol import Conditions, Dubs, LooksAhead, Model
from .models.registry import AUTO, DUBBING, find_model
from .outputs import check_output, check_size
from .post.align import Refinement
from .post.compose import Compose
from .post.finish import Finish
from .post.stage import Reports, Stage, Staged, apply_stages
from .preparing import DubConditions, direct_one, merge_settings, prepare_portrait
from .settings import Settings, amend
from .speech import Speech
from .sync.check import LipsCheck, check_lips
from .types import Audio, Progress, ignore_progress
from .weights.catalog import PREVIEW
from .weights.lora import LoraLike, as_lora
from .weights.search import SearchPath, Weights

log = logging.getLogger("sonic")

SVD_IS_A_PART = "svd= goes with the next release; name the file or folder of Stable Video Diffusion among weights."


@dataclass(frozen=True)
class TalkingPortrait:
    """A loaded model, ready to make clips."""

    name: str
    """Name of the model that was chosen; never "auto"."""
    model: Model
    weights: Weights = ()
    """Where weights of face finders are looked for first."""

    def generate(
        self,
        audio: Sound | None = None,
        image: Any = None,  # noqa: ANN401 - pictures have many forms
        *,
        video: str | Path | Clip | None = None,
        speakers: Mapping[int, Sound | Speaker] | None = None,
        lips_from: Sound | None = None,
        direction: Directions | None = None,
        settings: Settings | None = None,
        progress: Progress = ignore_progress,
        **options: Any,  # noqa: ANN401
    ) -> Clip:
        """Make the portrait, or the person of a video, say the sound.

        Args:
            audio: A sound file, or a sound, or a stream of a file's bytes.
            image: A picture file, its bytes or a stream of them; a PIL image; or a tensor or NumPy array: (3, h, w) or
                (h, w, 3), grey or with opacity, alone in its batch or without one, in [0, 1], 0 … 255 or 0 … 65535.
            video: In place of a picture, a video file or a clip whose person says the sound: mouth, jaw and lower
                cheeks are new, every other pixel stays as it was. The ``Result`` of ``run`` tells how many those are.
            speakers: Instead of ``audio``, what each of several people says, by the number of the face as ``faces``
                lists them, in a video as they appear; a ``Speaker`` begins later. In a picture the others listen, and
                the clip shows it whole. Beside ``audio`` in which several speak, which voice each says, as "voice:1".
            lips_from: A sound that the lips follow, such as a vocal track, while the video carries ``audio``.
            direction: What changes over time, as of ``Direction.of``: curves by name, such as
                ``{"head_yaw": "0:0, 2:15", "smile": 0.6}``, or a file of them. It counts beside that of ``settings``.
            settings: All settings at once; or give single ones as ``options``, named as in ``Settings``.
            progress: Hears (stage, done, total).
            **options: Fields of ``Settings``.

        Returns:
            A clip to ``export``; what can be computed frame by frame is computed while it is read.

        Raises:
            SettingsError: A setting is not possible or not known.
            InputError: The sound or the picture cannot be used; ``FaceNotFoundError`` when there is no face.
            MediaError: A file cannot be read.
            OutOfMemoryError: There is not enough memory.
        """
        settings = merge_settings(settings, options)
        settings = amend(settings, direction=combined(settings.direction, direction))
        job = Job(image, audio, settings, self, video=video, speakers=speakers or {}, lips_from=lips_from)
        return run(job, progress).clip

    def animate(
        self,
        conditions: Conditions,
        settings: Settings,
        progress: Progress = ignore_progress,
        *,
        stages: Sequence[Stage] | None = None,
    ) -> Staged[Reports]:
        """Make the clip, and put it back into its picture where the settings ask for that.

        Args:
            conditions: What ``model.prepare`` gave.
            settings: All settings.
            progress: Hears (stage, done, total).
            stages: What follows the model, before it is put back; None: as the settings ask and the model needs.
        """
        if isinstance(conditions, voicing.HeardApart):
            if isinstance(conditions.conditions, CastConditions):  # one sound cannot move apart
                settings = amend(settings, lip_sync_refinement=False)
            return conditions.with_sound(self.animate(conditions.conditions, settings, progress, stages=stages))
        if isinstance(conditions, DubConditions):
            return self.dub(conditions.video, conditions.sounds, settings, progress, stages=stages or ())
        if isinstance(conditions, CastConditions):
            made = animate_cast(conditions, settings, partial(self._finish, settings, stages, progress), progress)
        else:
            made = self._animate_one(conditions, direct_one(settings, self.model), progress, stages)
        return replace(made, clip=replace(made.clip, mark=Mark(self.name)))

    def _animate_one(
        self, conditions: Conditions, settings: Settings, progress: Progress, stages: Sequence[Stage] | None
    ) -> Staged[Reports]:
        clip = self.model.animate(conditions, settings, progress)
        following = [*(self._finishing(settings) if stages is None else stages)]
        if settings.paste_back:
            place = conditions.portrait.placement
            following.append(Compose(Source(place.source), (place.box,)))
        return apply_stages(following, clip, progress)

    def dub(
        self,
        video: Clip,
        audio: Audio | Mapping[int, Audio],
        settings: Settings,
        progress: Progress = ignore_progress,
        *,
        stages: Sequence[Stage] = (),
    ) -> Staged[Reports]:
        """Let people of a video say something else, at the video's own rate and size.

        ``audio`` is what ``settings.face_index`` says, cut to its duration; or what each says, by number, all as long.

        Raises:
            SettingsError: This model dubs no videos, or cannot be directed so.
        """
        if not isinstance(self.model, Dubs):
            raise SettingsError(f"{self.name} animates pictures; expected {DUBBING} to dub a video: load that one.")
        sounds = {settings.face_index: audio} if isinstance(audio, Audio) else audio
        finder = face_finder("auto", self.weights, everybody=max(sounds) > 0)
        made = self.model.dub(video, sounds, settings, finder, progress)
        following = apply_stages(stages, made.clip, progress)
        clip = replace(following.clip, mark=Mark(self.name, dubbed=True))
        return Staged(clip, Reports((made.report, *following.report.parts)))

    def prepare_cast(self, cast: Cast, settings: Settings, progress: Progress = ignore_progress) -> CastConditions:
        """Compute what does not depend on the frame for all people of a picture, for ``animate``.

        Where this model is slow those who only listen are sonic-preview's.
        """
        listening = self.model if self.model.exact else find_model(PREVIEW.name).load((), Hardware(), ())
        return prepare_cast(cast, self.model, listening, settings, progress)

    def _finish(
        self, settings: Settings, stages: Sequence[Stage] | None, progress: Progress, clip: Clip
    ) -> Staged[Reports]:
        return apply_stages(self._finishing(settings) if stages is None else stages, clip, progress)

    def _finishing(self, settings: Settings) -> list[Stage]:
        if self.model.exact or settings.published:
            return []
        finder = RememberingFinder(face_finder("auto", self.weights))
        wanted = settings.lip_sync_refinement, settings.temporal_smoothing
        return [Finish(*wanted, streamed=settings.stream, finder=finder)]


@dataclass(frozen=True, eq=False)
class Job:
    """One talking video that is asked for: plain data, of which ``run`` makes it."""

    image: Any
    """A picture file, or a picture in any form that ``TalkingPortrait.generate`` takes; None where there is a video."""
    audio: Sound | None = None
    """A sound file, a sound, or a stream of bytes, which is answered while it comes where the model can do so."""
    settings: Settings = field(default_factory=Settings)
    model: str | TalkingPortrait = "auto"
    """A model's name, or a model that is loaded."""
    loading: Mapping[str, Any] = field(default_factory=dict)
    """What ``load_model`` is told besides the name: weights, device, precision, …"""
    stages: Sequence[Stage] | None = None
    """What follows the model; None: as the settings ask and the model needs."""
    output: str | Path | BinaryIO | None = None
    """A file or folder to write, or what takes the video byte by byte while it is made; None: nothing is written."""
    format: str | None = None
    """As of ``Clip.export``; into a stream of bytes only mp4-h264 can be written."""
    crf: float | None = None
    """As of ``Clip.export``, like the next four."""
    pingpong: bool = False
    sound: str = SOUND_CHOICES[0]
    metadata: Mapping[str, str] | None = None
    mark: bool | Signer = True
    video: str | Path | Clip | None = None
    """In place of a picture, a video whose person, or people, say the sound."""
    speakers: Mapping[int, Sound | Speaker] = field(default_factory=dict)
    """Instead of ``audio``, as of ``TalkingPortrait.generate``."""
    lips_from: Sound | None = None
    """As of ``TalkingPortrait.generate``."""


@dataclass(frozen=True, eq=False)
class Result:
    """What came of a job."""

    clip: Clip
    """The video; reading it again makes again what is made while it is read."""
    model: str
    """Name of the model that made it; never "auto"."""
    report: Reports
    """What the stages did."""
    output: Path | None
    """The file or folder that was written, if one was."""
    lips: LipsCheck | None = None
    """What can be said of lips and sound; None where the sound came byte by byte."""

    @property
    def seconds(self) -> float:
        """Length of the picture; where its sound came byte by byte, no longer than that turned out to be."""
        ended = self.clip.audio.ended if isinstance(self.clip.audio, ArrivingAudio) else None
        return min(self.clip.duration, ended or math.inf)


def run(job: Job, progress: Progress = ignore_progress) -> Result:
    """Make a talking video.

    Refused before anything is computed is what cannot be written; where anything is raised, nothing is left behind.

    Args:
        job: What is asked for.
        progress: Hears (stage, done, total).

    Raises:
        SettingsError: A setting is not possible.
        InputError: The sound or the picture cannot be used; ``FaceNotFoundError`` when there is no face.
        CheckpointError: The model's weights are not there, or damaged.
        MediaError: A file cannot be read or written.
        OutOfMemoryError: There is not enough memory.
    """
    check_output(job.output, job.format, job.crf, job.sound, job.mark)
    voicing.check_given(job.image, job.audio, speakers=job.speakers, lips_from=job.lips_from, video=job.video)
    with memory_errors():
        model = _loaded(job)
        if job.video is not None:
            return _dub(job, model, progress)
        conditions, settings = (_prepared_cast if job.speakers else _prepared)(job, model, progress)
        made = model.animate(conditions, settings, progress, stages=job.stages)
        written = _write(job, made.clip, progress)
        lips = _check(conditions.audio, getattr(conditions, "speech", None), model, settings, made.report)
        return Result(made.clip, model.name, made.report, written, lips)


def _loaded(job: Job) -> TalkingPortrait:
    """Load the job's model; where a video is dubbed, "auto" is the one that can."""
    if not isinstance(job.model, str):
        return job.model
    return load_model(DUBBING if job.video is not None and job.model == AUTO else job.model, **job.loading)


def _dub(job: Job, model: TalkingPortrait, progress: Progress) -> Result:
    """Let people of a video say something else."""
    heard, sound = voicing.hear_dubbed(job.audio, job.speakers, job.settings, job.lips_from)
    video = job.video if isinstance(job.video, Clip) else open_clip(cast("str | Path", job.video))
    check_size(job.output, job.format, video.size)
    made = model.dub(video, heard, job.settings, progress)
    following = apply_stages(job.stages or (), voicing.carry(made.clip, sound), progress)
    report = Reports((*made.report.parts, *following.report.parts))
    written, followed = _write(job, following.clip, progress), mixdown(list(heard.values()))
    return Result(following.clip, model.name, report, written, _check(followed, None, model, job.settings, report))


def _prepared(job: Job, model: TalkingPortrait, progress: Progress) -> tuple[Conditions, Settings]:
    """Prepare the one who speaks."""
    direct_one(job.settings, model.model)
    heard = None if hasattr(job.audio, "read") else _hear(job, model)  # a stream's first bytes may come late
    picture = as_picture(job.image)
    progress("portrait", 0, 1)
    portrait = prepare_portrait(picture, job.settings, weights=model.weights)
    progress("portrait", 1, 1)
    shown = portrait.placement.source if job.settings.paste_back else portrait.image
    check_size(job.output, job.format, (shown.shape[1], shown.shape[2]))
    sound, settings = heard or _hear(job, model)
    return voicing.prepare_heard(
        model.model, portrait, sound, settings, progress, lips_from=voicing.lips_of(job.lips_from, job.settings)
    ), settings


def _prepared_cast(job: Job, model: TalkingPortrait, progress: Progress) -> tuple[Conditions, Settings]:
    """Prepare all who speak or listen."""
    sounds, mixed = voicing.hear_all(job.audio, job.speakers, job.settings)
    picture = as_picture(job.image)
    check_size(job.output, job.format, (picture.shape[1], picture.shape[2]))
    progress("portrait", 0, 1)
    cast = gather_cast(picture, sounds, job.settings, face_finder("auto", model.weights, everybody=True))
    progress("portrait", 1, 1)
    prepared = model.prepare_cast(cast, job.settings, progress)
    return (prepared if mixed is None else voicing.HeardApart(prepared, mixed)), job.settings


def _hear(job: Job, model: TalkingPortrait) -> tuple[Audio, Settings]:
    """Read the sound; one that comes byte by byte to its end, unless it can be answered while it comes."""
    live = job.output is not None and not isinstance(job.output, (str, Path))
    whole = job.lips_from is not None or voicing.wants_voice(job.settings)
    look = model.model.look_ahead if live and not whole and isinstance(model.model, LooksAhead) else None
    return voicing.hear(cast("Sound", job.audio), job.settings, look)


def _check(
    sound: Audio, speech: Speech | None, model: TalkingPortrait, settings: Settings, reports: Reports
) -> LipsCheck | None:
    """Say of lips and sound what is at hand; nothing of a sound that came byte by byte."""
    if isinstance(sound, ArrivingAudio):
        return None
    found = next((one.measurement for one in reports.flat() if isinstance(one, Refinement)), None)
    led = settings.direction.curve("dynamic_scale") if settings.direction else None
    lively, exact = max(led.values) if led else settings.dynamic_scale, model.model.exact
    return check_lips(speech or Speech.of(sound), lively=lively, sync=found, exact=exact)


def _write(job: Job, clip: Clip, progress: Progress) -> Path | None:
    if job.output is None:
        return None
    shared: dict[str, Any] = {"crf": job.crf, "sound": job.sound, "metadata": job.metadata, "mark": job.mark}
    shared["progress"] = progress
    if not isinstance(job.output, (str, Path)):
        clip.stream(job.output, **shared)
        return None
    return clip.export(job.output, format=job.format, pingpong=job.pingpong, **shared)


def load_model(
    name: str = "auto",
    *,
    weights: Weights = (),
    svd: str | Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    keeper: Keeper | None = None,
    others: Sequence[Keeper] = (),
    acceleration: str = "auto",
    attention: str = "auto",
    loras: Sequence[LoraLike] = (),
) -> TalkingPortrait:
    """Load a model by name; what it reads is read when it is first needed.

    Args:
        name: "sonic-base", "sonic-preview", or "auto": sonic-base where all its weights are found, else sonic-preview.
        weights: Folders in which weights are looked for first, and files or folders of single parts, each found as the
            part it is: under its published name, or as any ``.safetensors`` file Stable Video Diffusion.
        svd: Deprecated: name the file or folder of Stable Video Diffusion among ``weights``.
        device: For sonic-base: "auto", "cpu", "cuda", "cuda:1", "xpu", "mps"; or several, "cuda:0,cuda:1", which share
            the windows of a clip.
        precision: For sonic-base: "auto", "fp16", "bf16" or "fp32".
        keeper: For sonic-base: who brings networks to the device, instead of ``device``; a host has its own.
        others: Keepers of further devices, beside ``keeper``.
        acceleration: For sonic-base on a card: "auto", "off", or levers such as "compile=on,graphs=off".
        attention: For sonic-base on a card: "auto", "sdpa", or another kernel that is installed, such as "sage".
        loras: For sonic-base: files of low-rank changes of its UNet, which add up; "file:strength" or a pair of both
            counts so much of one.

    Returns:
        The loaded model; its ``name`` says which one "auto" chose.

    Raises:
        CheckpointError: The model's weights are not there; the message lists every missing file, where it belongs and
            where it comes from. Or a LoRA is not there, or is none.
        SettingsError: There is no such model, device or precision, or it has no weights that a LoRA changes.
    """
    search = SearchPath.of(weights)
    if svd is not None:
        warnings.warn(SVD_IS_A_PART, DeprecationWarning, stacklevel=2)
        search = search.naming(svd)
    spec, changes = find_model(name, search), [as_lora(one) for one in loras]
    if changes and not spec.takes_loras:
        raise SettingsError(
            f"A LoRA changes sonic-base, and {spec.name} was loaded; got {changes[0].path}: leave it out, or choose "
            "sonic-base."
        )
    model = spec.load(search, Hardware(device, precision, keeper, others, acceleration, attention), changes)
    return TalkingPortrait(spec.name, model, search)
