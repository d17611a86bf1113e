"""Room for long sounds outside the process's memory: a nameless file that is mapped while somebody looks at it.

Where the system cannot promise the room beforehand (Linux can), or the sound is short, plain memory is used.
"""

from __future__ import annotations

import mmap
import os
import tempfile

import numpy as np
import numpy.typing as npt

SHORT = 1 << 20
"""Samples, all channels together, that are kept in plain memory: 4 MiB."""

Samples = npt.NDArray[np.float32]


def room(channels: int, count: int) -> tuple[Samples, mmap.mmap | None]:
    """Make room for ``count`` samples of each channel.

    Returns:
        (channels, count) float32, and the map behind it, or None where it is plain memory. Telling the map that it is
        not needed (``madvise``) takes the samples out of the process's memory until they are looked at again.
    """
    size = channels * count * 4
    if channels * count > SHORT and hasattr(os, "posix_fallocate") and hasattr(mmap, "MADV_DONTNEED"):
        try:
            with tempfile.TemporaryFile(prefix="sonic-") as file:
                os.posix_fallocate(file.fileno(), 0, size)
                mapped = mmap.mmap(file.fileno(), size)
        except OSError:  # no room on the disk: there may be some in memory
            pass
        else:
            return np.frombuffer(mapped, np.float32).reshape(channels, count), mapped
    return np.empty((channels, count), np.float32), None
