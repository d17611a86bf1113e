"""From where weights are fetched, as whom, and what people are told to do when that fails."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from ..errors import CheckpointError
from .catalog import HUB

MIRRORS = (f"https://{HUB}", "https://hf-mirror.com")
"""Addresses of the hub: its own, and a copy for where that cannot be reached."""


@dataclass(frozen=True)
class Hub:
    """A hub, or a mirror of one.

    Raises:
        CheckpointError: A token would travel where anybody on the way can read it.
    """

    address: str
    token: str | bool | None = field(default=None, repr=False)
    """Sent there and nowhere else. None: ``HF_TOKEN``, else that of the library's login; False: none."""
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

    def headers(self) -> dict[str, str]:
        """Make the headers of a request."""
        from huggingface_hub.utils import build_hf_headers  # noqa: PLC0415 (optional)

        token = (os.environ.get("HF_TOKEN") or None) if self.token is None else self.token
        headers = build_hf_headers(token=token)
        return {**headers, "Accept-Encoding": "identity"}  # compressed bytes cannot be continued in the middle


def named_hub() -> Hub:
    """Take the hub that ``HF_ENDPOINT`` names, else its own address."""
    return Hub((os.environ.get("HF_ENDPOINT") or MIRRORS[0]).rstrip("/"))
