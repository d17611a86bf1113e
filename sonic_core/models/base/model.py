"""sonic-base: a talking portrait by video diffusion."""

from __future__ import annotations

import logging
import warnings
from dataclasses import replace
from fractions import Fraction
from functools import cached_property, partial

import torch

from ...clip import Clip, frame_count
from ...devices import Keeper, is_out_of_memory, weight
from ...errors import InputError, SettingsError, SonicWarning
from ...media.ahead import attended
from ...media.audio import cut
from ...post.flownet import FlowInterpolator, load_flownet
from ...post.interpolate import retimed
from ...settings import Settings
from ...types import Audio, Frames, Portrait, Progress, Watching, ignore_progress
from ...weights.store import BaseFiles
from .attention import AudioTokens, FaceMask, ImageToken
from .conditions import BaseConditions, encode_audio, encode_image, unconditional_tokens
from .config import LATENT_SCALE, LATENT_SIDE, MODEL_FPS
from .denoise import Schedule, denoise, frame_noise, karras_sigmas
from .guidance import ClipConditioning, Guidance, guided_prediction
from .latent_preview import latents_to_rgb
from .loading import Networks
from .networks import import_classes
from .plan import Job, Plan, lighter, make_plan
from .vae import PUBLISHED_CHUNK, Layout, decode_chunk, decoded

log = logging.getLogger("sonic")


class BaseModel:
    """The diffusion model (protocol ``Model``)."""

    name = "sonic-base"
    exact = False

    def __init__(self, files: BaseFiles, keeper: Keeper, dtype: torch.dtype) -> None:
        """Take the files; each is read when it is first needed.

        Args:
            files: Where everything lies.
            keeper: Tells on which device networks run, and brings them there.
            dtype: Number type of the UNet, the decoder and the image encoder.

        Raises:
            CheckpointError: The file of sizes cannot be read.
        """
        self.networks = Networks(files, dtype)
        self.keeper = keeper

    @cached_property
    def interpolator(self) -> FlowInterpolator:
        """Makes frames between the model's."""
        return FlowInterpolator(load_flownet(self.networks.files.interpolator), self.keeper)

    def prepare(
        self, portrait: Portrait, audio: Audio, settings: Settings, progress: Progress = ignore_progress
    ) -> BaseConditions:
        """Encode the portrait and the sound, which is already cut to its duration.

        Raises:
            CheckpointError: A weight file is damaged or of another model.
        """
        with self.networks.reporting(progress):
            progress("look", 0, 1)
            attended(import_classes, lambda: progress("look", 0, 1))
            embedding, latents = encode_image(self.networks, self.keeper, portrait.image)
            progress("look", 1, 1)
            tokens, buckets = encode_audio(
                self.networks, self.keeper, audio, embedding, published=settings.published, progress=progress
            )
            unconditional = unconditional_tokens(self.networks, self.keeper)
        return BaseConditions(portrait, audio, embedding, latents, tokens, unconditional, buckets)

    def animate(self, conditions: BaseConditions, settings: Settings, progress: Progress = ignore_progress) -> Clip:
        """Denoise the clip's latents; they become pixels while the clip is read.

        Raises:
            SettingsError: Memory does not suffice, whatever is done about it.
            CheckpointError: A weight file is damaged or of another model.
        """
        latents, plan = self._denoised(conditions, settings, progress)
        layout = Layout(PUBLISHED_CHUNK, fade=0) if settings.published else Layout(plan.chunk)
        height, width = conditions.portrait.image.shape[1:]
        read = partial(decoded, latents, layout, partial(self._decode, plan, layout))
        drawn = Clip(read, Fraction(MODEL_FPS), len(latents), (height, width), conditions.audio)
        fps, sound = Fraction(settings.fps), conditions.audio
        seconds = settings.duration or sound.duration
        if settings.published:  # a frame and one between each pair, at 25 per second, and no more sound than that
            seconds = float((2 * len(latents) - 1) / (2 * drawn.fps))
            sound = cut(sound, min(seconds, sound.duration))
        return replace(retimed(drawn, fps, frame_count(seconds, fps), self.interpolator), audio=sound)

    def _denoised(
        self, conditions: BaseConditions, settings: Settings, progress: Progress
    ) -> tuple[torch.Tensor, Plan]:
        """Draw the noise and denoise it: (frames, 4, h, w), and the plan that held."""
        networks, frames = self.networks, len(conditions.tokens)
        schedule = Schedule(settings.window, settings.window_overlap, settings.window_shift)
        latent_size = (conditions.latents.shape[1], conditions.latents.shape[2])
        job = Job(networks.config, latent_size, frames, schedule.window, schedule.overlap, networks.dtype)
        with networks.reporting(progress):
            unet = networks.unet
        plan = make_plan(job, self.keeper.device, self.keeper.free(), weight(unet), weight(networks.vae.decoder))
        log.info("sonic-base: %s", plan)
        least, most = (networks.config.scheduler[name] for name in ("sigma_min", "sigma_max"))
        sigmas = karras_sigmas(settings.inference_steps, least, most)
        noise = frame_noise(settings.seed, frames, (len(conditions.latents), *latent_size))
        latents = noise.mul_(float(sigmas[0])).add_(conditions.latents * LATENT_SCALE)
        predictor = _Predictor(self, conditions, settings, job, plan)

        def callback(done: int, total: int, clean: torch.Tensor) -> None:
            progress("denoise", done, total)
            if isinstance(progress, Watching):
                progress.show(latents_to_rgb(clean[len(clean) // 2]))

        progress("denoise", 0, 1)
        denoise(latents, sigmas, schedule, predictor.predict, callback, at_once=plan.windows)
        return latents, predictor.plan

    def _decode(self, plan: Plan, layout: Layout, latents: torch.Tensor) -> Frames:
        """Decode some frames; when memory runs out, fewer of them, and so from then on."""
        vae = self.networks.vae
        while True:
            try:
                self.keeper.bring(vae, plan.decoding * len(latents) // plan.chunk)
                return decode_chunk(vae, latents)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            self.keeper.make_room()
            if len(latents) == 1:
                height, width = (side * LATENT_SIDE for side in latents.shape[2:])
                raise SettingsError(
                    f"A frame of {width}×{height} does not fit into the memory of {self.keeper.device} when it is "
                    f"decoded alone; lower min_resolution, now {min(width, height)}, or close other programs."
                )
            latents = latents[: max(1, len(latents) // 2)]
            layout.chunk = min(layout.chunk, len(latents))
            warnings.warn(
                f"Memory ran out; frames decoded at once from now on: {len(latents)}.", SonicWarning, stacklevel=2
            )


class _Predictor:
    """Makes the predictions of one clip, with less at once whenever memory runs out."""

    def __init__(self, model: BaseModel, conditions: BaseConditions, settings: Settings, job: Job, plan: Plan) -> None:
        self.model, self.conditions, self.job, self.plan = model, conditions, job, plan
        self.guidance = Guidance(settings.appearance_guidance, settings.audio_guidance)
        scales = torch.tensor([settings.dynamic_scale * settings.motion_scale, settings.dynamic_scale])
        self.buckets = conditions.buckets * scales
        self.first = plan
        self.conditioning: ClipConditioning | None = None

    def predict(self, samples: torch.Tensor, indices: torch.Tensor, sigma: float, timestep: float) -> torch.Tensor:
        """Predict some windows' velocities (``denoise.Predict``)."""
        while True:
            try:
                return self._predict(samples, indices, sigma, timestep)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            self._reduce()

    def _predict(self, samples: torch.Tensor, indices: torch.Tensor, sigma: float, timestep: float) -> torch.Tensor:
        unet, plan = self.model.networks.unet, self.plan
        self.model.keeper.bring(unet, plan.working)
        unet.attention_context.piece = plan.piece
        self.conditioning = self.conditioning or self._clip_conditioning()
        prediction = guided_prediction(
            unet,
            self.conditioning,
            self.guidance,
            samples=samples,
            indices=indices,
            sigma=sigma,
            timestep=timestep,
            at_once=plan.rows,
        )
        if not bool(prediction.isfinite().all()):
            raise InputError(
                f"The UNet gave values that are not numbers in {str(self.job.dtype).removeprefix('torch.')}: "
                "choose another precision (bf16 or fp32), or download its weights again."
            )
        return prediction

    def _clip_conditioning(self) -> ClipConditioning:
        """Bring the conditioning of the clip to the UNet's device."""
        known, device, dtype = self.conditions, self.model.keeper.device, self.job.dtype
        levels = len(self.job.config.unet["block_out_channels"])
        return ClipConditioning(
            ImageToken(known.embedding.to(device, dtype)),
            known.latents.to(device, dtype),
            AudioTokens(known.tokens, device, dtype, cache=self.plan.cache_audio),
            AudioTokens(known.unconditional, device, dtype, cache=True),
            self.buckets,
            FaceMask(known.portrait.mask.to(device, dtype), self.job.latent_size, levels),
        )

    def _reduce(self) -> None:
        plan = lighter(self.plan, self.job)
        self.conditioning = None
        self.model.keeper.make_room()
        if plan is None:
            height, width = (side * LATENT_SIDE for side in self.job.latent_size)
            raise SettingsError(
                f"{width}×{height} does not fit into the memory of {self.model.keeper.device}. Less and less was tried "
                f"at once: from {self.first.rows} branches in pieces of {self.first.piece} pixels down to "
                f"{self.plan.rows} in pieces of {self.plan.piece}, about {self.plan.working / 1e9:.2f} GB beside the "
                f"weights. Lower min_resolution, now {min(width, height)}, then window, now {self.job.window}; or "
                "close other programs."
            )
        warnings.warn(f"Memory ran out; going on with less at once: {plan}.", SonicWarning, stacklevel=2)
        self.plan = plan
