"""Media files opened for reading."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import av
from av.container import InputContainer

_LENIENT_BY_ITSELF = 19
"""Version of PyAV from which on texts that are no UTF-8 are read without being told to, and telling it is an error."""


def open_source(path: Path) -> InputContainer:
    """Open a video or a sound; texts in it that are no UTF-8 do no harm.

    Raises:
        FFmpegError: FFmpeg cannot read it.
    """
    told: dict[str, Any] = (
        {} if int(av.__version__.split(".")[0]) >= _LENIENT_BY_ITSELF else {"metadata_errors": "ignore"}
    )
    return cast(InputContainer, av.open(f"file:{path}", **told))
