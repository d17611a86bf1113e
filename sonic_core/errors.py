"""What can go wrong, as one tree.

    SonicError
    ├── SettingsError       a setting is outside what is possible
    ├── InputError          the picture or the sound cannot be used
    │   └── FaceNotFoundError   no face where one is needed
    ├── CheckpointError     weights are missing, damaged or of another model
    ├── MediaError          a file cannot be read or written
    └── OutOfMemoryError    the machine has not enough memory for what is asked

Every message is one sentence or two: what was expected, what was got, what to do.
Cancelling is not an error: whatever a progress callback raises passes through unchanged.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class SonicError(Exception):
    """Root of every error that the engine raises on purpose."""

    __module__ = "sonic_core"

    def __init_subclass__(cls) -> None:
        """Name the class by where people import it from: a host that loads the pack by its path shows that path."""
        cls.__module__ = SonicError.__module__


class SettingsError(SonicError, ValueError):
    """A setting has a value that cannot be honoured."""


class InputError(SonicError, ValueError):
    """A picture or a sound was read, but cannot be animated."""


class FaceNotFoundError(InputError):
    """No face was found where one is needed."""


class CheckpointError(SonicError):
    """Weights are missing, damaged, or belong to another model."""


class MediaError(SonicError, OSError):
    """A media file cannot be read or written."""


class OutOfMemoryError(SonicError, MemoryError):
    """There is not enough memory for what is asked."""


class SonicWarning(UserWarning):
    """The result will come, but something about the input or a setting makes it worse; the message says what."""


@contextmanager
def about_face(number: int) -> Iterator[None]:
    """Say of which face an error or a warning of the engine's speaks."""
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", SonicWarning)
            yield
    except InputError as error:
        raise type(error)(f"Face {number}: {error}") from error
    finally:
        for one in caught:
            ours = issubclass(one.category, SonicWarning)
            text = f"Face {number}: {one.message}" if ours else one.message
            warnings.warn_explicit(text, one.category, one.filename, one.lineno)
