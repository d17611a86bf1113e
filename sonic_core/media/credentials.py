"""Content Credentials: a file says with what it was made, signed, so that whoever changes it or the words is found out.

They are made by ``c2pa-python``, which is imported when it is needed, with the person's own certificate and key.

Source: C2PA Technical Specification 2.2.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import SettingsError
from .files import file_errors, written_beside
from .mark import Mark, known_version

PACKAGE = "c2pa-python"
TYPES = {".mp4": "video/mp4", ".mov": "video/quicktime", ".gif": "image/gif", ".webp": "image/webp"}
"""Kinds of files that hold Content Credentials, by what they end in."""
_CURVES = {256: "es256", 384: "es384", 521: "es512"}


@dataclass(frozen=True)
class Signer:
    """Who vouches for a file; given as ``mark``, it is marked and signed."""

    certificates: Path
    """A PEM file: the signer's own certificate first, then those of who vouches for it."""
    key: Path
    """A PEM file: the private key of the first one; it is read and kept nowhere."""

    def check(self, suffix: str, mark: Mark | None) -> None:
        """Refuse, before anything is computed, what could not be signed.

        Args:
            suffix: What the file ends in; "" for a folder.
            mark: What there is to be signed.

        Raises:
            SettingsError: The library is not installed, such a file holds no signature, there is nothing that Sonic
                made, or certificate and key cannot be used.
        """
        if suffix not in TYPES:
            held = ", ".join(ending.removeprefix(".") for ending in TYPES)
            raise SettingsError(f"Content Credentials are held by {held} alone; choose one of these, or do not sign.")
        if mark is None:
            raise SettingsError("Signed is what Sonic made, and this video is none of that: do not sign it.")
        self.opened().close()

    def opened(self) -> Any:  # noqa: ANN401 - the library's own
        """Read certificate and key.

        Raises:
            SettingsError: The library is not installed, or they cannot be used.
        """
        c2pa = library()
        try:
            chain, key = (Path(path).read_bytes() for path in (self.certificates, self.key))
            info = c2pa.C2paSignerInfo(_algorithm(key).encode(), chain, key, None)
            return c2pa.Signer.from_info(info)
        except (OSError, ValueError, TypeError, c2pa.C2paError) as error:
            raise SettingsError(
                f"{self.certificates} and {self.key} cannot sign ({error}); expected PEM files: a chain of "
                "certificates, the signer's own first, and its private key without a password."
            ) from error


def checked_signer(given: bool | Signer, suffix: str, mark: Mark | None) -> Signer | None:
    """Take who signs from what is said of marking, if anybody does, and ``check`` him."""
    if not isinstance(given, Signer):
        return None
    given.check(suffix, mark)
    return given


def library() -> Any:  # noqa: ANN401 - the module
    """Import ``c2pa-python``.

    Raises:
        SettingsError: It is not installed.
    """
    try:
        return import_module("c2pa")
    except ImportError as error:
        raise SettingsError(f"Content Credentials are made by {PACKAGE}; run: pip install {PACKAGE}") from error


def sign(path: Path, mark: Mark | None, signer: Signer | None) -> None:
    """Sign a finished file, in place, where somebody signs and there is something to be signed.

    Args:
        path: Ends in one of ``TYPES``; it stays as it is where signing fails.
        mark: What is vouched for.
        signer: Who vouches.

    Raises:
        SettingsError: It cannot be signed so.
        MediaError: The file cannot be written.
    """
    if signer is None or mark is None:
        return
    c2pa, opened = library(), signer.opened()
    with opened, written_beside(path) as signed, file_errors(path):
        try:
            with path.open("rb") as source, signed.open("w+b") as made, c2pa.Builder(json.dumps(claims(mark))) as claim:
                claim.sign(opened, TYPES[path.suffix.lower()], source, made)
        except c2pa.C2paError as error:
            raise SettingsError(f"{path.name} cannot be signed ({error}); see {signer.certificates}.") from error


def claims(mark: Mark) -> dict[str, Any]:
    """Say in the specification's terms what is vouched for."""
    agent = {"name": f"Sonic ({mark.model})"}
    if version := known_version():
        agent["version"] = version
    created = {"action": "c2pa.created", "digitalSourceType": mark.source_type, "softwareAgent": agent}
    return {
        "claim_generator_info": [{**agent, "name": "Sonic"}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [created]}}],
    }


def _algorithm(key: bytes) -> str:
    """Name the algorithm of a private key, as the specification does."""
    serialization = import_module("cryptography.hazmat.primitives.serialization")
    kind = serialization.load_pem_private_key(key, None)
    if type(kind).__name__.startswith("Ed25519"):
        return "ed25519"
    return _CURVES.get(kind.key_size, "ps256") if hasattr(kind, "curve") else "ps256"
