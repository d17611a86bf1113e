"""What the person at the canvas sees and says while a node runs: progress, previews, cancel and messages."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from ...sonic_core import FaceFinder, Watching, Weights

log = logging.getLogger("sonic")


def progress_of(node: str | None = None) -> Watching:
    """Make a progress report that moves the node's bar and raises when the person at the canvas cancels."""
    return _Report(node)


def heed_cancel(*_: object) -> None:
    """Stop here when the person at the canvas has cancelled.

    Raises:
        Exception: The host's own.
    """
    import torch

    if not torch.compiler.is_compiling():  # what is compiled takes no part of this
        import_module("comfy.model_management").throw_exception_if_processing_interrupted()


def face_finder(weights: Weights, *, everybody: bool = False) -> FaceFinder:
    """Make the best face finder that is there; a search by it ends when the person at the canvas cancels.

    Args:
        weights: Where its files are looked for first.
        everybody: As of the engine's.
    """
    from ...sonic_core import faces

    return faces.AttendedFinder(faces.face_finder("auto", weights, everybody=everybody), heed_cancel)


class _Report:
    """A report to the canvas (the engine's ``Watching``): one bar per stage, and pictures where the host wants any."""

    def __init__(self, node: str | None) -> None:
        self.node = node
        self.bars: dict[str, Any] = {}
        self.bar: Any = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Move the bar.

        Raises:
            Exception: The host's own, when the run is cancelled.
        """
        heed_cancel()  # the bar looks too rarely
        if stage not in self.bars:
            self.bars[stage] = import_module("comfy.utils").ProgressBar(total, node_id=self.node)
        self.bar = self.bars[stage]
        self.bar.update_absolute(done, total)

    def show(self, picture: torch.Tensor) -> None:
        """Show a small picture (3, h, w) in the node, unless the host was started to show none."""
        args = import_module("comfy.cli_args").args
        if self.bar is None or args.preview_method.value == "none":
            return
        from ...sonic_core.media.pixels import as_bytes

        image = import_module("PIL.Image")
        preview = ("JPEG", image.fromarray(as_bytes(picture)), args.preview_size)  # the host enlarges it to that
        self.bar.update_absolute(self.bar.current, preview=preview)


@contextmanager
def warnings_shown(node: str | None = None, told: Collection[str] = ()) -> Iterator[set[str]]:
    """Show the engine's warnings in the log and at the canvas; all others go where they would have gone.

    Args:
        node: The node that runs.
        told: What need not be said again.

    Yields:
        A set that holds the messages afterwards.
    """
    from ...sonic_core import SonicWarning

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
