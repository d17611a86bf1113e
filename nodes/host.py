"""The only file that knows the host: its pictures, sounds and videos, its folders, progress, cancel and messages.

Everything of the host's is looked up inside the function that needs it, so that the nodes can be read and tested
where no host is.
"""

# ruff: noqa: ANN401, PTH100, PTH118 - the host's objects have no types; its links are not followed
from __future__ import annotations

import io
import json
import logging
import os
import shutil
import uuid
import warnings
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from ..sonic_core.clip import Clip
    from ..sonic_core.types import Audio, Progress

MODEL_FOLDERS = {"sonic": (), "insightface": (".onnx",)}
"""The pack's own model folders, and the endings that are models there besides the host's usual ones."""
CHUNK = 16
"""Frames that are turned over at a time."""

log = logging.getLogger("sonic")


def settle_in(pack: Path) -> None:
    """Register the model folders and lay the samples ready; called once, when the host imports the pack."""
    folder_paths = import_module("folder_paths")
    for name, endings in MODEL_FOLDERS.items():
        folder_paths.add_model_folder_path(name, str(Path(folder_paths.models_dir) / name))
        paths, known = folder_paths.folder_names_and_paths[name]  # a new folder's empty set would list every file
        listed = set(known) | set(folder_paths.supported_pt_extensions) | set(endings)
        folder_paths.folder_names_and_paths[name] = (paths, listed)
    _lay_samples(pack / "assets", Path(folder_paths.get_input_directory()))


def hand_over_folders() -> None:
    """Let the engine look for weights wherever the host does, ``extra_model_paths.yaml`` included."""
    from ..sonic_core.weights.store import add_folder

    for name in (*MODEL_FOLDERS, "checkpoints"):
        for folder in import_module("folder_paths").get_folder_paths(name):
            add_folder(folder)


def _lay_samples(assets: Path, inputs: Path) -> None:
    """Copy the sample portrait and speech among the host's inputs where they are missing; never overwrite or fail."""
    for sample in (*assets.glob("portrait.*"), *assets.glob("speech.*")):
        goal = inputs / f"sonic_sample_{sample.name}"
        beside = goal.with_name(f".{goal.name}.{uuid.uuid4().hex}")
        try:
            if not goal.exists():
                inputs.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(sample, beside)
                beside.replace(goal)
        except OSError as error:
            with suppress(OSError):
                beside.unlink()
            log.warning("The sample %s could not be laid among the inputs: %s", sample.name, error)


def picture_of(image: torch.Tensor) -> torch.Tensor:
    """Turn an IMAGE (b, h, w, c) into one picture (3, h, w); of several the first, transparent parts become white.

    Raises:
        InputError: It is no picture, or holds values that are not numbers.
    """
    from ..sonic_core.errors import InputError, SonicWarning

    if image.ndim != 4 or image.shape[3] not in (1, 3, 4) or 0 in image.shape:
        raise InputError(f"image must be (pictures, height, width, 1, 3 or 4 colours), got {tuple(image.shape)}.")
    if len(image) > 1:
        warnings.warn(f"{len(image)} pictures came in: only the first is animated.", SonicWarning, stacklevel=2)
    picture = image[0].float().permute(2, 0, 1)
    if not bool(picture.isfinite().all()):
        raise InputError("The picture holds values that are not numbers (NaN or infinite): look at the node before.")
    if len(picture) == 4:
        picture = picture[:3] * picture[3:] + (1 - picture[3:])
    return picture.expand(3, -1, -1).clamp(0, 1).contiguous()


def image_of(frames: torch.Tensor) -> torch.Tensor:
    """Turn frames (n, 3, h, w) or one picture (3, h, w) into an IMAGE (n, h, w, 3)."""
    return (frames if frames.ndim == 4 else frames[None]).permute(0, 2, 3, 1).float().cpu().contiguous()


def sound_of(audio: Mapping[str, Any]) -> Audio:
    """Turn an AUDIO of one sound into the engine's sound.

    Raises:
        InputError: It is no sound, holds several, or holds values that are not numbers.
    """
    from ..sonic_core.errors import InputError
    from ..sonic_core.types import Audio

    try:
        waveform, rate = audio["waveform"], int(audio["sample_rate"])
    except (KeyError, TypeError):
        raise InputError("audio must be a sound as Load Audio gives it; got nothing that can be heard.") from None
    if waveform.ndim != 3 or len(waveform) != 1:
        raise InputError(
            f"audio must hold one sound, (1, channels, samples), got {tuple(waveform.shape)}: send them one by one."
        )
    if not waveform.is_floating_point():
        waveform = waveform.float() / import_module("torch").iinfo(waveform.dtype).max
    if not bool(waveform.isfinite().all()):
        raise InputError("The sound holds values that are not numbers (NaN or infinite): look at the node before.")
    return Audio(waveform[0].float().cpu().contiguous(), rate)


def audio_of(audio: Audio) -> dict[str, Any]:
    """Turn the engine's sound into an AUDIO."""
    return {"waveform": audio.samples[None], "sample_rate": audio.rate}


def video_of(clip: Clip, progress: Progress) -> Any:
    """Write ``clip`` to a lossless temporary file, chunk by chunk, and wrap that as a VIDEO.

    The file goes when the VIDEO does, and nothing stays behind when the work is cancelled.
    """
    from ..sonic_core.media.video import write_lossless

    path = _temporary(".mkv")
    try:
        write_lossless(
            path, clip.read(), fps=clip.fps, length=clip.length, size=clip.size, audio=clip.audio, progress=progress
        )
        return _video_class()(str(path))
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def clip_of(video: Any) -> Clip:
    """Read any VIDEO as a clip: from its file where it is one, else from the pictures that it holds."""
    from ..sonic_core.clip import open_clip

    kind = import_module("comfy_api.latest").InputImpl.VideoFromFile
    if not isinstance(video, kind) or _is_cut(video):
        return _clip_in_memory(video.get_components())
    source = video.get_stream_source()
    return open_clip(Path(source) if isinstance(source, str) else _kept(source, video))


def _is_cut(video: Any) -> bool:
    """Say whether the host holds back a part of the file's time or picture; older hosts never do."""
    edited, window = (getattr(video, name, None) for name in ("has_pending_frame_edits", "get_active_trim_window"))
    return bool(edited and edited()) or bool(window and any(window()))


@cache
def _video_class() -> type:
    """Make our kind of the host's ``VideoFromFile``, so that whatever a host's version adds to it is there."""
    base: Any = import_module("comfy_api.latest").InputImpl.VideoFromFile

    class SonicVideo(base):
        """A clip of ours as a VIDEO; its file goes when it does."""

        def __init__(self, path: str) -> None:
            super().__init__(path)
            weakref.finalize(self, _remove, Path(path))

        def get_components(self) -> Any:
            clip, components = clip_of(self), import_module("comfy_api.latest._util").VideoComponents
            images = import_module("torch").cat([image_of(chunk) for chunk in clip.read()])
            return components(images=images, audio=clip.audio and audio_of(clip.audio), frame_rate=clip.fps)

        def save_to(self, path: Any, *asked: Any, **more: Any) -> None:
            named = {**dict(zip(("format", "codec", "metadata"), asked, strict=False)), **more}
            container, codec = (getattr(word, "value", word) for word in map(named.get, ("format", "codec")))
            if container in (None, "auto", "mp4") and codec in (None, "auto", "h264"):
                _save_mp4(clip_of(self), path, named.get("metadata"), named.get("crf"))
            else:
                super().save_to(path, **named)

    for name in ("as_trimmed", "as_cropped", "as_resized"):
        if hasattr(base, name):
            setattr(SonicVideo, name, _keeping(getattr(base, name)))
    return SonicVideo


def _keeping(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let what ``method`` makes of a video hold the video, whose file it reads."""

    def kept(self: Any, *args: Any, **more: Any) -> Any:
        cut = method(self, *args, **more)
        if cut is not None:
            cut.kept = self
        return cut

    return kept


def _save_mp4(clip: Clip, path: str | io.BytesIO, metadata: Mapping[str, Any] | None, crf: float | None) -> None:
    """Stream ``clip`` into an MP4 file, or by way of one into memory."""
    goal = Path(path) if isinstance(path, (str, Path)) else _temporary(".mp4")
    try:
        clip.export(
            goal, crf=18 if crf is None else int(crf), metadata=_written(metadata or {}), progress=progress_of()
        )
        if isinstance(path, io.BytesIO):
            path.write(goal.read_bytes())
    finally:
        if isinstance(path, io.BytesIO):
            goal.unlink(missing_ok=True)


def _clip_in_memory(components: Any) -> Clip:
    """Make a clip of pictures that are in memory already."""
    from ..sonic_core.clip import Clip

    images = components.images

    def read() -> Iterator[torch.Tensor]:
        for start in range(0, len(images), CHUNK):
            yield images[start : start + CHUNK, :, :, :3].float().permute(0, 3, 1, 2).clamp(0, 1).contiguous()

    size = (int(images.shape[1]), int(images.shape[2]))
    sound = sound_of(components.audio) if components.audio else None
    return Clip(read, Fraction(components.frame_rate), len(images), size, sound)


def _kept(source: io.BytesIO, video: object) -> Path:
    """Lay a video that is in memory into a temporary file that lives as long as the video."""
    path = _temporary(".mp4")
    path.write_bytes(source.getvalue())
    weakref.finalize(video, _remove, path)
    return path


def _temporary(ending: str) -> Path:
    folder = Path(import_module("folder_paths").get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"sonic_{uuid.uuid4().hex}{ending}"


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def input_files() -> list[str]:
    """List the sounds and videos in the host's inputs folder."""
    folder_paths = import_module("folder_paths")
    folder = Path(folder_paths.get_input_directory())
    files = [file.name for file in folder.iterdir() if file.is_file()] if folder.is_dir() else []
    return sorted(folder_paths.filter_files_content_types(files, ["audio", "video"]))


def input_path(name: str) -> Path:
    """Find a file of the host's inputs folder (or of the folder that a ``[output]`` behind its name says).

    Raises:
        InputError: There is no such file, or the name leads out of the folder.
    """
    folder_paths = import_module("folder_paths")
    from ..sonic_core.errors import InputError

    bare, said = folder_paths.annotated_filepath(name)
    folder = os.path.abspath(said or folder_paths.get_input_directory())
    path = os.path.abspath(os.path.join(folder, bare))
    if not Path(path).is_relative_to(folder):
        raise InputError(f"{name} leads out of the inputs folder: choose a file inside it.")
    if not Path(path).is_file():
        raise InputError(f"There is no file {bare} in the inputs folder: upload it with the button on the node.")
    return Path(path)


def problem(check: Callable[[str], object], value: str) -> bool | str:
    """Say what ``check`` has against ``value``, or True when nothing: what VALIDATE_INPUTS answers."""
    from ..sonic_core.errors import SonicError

    try:
        check(value)
    except SonicError as error:
        return str(error)
    return True


def output_folder(keep: bool) -> str:
    """Name the folder of what is kept, or of what the host forgets when it ends."""
    folder_paths = import_module("folder_paths")
    return folder_paths.get_output_directory() if keep else folder_paths.get_temp_directory()


def check_prefix(prefix: str) -> None:
    """Check that files called ``prefix`` would lie inside the outputs folder.

    Raises:
        SettingsError: They would not, or the name is empty.
    """
    from ..sonic_core.errors import SettingsError

    folder = os.path.abspath(output_folder(keep=True))
    path = Path(os.path.abspath(os.path.join(folder, prefix)))
    if path == Path(folder) or not path.is_relative_to(folder) or prefix.endswith(("/", "\\")):
        raise SettingsError(f"filename_prefix must name files inside the outputs folder, got {prefix!r}.")


def saved(
    clip: Clip, prefix: str, keep: bool, *, crf: int, metadata: Mapping[str, str], progress: Progress
) -> dict[str, str]:
    """Write ``clip`` as the next numbered MP4 and say where it is, in the host's words."""
    from ..sonic_core.errors import SonicWarning

    check_prefix(prefix)
    height, width = clip.size
    folder_paths = import_module("folder_paths")
    folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(prefix, output_folder(keep), width, height)
    file = f"{name}_{counter:05}_.mp4"
    if any(word in file.lower() for word in ("png", "webp")):
        warnings.warn(f"{file} is written but not shown: canvases take a name with png or webp for a picture.",
                      SonicWarning, stacklevel=2)  # fmt: skip
    clip.export(Path(folder) / file, crf=crf, metadata=metadata, progress=progress)
    return {"filename": file, "subfolder": subfolder, "type": "output" if keep else "temp"}


def workflow_metadata(prompt: Mapping[str, Any] | None, extra: Mapping[str, Any] | None) -> dict[str, str]:
    """Write the workflow as JSON, so that dropping the video onto a canvas brings it back; nothing where it is off."""
    if import_module("comfy.cli_args").args.disable_metadata:
        return {}
    return _written({**(extra or {}), **({"prompt": prompt} if prompt else {})})


def _written(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Write each value as JSON without the host's ``is_changed`` marks, whose NaN no browser reads."""
    written = {}
    for key, value in metadata.items():
        written[key] = value if isinstance(value, str) else json.dumps(_unmarked(value) if key == "prompt" else value)
    return written


def _unmarked(prompt: Mapping[str, Any]) -> dict[str, Any]:
    return {key: {word: made[word] for word in made if word != "is_changed"} for key, made in prompt.items()}


def progress_of(node: str | None = None) -> Progress:
    """Make a progress report that moves the node's bar and raises when the person at the canvas cancels."""
    utils, management = import_module("comfy.utils"), import_module("comfy.model_management")
    bars: dict[str, Any] = {}

    def report(stage: str, done: int, total: int) -> None:
        management.throw_exception_if_processing_interrupted()  # the bar alone looks only now and then
        if stage not in bars:
            bars[stage] = utils.ProgressBar(total, node_id=node)
        bars[stage].update_absolute(done, total)

    return report


@contextmanager
def warnings_shown(node: str | None = None, told: Collection[str] = ()) -> Iterator[set[str]]:
    """Show the engine's warnings in the log and at the canvas; all others go where they would have gone.

    Args:
        node: The node that runs.
        told: What need not be said again.

    Yields:
        A set that holds the messages afterwards.
    """
    from ..sonic_core.errors import SonicWarning

    messages: set[str] = set()
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", SonicWarning)
            yield messages
    finally:
        for one in caught:
            text = str(one.message)
            if not issubclass(one.category, SonicWarning):
                warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
            elif text not in messages and text not in told:
                _tell(text, node)
            messages.add(text)


def _tell(message: str, node: str | None) -> None:
    log.warning(message)
    server = getattr(import_module("server").PromptServer, "instance", None)
    if server is not None:
        server.send_sync("sonic.warning", {"message": message, "node": node}, server.client_id)
