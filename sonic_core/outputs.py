"""What a job may write, told before anything is computed."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from .clip import check_sound_choice
from .errors import SettingsError
from .media.credentials import Signer, checked_signer
from .media.formats import find_format, format_of
from .media.live import LIVE_FORMAT
from .media.mark import Mark
from .media.video import check_target

Output = str | Path | BinaryIO | None
"""A file or folder to write, or what takes the video byte by byte while it is made; None: nothing is written."""


def check_output(
    output: Output,
    format: str | None,  # noqa: A002
    crf: float | None,
    sound: str,
    mark: bool | Signer = True,
) -> None:
    """Refuse what cannot be written; the arguments are as of ``Clip.export``.

    Raises:
        SettingsError: There is no such format, quality or choice of sound, a stream cannot have it, or it cannot be
            signed.
        MediaError: The file cannot be written.
    """
    if output is None:
        return
    check_sound_choice(sound)
    if not isinstance(output, (str, Path)):
        if format not in (None, LIVE_FORMAT):
            raise SettingsError(f"A stream is written as {LIVE_FORMAT}, which plays while it comes; got {format}.")
        find_format(LIVE_FORMAT).quality(crf)
        if isinstance(mark, Signer):
            raise SettingsError("A stream cannot be signed, only a finished file: name one as output, or do not sign.")
        return
    file = format_of(output, format)
    file.quality(crf)
    checked_signer(mark, file.suffix, Mark(""))
    check_target(output, file)


def check_size(output: Output, format: str | None, size: tuple[int, int]) -> None:  # noqa: A002
    """Refuse pictures of (height, width) pixels that the format cannot hold.

    Raises:
        SettingsError: It has no pictures of such a size.
    """
    if output is None:
        return
    file = format_of(output, format) if isinstance(output, (str, Path)) else find_format(LIVE_FORMAT)
    file.check_size(size)
