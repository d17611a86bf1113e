"""Weights that the person at the canvas fetches: one download at a time, beside everything else."""

# ruff: noqa: ANN401 - the host's objects have no types
from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from .folders import search_path, weights_folder
from .progress import log

if TYPE_CHECKING:
    from ...sonic_core.weights.download import DownloadPlan
    from ...sonic_core.weights.hub import Hub

OFTEN = 0.25
"""Seconds between two reports to the canvas."""
PACK = Path(__file__).resolve().parents[2]
WORDS: dict[str, Any] = {
    "again": "press Download again",
    "elsewhere": "choose another mirror",
    "log_in": "enter a token of yours",
    "by_hand": False,
}
"""What people at the canvas do where others run a command."""


class Downloads:
    """The download that is under way, or was last."""

    def __init__(self, tell: Callable[[dict[str, Any]], None]) -> None:
        """Begin with none.

        Args:
            tell: Hears how far it is: "name", "state" (running, done, stopped or failed), and "file", "number",
                "count", "done", "total" in MB, or "message".
        """
        self._tell = tell
        self._lock, self._stop = Lock(), Event()
        self._thread: Thread | None = None
        self.state: dict[str, Any] = {}

    def start(self, name: str, mirror: str, token: str = "") -> dict[str, Any]:
        """Begin to fetch what is missing.

        Args:
            name: Of the catalogue.
            mirror: One of ``mirrors``.
            token: Sent to the mirror alone, and kept only while this runs.

        Raises:
            CheckpointError: There is nothing of that name, no such mirror, or the token may not be sent there.
            InputError: A download is under way.
        """
        from ...sonic_core import InputError

        plan = _plan(name, _hub(mirror, token))
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                raise InputError(f"{self.state['name']} is being downloaded already: wait for it, or stop it.")
            self._stop.clear()
            self.state = {"name": name, "state": "running", "file": "", "number": 0, "count": len(plan.wanted)}
            self._thread = Thread(target=self._work, args=(plan,), daemon=True)
            self._thread.start()
        return self.state

    def stop(self) -> dict[str, Any]:
        """End what is under way after its next piece; what has come stays, and the next start continues there."""
        self._stop.set()
        return self.state

    def _work(self, plan: DownloadPlan) -> None:
        from ...sonic_core import SonicError
        from ...sonic_core.weights.download import fetch

        names = [f"{wanted.file.at}, MB" for wanted in plan.wanted]
        latest, shown = "", 0.0

        def report(stage: str, done: int, total: int) -> None:
            nonlocal latest, shown
            if self._stop.is_set():
                raise _StoppedError
            now, new = time.monotonic(), stage != latest
            latest = stage
            number = names.index(stage) + 1 if stage in names else self.state["number"]
            if new or done == total or now - shown >= OFTEN:
                shown = now
                self._say(state="running", file=stage.removesuffix(", MB"), number=number, done=done, total=total)

        try:
            fetch(plan, report)
        except _StoppedError:
            self._say(state="stopped")
        except (SonicError, OSError) as error:
            log.warning("%s was not downloaded: %s", plan.name, error)
            self._say(state="failed", message=str(error))
        except Exception:
            self._say(state="failed", message="The download failed; ComfyUI's log says why.")
            raise
        else:
            log.info("%s is complete in %s", plan.name, plan.folder)
            self._say(state="done")

    def _say(self, **news: Any) -> None:
        self.state = {"name": self.state["name"], "count": self.state["count"], "number": self.state["number"], **news}
        self._tell(self.state)


class _StoppedError(Exception):
    """The person at the canvas has had enough."""


def mirrors() -> list[str]:
    """List where weights may be fetched from: what ``HF_ENDPOINT`` names first, then the known ones."""
    from ...sonic_core.weights.hub import MIRRORS, named_hub

    return list(dict.fromkeys((named_hub().address, *MIRRORS)))


def described(name: str, state: dict[str, Any]) -> dict[str, Any]:
    """Tell the canvas of a set of weights: what is to be fetched, from where to where, and how far that is.

    Raises:
        CheckpointError: There is nothing of that name to fetch.
    """
    from ...sonic_core.weights.download import free_space

    plan = _plan(name)
    return {
        "name": name,
        "folder": str(plan.folder),
        "bytes": plan.bytes,
        "free": free_space(plan.folder),
        "files": [{"path": one.file.at, "bytes": one.file.bytes, "source": one.part.source} for one in plan.wanted],
        "licences": sorted(plan.licences),
        "gated": sorted({one.part.source for one in plan.wanted if one.part.gated}),
        "mirrors": mirrors(),
        "command": command(name),
        "download": state if state.get("name") == name else {},
    }


def command(name: str) -> str:
    """Write what fetches weights from a console: this Python, in this folder, into the folder that is looked into."""
    words = [sys.executable, "-m", "sonic_core", "download", name, "--weights", str(weights_folder())]
    if os.name == "nt":
        return f"cd /d {subprocess.list2cmdline([str(PACK)])} && {subprocess.list2cmdline(words)}"
    return f"cd {shlex.quote(str(PACK))} && {shlex.join(words)}"


def lacking(name: str) -> str:
    """Say in two lines that weights are missing and how they are had; empty where all are there."""
    from ...sonic_core.weights.catalog import size_in_words

    plan = _plan(name)
    if not plan.wanted:
        return ""
    size = size_in_words(plan.bytes)
    return (
        f"{name} needs {size} of files that are missing: press Download on Sonic Model Loader, or run\n{command(name)}"
    )


def _plan(name: str, hub: Hub | None = None) -> DownloadPlan:
    from ...sonic_core.weights.download import plan_download

    return plan_download(name, weights_folder(), weights=search_path(), hub=hub)


def _hub(mirror: str, token: str) -> Hub:
    """Take one of the mirrors; what the environment says of tokens goes only to the hub that it names."""
    from ...sonic_core import CheckpointError
    from ...sonic_core.weights.hub import Hub

    known = mirrors()
    if mirror not in known:
        raise CheckpointError(f"The mirror must be one of {', '.join(known)}; got {mirror!r}.")
    return Hub(mirror, token or (None if mirror == known[0] else False), **WORDS)
