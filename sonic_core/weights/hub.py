"""From where weights are fetched, as whom, and what people are told to do when that fails."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ..errors import CheckpointError
from .catalog import HUB

MIRRORS = (f"https://{HUB}", "https://hf-mirror.com")
"""Addresses of the hub: its own, and a copy for where that cannot be reached."""
_HERE = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True)
class Hub:
    """A hub, or a mirror of one.

    Raises:
        CheckpointError: A token would travel where anybody on the way can read it.
    """

    address: str
    token: str | bool | None = field(default=None, repr=False)
    """Sent there and nowhere else. None: ``HF_TOKEN``, else that of the library's login, if the way is private; False:
    none."""
    again: str = "run the same command again"
    """How people go on after a failure."""
    elsewhere: str = "let HF_ENDPOINT name another mirror"
    """How people take another hub."""
    log_in: str = "set HF_TOKEN to a token of yours (or log in: hf auth login)"
    """How people say who they are."""

    by_hand: bool = True
    """Whether people are told that they may put a file in its place themselves."""

    def __post_init__(self) -> None:
        if isinstance(self.token, str) and not self.address.startswith("https://"):
            raise CheckpointError(f"A token is sent over https only, and {self.address} is not: leave the token out.")

    @property
    def private(self) -> bool:
        """Whether nobody on the way can read what is sent: it goes over https, or does not leave this machine."""
        told = urlsplit(self.address)
        return told.scheme == "https" or told.hostname in _HERE

    def headers(self) -> dict[str, str]:
        """Make the headers of a request."""
        from huggingface_hub.utils import build_hf_headers  # noqa: PLC0415 (optional)

        token = self.token
        if token is None:
            token = (os.environ.get("HF_TOKEN") or None) if self.private else False
        headers = build_hf_headers(token=token)
        return {**headers, "Accept-Encoding": "identity"}  # compressed bytes cannot be continued in the middle


def named_hub() -> Hub:
    """Take the hub that ``HF_ENDPOINT`` names, else its own address."""
    return Hub((os.environ.get("HF_ENDPOINT") or MIRRORS[0]).rstrip("/"))
