"""sonic-base: a talking portrait by video diffusion."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache, cached_property, partial
from threading import RLock
from typing import Any

import torch

from ...clip import Clip, frame_count
from ...devices import Keeper, weight
from ...direction import SCALES
from ...errors import SonicWarning
from ...media.ahead import attended
from ...media.mixing import cut
from ...post.interpolators.flownet import FlowInterpolator, load_flownet
from ...post.retime import interpolate
from ...settings import Settings
from ...types import Audio, Frames, Portrait, Progress, Watching, ignore_progress
from ...weights.lora import Lora
from .audio_features import encoder_length
from .conditions import (
    BaseConditions,
    ClipSound,
    PassingSound,
    WholeSound,
    count_frames,
    encode_audio,
    encode_image,
    hear,
    movement_scales,
    unconditional_tokens,
)  # fmt: skip
from .config import LATENT_SCALE, MODEL_FPS
from .decoding import Decoder
from .denoise import Course, PassingFrames, WholeClip, noisy_frames
from .files import BaseFiles
from .latent_preview import latents_to_rgb
from .loading import Networks, copy_unet
from .networks import import_classes
from .plan import Plan, Workload
from .predictor import Order, Predictor, Station
from .replicas import share_out
from .sampling import Sampling, choose_sampling
from .unet.acceleration import check_acceleration
from .vae import PUBLISHED_CHUNK, ChunkLayout
from .windows import Line, Ring, Schedule

log = logging.getLogger("sonic")

_ENDLESS = 1 << 30
"""Frames that no clip has."""


class BaseModel:
    """The diffusion model (protocol ``Model``)."""

    name = "sonic-base"
    exact = False
    directs = SCALES

    def __init__(
        self,
        files: BaseFiles,
        keeper: Keeper,
        dtype: torch.dtype,
        others: Sequence[Keeper] = (),
        *,
        acceleration: str = "auto",
        attention: str = "auto",
        loras: Sequence[Lora] = (),
    ) -> None:
        """Take the files; each is read when it is first needed.

        Args:
            files: Where everything lies.
            keeper: Tells on which device networks run, and brings them there.
            dtype: Number type of the UNet, the decoder and the image encoder.
            others: Keepers of further devices, among which the windows of a clip are shared out.
            acceleration: Levers that make a card's UNet faster, as ``choose_acceleration`` reads them.
            attention: Kernel of attention over pixels, likewise.
            loras: Changes that are merged into the UNet while it is read.

        Raises:
            CheckpointError: The file of sizes cannot be read.
            SettingsError: There is no such lever or kernel.
        """
        check_acceleration(acceleration, attention)
        self.acceleration, self.attention = acceleration, attention
        self.networks = Networks(files, dtype, loras)
        self.keeper = keeper
        self.others = tuple(others)
        self._turns = [RLock() for _ in (keeper, *others)]
        self._copies = [cache(lambda *, student: copy_unet(self._unet(student=student), self.networks.config))
                        for _ in others]  # fmt: skip

    @cached_property
    def interpolator(self) -> FlowInterpolator:
        """Makes frames between the model's."""
        return FlowInterpolator(load_flownet(self.networks.files.interpolator), self.keeper)

    def prepare(
        self, portrait: Portrait, audio: Audio, settings: Settings, progress: Progress = ignore_progress
    ) -> BaseConditions:
        """Encode the portrait and the sound, which is already cut to its duration.

        With ``settings.stream`` the sound is encoded while the clip is made.

        Raises:
            CheckpointError: A weight file is damaged or of another model; so is a LoRA.
        """
        published = settings.published
        with self.networks.reporting(progress):
            progress("look", 0, 1)
            attended(import_classes, lambda: progress("look", 0, 1))
            self.networks.check_loras()
            embedding, latents = encode_image(self.networks, self.keeper, portrait.image)
            progress("look", 1, 1)
            heard = None
            if not settings.stream:
                heard = encode_audio(
                    self.networks, self.keeper, audio, embedding, published=published, progress=progress
                )
            unconditional = unconditional_tokens(self.networks, self.keeper)
        frames, _ = count_frames(encoder_length(audio), published=published)
        return BaseConditions(portrait, audio, embedding, latents, unconditional, frames, heard)

    def animate(self, conditions: BaseConditions, settings: Settings, progress: Progress = ignore_progress) -> Clip:
        """Denoise the clip's latents; they become pixels while the clip is read.

        With ``settings.stream`` they are denoised while it is read too, front to back, and anew each time.

        Raises:
            SettingsError: Memory does not suffice, whatever is done about it; or settings exclude each other.
            CheckpointError: A weight file is damaged or of another model.
        """
        job, sampling = self._job(conditions, settings), self._sampling(settings)
        if settings.stream:
            read = partial(self._streamed, conditions, settings, sampling, job, progress)
        else:
            latents, plan = self._denoised(conditions, settings, progress, sampling)
            layout = ChunkLayout(PUBLISHED_CHUNK, fade=0) if settings.published else ChunkLayout(plan.chunk)
            read = partial(self._decoder(plan, layout, sampling).clip, latents, len(latents))
        height, width = conditions.portrait.image.shape[1:]
        drawn = Clip(read, Fraction(MODEL_FPS), job.frames, (height, width), conditions.audio)
        fps, sound = Fraction(settings.fps), conditions.audio
        seconds = settings.duration or sound.duration
        if settings.published:  # a frame and one between each pair, at 25 per second, and no more sound than that
            seconds = float((2 * job.frames - 1) / (2 * drawn.fps))
            sound = cut(sound, min(seconds, sound.duration))
        return replace(interpolate(drawn, fps, frame_count(seconds, fps), self.interpolator), audio=sound)

    def look_ahead(self, settings: Settings) -> float | None:
        """Tell how many seconds of sound the first frame of a stream needs (protocol ``LooksAhead``)."""
        if not settings.stream:
            return None
        steps = choose_sampling(settings, self.networks.config.scheduler).steps
        schedule = Schedule(settings.window, settings.window_overlap, settings.window_shift)
        return Line(_ENDLESS, schedule).look_ahead(steps) / MODEL_FPS

    def _job(self, conditions: BaseConditions, settings: Settings) -> Workload:
        size = conditions.latents.shape[1], conditions.latents.shape[2]
        return Workload(
            self.networks.config, size, conditions.frames, settings.window, settings.window_overlap, self.networks.dtype
        )

    def _streamed(
        self, conditions: BaseConditions, settings: Settings, sampling: Sampling, job: Workload, progress: Progress
    ) -> Iterator[Frames]:
        """Denoise and decode front to back."""
        predictors = self._predictors(conditions, settings, sampling, job, progress)
        plan = predictors[0].plan
        course = self._course(conditions, settings, sampling, job, wavefront=True)
        latents = self._walk(course, predictors, progress)
        yield from self._decoder(plan, ChunkLayout(plan.chunk), sampling).clip(latents, job.frames)

    def _sampling(self, settings: Settings) -> Sampling:
        """Tell how a clip with these settings is denoised by the weights that are there."""
        if settings.quality != "live":
            return choose_sampling(settings, self.networks.config.scheduler)
        parts = self.networks.live
        if parts.lacking:
            warnings.warn(parts.lacking, SonicWarning, stacklevel=3)
        sampling = choose_sampling(settings, self.networks.config.scheduler, parts.student)
        return replace(sampling, tiny=parts.tiny_vae is not None)

    def _decoder(self, plan: Plan, layout: ChunkLayout, sampling: Sampling) -> Decoder:
        return Decoder(self.networks, self.station, plan, layout, tiny=sampling.tiny)

    def _denoised(
        self, conditions: BaseConditions, settings: Settings, progress: Progress, sampling: Sampling | None = None
    ) -> tuple[torch.Tensor, Plan]:
        """Denoise a whole clip: (frames, 4, h, w), and the plan that held."""
        job = self._job(conditions, settings)
        sampling = sampling or self._sampling(settings)
        predictors = self._predictors(conditions, settings, sampling, job, progress)
        course = self._course(conditions, settings, sampling, job, wavefront=False)
        latents = torch.empty(job.frames, *conditions.latents.shape)
        for number, frame in enumerate(self._walk(course, predictors, progress)):
            latents[number] = frame
        return latents, predictors[0].plan

    def _course(
        self, conditions: BaseConditions, settings: Settings, sampling: Sampling, job: Workload, *, wavefront: bool
    ) -> Course:
        """Lay the way from noise to latents."""
        schedule = Schedule(settings.window, settings.window_overlap, settings.window_shift)
        noise = noisy_frames(settings.seed, float(sampling.sigmas[0]), conditions.latents * LATENT_SCALE)
        if wavefront:
            return Course(PassingFrames(noise), Line(job.frames, schedule), sampling.sigmas, wavefront=True)
        latents = torch.stack([next(noise) for _ in range(job.frames)])
        return Course(WholeClip(latents), Ring(job.frames, schedule), sampling.sigmas)

    def _predictors(
        self, conditions: BaseConditions, settings: Settings, sampling: Sampling, job: Workload, progress: Progress
    ) -> list[Predictor]:
        """Make what predicts, one per device."""
        scales = movement_scales(settings, job.frames)
        sound: ClipSound
        if conditions.heard is not None:
            sound = WholeSound(conditions.heard, scales)
        else:
            parts = hear(self.networks, self.keeper, conditions.audio, conditions.embedding, published=False)
            sound = PassingSound(parts, scales, self.station.turn)
        order = Order(conditions, sound, settings, sampling, job, self.acceleration, self.attention, progress)
        with self.networks.reporting(progress):
            decoder = weight(self.networks.vae.decoder)
            predictors = [Predictor(station, order, decoder) for station in self.stations]
        for predictor in predictors:
            log.info("sonic-base: %s", predictor.plan)
        return predictors

    @property
    def station(self) -> Station:
        """The first device, where everything but the UNet's windows is computed too."""
        return Station(self.keeper, self._unet, self._turns[0])

    @property
    def stations(self) -> list[Station]:
        """Every device with its UNet; all of them share the weights that lie in main memory."""
        others = zip(self.others, self._copies, self._turns[1:], strict=True)
        return [self.station, *(Station(keeper, unet, turn) for keeper, unet, turn in others)]

    def _unet(self, *, student: bool) -> Any:  # noqa: ANN401 - diffusers' type
        return self.networks.student_unet if student else self.networks.unet

    def _walk(self, course: Course, predictors: Sequence[Predictor], progress: Progress) -> Iterator[torch.Tensor]:
        """Go the way, frame by final frame, telling how far it is."""

        def callback(done: int, total: int, clean: torch.Tensor) -> None:
            progress("denoise", done, total)
            if isinstance(progress, Watching):
                progress.show(latents_to_rgb(clean[len(clean) // 2]))

        sound = predictors[0].order.sound
        progress("denoise", 0, course.total)
        yield from share_out(course, predictors, callback, lambda: sound.forget(course.given))
