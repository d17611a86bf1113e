"""Sounds into files of their own: WAV."""

from __future__ import annotations

import os
from pathlib import Path

from ..types import Audio
from .container import opened
from .files import check_writable, file_errors, written_beside
from .formats import SoundEncoder
from .track import SoundTrack

SUFFIX = ".wav"
_ENCODER = SoundEncoder("pcm_s24le", limited=False)


def write_wav(path: str | os.PathLike[str], audio: Audio) -> Path:
    """Write a sound at its own rate and with its own channels, 24 bits a sample; what is beyond ±1 is clipped.

    Args:
        path: Ends as ``SUFFIX``; the file appears when it is finished, and what was there is replaced.
        audio: The sound.

    Returns:
        ``path``.

    Raises:
        MediaError: It cannot be written.
    """
    target = check_writable(path, SUFFIX)
    with (
        written_beside(target) as part,
        opened(target, part, "wav", {"rf64": "auto"}) as container,
        file_errors(target),
    ):
        SoundTrack(container, audio, _ENCODER, audio.samples.shape[1]).finish()
        container.close()
    return target
