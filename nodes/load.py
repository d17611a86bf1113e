"""Where the way begins: a model and a sound."""

# ruff: noqa: N802, PLC0415
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import host
from .schema import ADVANCED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..sonic_core import Audio, Progress, TalkingPortrait


CARDS = ("one", "all")
"""On how many graphics cards a clip is made."""


class ModelLoader:
    """Find a model's weights and load it."""

    CATEGORY = "Sonic/input"
    SEARCH_ALIASES = ("digital human model", "talking head model", "avatar", "checkpoint", "数字人模型", "加载模型")
    DESCRIPTION = (
        "Loads a talking-portrait model: sonic-base, a diffusion model whose weights are downloaded once, or "
        "sonic-preview, which is always there. auto takes sonic-base where all its files are found."
    )
    FUNCTION = "load"
    RETURN_TYPES = ("SONIC_MODEL",)
    RETURN_NAMES = ("model",)
    OUTPUT_TOOLTIPS = ("The model, for Sonic PreData and Sonic Sampler.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Describe the inputs."""
        from ..sonic_core import MODEL_NAMES, PRECISIONS

        best = (
            "sonic-base is the diffusion model and wants a graphics card; sonic-preview needs no download and no card. "
            "auto takes sonic-base where its files are found."
        )
        svd = (
            "For sonic-base: the Stable Video Diffusion XT file whose VAE and image encoder are used, from "
            "models/checkpoints. auto searches for svd_xt."
        )
        cards = "For sonic-base: all shares the windows of a clip out over every graphics card; one uses ComfyUI's own."
        number = "For sonic-base: its number type. auto does as ComfyUI was started to, which is fp16 on most cards."
        levers = (
            "For sonic-base on a card: auto, off, or what is to differ from auto, such as graphs=on or fused=off. "
            "fused is kernels of our own, which compile for some seconds the very first time."
        )
        changes = (
            "For sonic-base: a LoRA from models/loras, such as one tuned on a person's own videos. none leaves the "
            "model as it was published."
        )
        much = "How much of the LoRA counts: 1 is as it was learned, 0 is nothing."
        strength = {"default": 1.0, "min": -2.0, "max": 2.0, "step": 0.05}
        return {
            "required": {"model_name": (list(MODEL_NAMES), {"default": MODEL_NAMES[0], "tooltip": best})},
            "optional": {
                "svd_checkpoint": (host.checkpoint_files(), {"default": host.AUTO, "tooltip": svd, **ADVANCED}),
                "precision": ([host.AUTO, *PRECISIONS], {"default": host.AUTO, "tooltip": number, **ADVANCED}),
                "cards": (list(CARDS), {"default": CARDS[0], "tooltip": cards, **ADVANCED}),
                "acceleration": ("STRING", {"default": host.AUTO, "tooltip": levers, **ADVANCED}),
                "lora": (host.lora_files(), {"default": host.NONE, "tooltip": changes, **ADVANCED}),
                "lora_strength": ("FLOAT", {**strength, "tooltip": much, **ADVANCED}),
            },
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    @classmethod
    def VALIDATE_INPUTS(cls, svd_checkpoint: str = host.AUTO) -> bool | str:
        """Say before anything runs when there is no such checkpoint; the host says it of a LoRA."""
        return host.problem(host.checkpoint_path, svd_checkpoint)

    @classmethod
    def IS_CHANGED(
        cls, model_name: str, svd_checkpoint: str = host.AUTO, lora: str = host.NONE, **_others: object
    ) -> str:
        """Load again when weights have come, gone or been replaced."""
        from ..sonic_core import SonicError, weight_files

        try:
            weights = host.search_path(*host.checkpoint_path(svd_checkpoint))
            return host.mark_of(*weight_files(model_name, weights), *host.lora_path(lora))
        except SonicError:
            return ""

    def load(
        self,
        model_name: str,
        svd_checkpoint: str = host.AUTO,
        precision: str = host.AUTO,
        *,
        cards: str = CARDS[0],
        acceleration: str = host.AUTO,
        lora: str = host.NONE,
        lora_strength: float = 1.0,
        unique_id: str | None = None,
    ) -> tuple[TalkingPortrait]:
        """Load the model."""
        from ..sonic_core import CheckpointError, load_model

        weights, number = host.search_path(*host.checkpoint_path(svd_checkpoint)), host.precision(precision)
        keeper, *others = host.keepers()
        with host.warnings_shown(unique_id):
            others = others if cards == "all" else []
            try:
                model = load_model(
                    model_name,
                    weights=weights,
                    precision=number,
                    keeper=keeper,
                    others=others,
                    acceleration=acceleration.strip() or host.AUTO,
                    loras=[(path, lora_strength) for path in host.lora_path(lora)],
                )
            except CheckpointError as error:
                raise CheckpointError(_shortly(model_name, str(error))) from error
        host.log.info("%s: %s", model_name, model.name)
        return (model,)


def _linked(what: str) -> tuple[str, dict[str, Any]]:
    """Describe an input for a name that another node gives."""
    tip = f"The name of a {what} in the inputs folder, from another node; it takes the place of the one chosen here."
    return "STRING", {"forceInput": True, "tooltip": tip}


def _shortly(model_name: str, reason: str) -> str:
    """Say at the canvas how missing files are had, and in the log which they are and where each belongs."""
    if not reason.startswith(f"{model_name} needs files that are missing"):
        return reason
    host.log.warning(reason)
    return host.lacking(model_name) or reason


class LoadAudio:
    """Read a sound, or the sound of a video, from the inputs folder."""

    CATEGORY = "Sonic/input"
    SEARCH_ALIASES = ("speech", "voice", "song", "load sound", "open audio", "说话", "语音", "声音", "音频")
    DESCRIPTION = "Reads a sound, or the sound of a video, whole or a part of it."
    FUNCTION = "load"
    RETURN_TYPES = ("AUDIO", "FLOAT")
    RETURN_NAMES = ("audio", "duration")
    OUTPUT_TOOLTIPS = ("The sound.", "Its length in seconds.")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Describe the inputs."""
        seconds = {"default": 0.0, "min": 0.0, "max": 86400.0, "step": 0.01}
        return {
            "required": {
                "audio": (
                    host.input_files(),
                    {"audio_upload": True, "tooltip": "A sound or a video file: wav, mp3, flac, ogg, m4a, mp4, …"},
                ),
                "start": ("FLOAT", {**seconds, "tooltip": "Where to begin, in seconds."}),
                "duration": ("FLOAT", {**seconds, "tooltip": "How many seconds to take; 0 takes all that follows."}),
            },
            "optional": {"path": _linked("file")},
        }

    @classmethod
    def VALIDATE_INPUTS(cls, audio: str | None) -> bool | str:
        """Say before anything runs when the file cannot be had."""
        return True if audio is None else host.problem(host.input_path, audio)

    @classmethod
    def IS_CHANGED(cls, audio: str | None = None, **_others: object) -> str:
        """Read again when another file lies under the same name."""
        if audio is None or host.problem(host.input_path, audio) is not True:
            return ""
        state = host.input_path(audio).stat()
        return f"{state.st_mtime_ns} {state.st_size}"

    def load(
        self, audio: str, start: float, duration: float, path: str = "", **_canvas: object
    ) -> tuple[dict[str, Any], float]:
        """Read the sound."""
        from ..sonic_core import read_audio

        sound = read_audio(host.input_path(path or audio), start=start, duration=duration or None)
        return host.audio_of(sound), sound.duration


class LoadAudioFolder:
    """Read all sounds of a folder, one video to be made of each."""

    CATEGORY = "Sonic/input"
    SEARCH_ALIASES = ("batch", "speech folder", "many sounds", "dub", "批量", "多段音频", "配音")
    DESCRIPTION = (
        "Reads every sound, or every video's sound, in a folder of the inputs folder. What follows runs once for each; "
        "with filename_prefix linked to Sonic Video Combine every video is named after its sound."
    )
    FUNCTION = "load"
    RETURN_TYPES = ("AUDIO", "FLOAT", "STRING")
    RETURN_NAMES = ("audio", "duration", "filename_prefix")
    OUTPUT_IS_LIST = (True, True, True)
    OUTPUT_TOOLTIPS = (
        "The sounds, one by one, in the order of their names.",
        "Their lengths in seconds.",
        "filename_prefix and the sound's own name, for Sonic Video Combine.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Describe the inputs."""
        where = "A folder in the inputs folder. Sounds and videos directly in it are read."
        which = "What the files' names look like: * is anything, ? is one character; for example *.wav or take_??.mp3."
        name = "What the names of the videos begin with, folders included; the sound's own name follows."
        return {
            "required": {
                "folder": (host.input_folders(), {"default": host.SOUND_SAMPLES, "tooltip": where}),
                "pattern": ("STRING", {"default": "*", "tooltip": which}),
                "filename_prefix": ("STRING", {"default": "sonic/batch/", "tooltip": name}),
            },
            "optional": {"path": _linked("folder")},
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    @classmethod
    def VALIDATE_INPUTS(cls, folder: str | None) -> bool | str:
        """Say before anything runs when there is no such folder.

        The host tells a complaint of every input that is named here, so only one is; the others are checked first
        thing when the node runs.
        """
        return True if folder is None else host.problem(host.check_folder, folder)

    @classmethod
    def IS_CHANGED(cls, folder: str | None = None, pattern: str | None = None, **_others: object) -> str:
        """Read again when a file has come, gone or been replaced."""
        from ..sonic_core import SonicError

        try:
            return host.mark_of(*host.sound_files(folder, pattern or "*")) if folder else ""
        except SonicError:
            return ""

    def load(
        self, folder: str, pattern: str, filename_prefix: str, unique_id: str | None = None, *, path: str = ""
    ) -> tuple[list[dict[str, Any]], list[float], list[str]]:
        """Read the sounds; what has none that can be used is left out, with a warning."""
        paths = host.sound_files(path or folder, pattern)
        host.check_prefix(filename_prefix + paths[0].stem)
        with host.warnings_shown(unique_id):
            sounds = _read_all(paths, host.progress_of(unique_id))
        prefixes = [filename_prefix + path.stem for path in sounds]
        return [host.audio_of(one) for one in sounds.values()], [one.duration for one in sounds.values()], prefixes


def _read_all(paths: Sequence[Path], progress: Progress) -> dict[Path, Audio]:
    """Read sounds by path.

    Raises:
        InputError: None of them can be used.
    """
    import warnings

    from ..sonic_core import InputError, SonicError, SonicWarning, read_audio

    sounds = {}
    for done, path in enumerate(paths, start=1):
        try:
            sounds[path] = read_audio(path)
        except SonicError as error:
            warnings.warn(f"{path.name} is left out: {error}", SonicWarning, stacklevel=2)
        progress("read", done, len(paths))
    if not sounds:
        raise InputError(f"None of the {len(paths)} files in {paths[0].parent} has a sound that can be used.")
    return sounds
