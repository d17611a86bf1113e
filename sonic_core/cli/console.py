"""How commands speak: results on standard output, everything else on standard error."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MediaError, SettingsError
from ..media.formats import FORMATS, describe_quality
from . import ending

if TYPE_CHECKING:
    from ..media.credentials import Signer


class ProgressLine:
    """Shows a stage, how far it is and how long it will still take (types.Progress)."""

    def __init__(self) -> None:
        self._stages: dict[str, tuple[float, int]] = {}
        """When each stage was first heard of, and how far it was then: stages may take turns."""
        self._shown = 0.0
        self._live = sys.stderr.isatty()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Take one report; on a terminal one line is rewritten, elsewhere a line appears every two seconds."""
        ending.check()
        now = time.monotonic()
        if stage not in self._stages or done < self._stages[stage][1]:
            self._stages[stage], self._shown = (now, done), 0.0
        ended = done >= total > 0
        if total == 1 or not (ended or now - self._shown >= (0.1 if self._live else 2.0)):
            return
        self._shown = now
        since, begun = self._stages[stage]
        spent, made = now - since, done - begun  # what an earlier run left took no time in this one
        left = f"{spent / made * (total - done):.0f} s left" if made else "starting"
        far = f"{done}/{total}" if total else f"{done}"
        text = f"sonic: {stage} {far}, " + (f"{spent:.1f} s" if ended or not total else left)
        _tell(f"\r{text:<60}" + ("\n" if ended else "") if self._live else text + "\n")


def add_format(parser: argparse.ArgumentParser) -> None:
    """Ask in which format a video is written, and how well."""
    parser.add_argument("--format", metavar="NAME", help=f"{either(list(FORMATS))}; default: as --output ends")
    quality = f"quality, lower is better: {describe_quality()} Default: the format's own."
    parser.add_argument("--crf", type=float, metavar="N", help=quality)
    silent = "do not say in the file's metadata that it is synthetic, and with what it was made"
    parser.add_argument("--no-mark", dest="mark", action="store_false", help=silent)


def add_signing(parser: argparse.ArgumentParser) -> None:
    """Ask who signs a video."""
    parser.add_argument(
        "--sign",
        nargs=2,
        metavar=("CHAIN.pem", "KEY.pem"),
        help="sign what the file says of itself, as Content Credentials (C2PA): a chain of certificates, your own "
        "first, and its private key",
    )


def mark_of(options: argparse.Namespace) -> bool | Signer:
    """Tell whether a video is marked, and who signs that.

    Raises:
        SettingsError: It shall be signed and say nothing.
    """
    if options.sign is None:
        return options.mark
    if not options.mark:
        raise SettingsError("--sign signs what --no-mark leaves out; leave one of them out.")
    from ..media.credentials import Signer  # noqa: PLC0415 - imported with what writes videos, when that is needed

    return Signer(*map(Path, options.sign))


def add_weights(parser: argparse.ArgumentParser, what: str = "weights") -> None:
    """Ask where weights are looked for first; may be said several times."""
    parser.add_argument(
        "--weights", action="append", default=[], metavar="PATH", help=f"look for {what} here first; may be repeated"
    )


def either(names: Sequence[str]) -> str:
    """Write names for people.

    >>> either(["exact", "fast", "live"])
    'exact, fast or live'
    """
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def answer(options: argparse.Namespace, result: dict[str, Any], text: str) -> None:
    """Put the result on standard output: one JSON object, or text for people.

    Raises:
        BrokenPipeError: Whoever reads it went away.
        MediaError: It cannot be written.
    """
    try:
        sys.stdout.write((json.dumps(result) if options.json else text) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        ending.drop(sys.stdout)
        raise
    except OSError as error:
        ending.drop(sys.stdout)
        raise MediaError(
            f"The answer cannot be written to standard output ({error.strerror}); what was made stays."
        ) from error


def say(text: str) -> None:
    """Put a line on standard error."""
    _tell(f"sonic: {text}\n")


def _tell(text: str) -> None:
    """Write to standard error; where it is full or nobody reads it, the work goes on."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        ending.drop(sys.stderr)
