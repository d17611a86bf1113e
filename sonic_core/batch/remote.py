"""Files that a URL names: looked at, brought here, and taken there; what gives access to them is never told."""

from __future__ import annotations

import base64
import hashlib
import posixpath
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from ..errors import MediaError, SettingsError

PACKAGE = "fsspec"
MOST_BYTES = {"a picture": 256 << 20, "a sound": 4 << 30, "a manifest": 256 << 20}
"""Bytes of a file that is brought here, by what it shall be."""
TIMEOUT = 60.0
"""Seconds for which a web server may be silent."""
_PIECE = 1 << 20
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_SECRETS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+://)([^\s/?#'\"]*@)?([^\s?#'\"]*)([?#](?!…)[^\s'\"]*)?")
_WEB = ("http", "https")
_CONTENTS = ("ETag", "etag", "e_tag", "Content-MD5", "content_md5", "md5Hash", "checksum", "crc32c", "generation")
"""What stores call that by which two contents are told apart."""
_MOMENTS = ("Last-Modified", "LastModified", "last_modified", "updated", "mtime", "created")
"""What they call the moment at which a file changed, where they tell no more."""
_TOO_BUSY, _SERVER_FAILED = 429, 500
"""Status of a web server that may answer later, and the first of those that tell of its own fault."""


class ConnectionFailedError(MediaError):
    """What lies between here and a file failed; another time it may not."""


@dataclass(frozen=True)
class Remote:
    """A file that a URL names; written out, it has neither names and passwords nor a query."""

    url: str = field(repr=False)
    version: str = field(default="", compare=False)
    """What its store says of its contents; "" where it says nothing."""
    size: int = field(default=0, compare=False)
    """Bytes; 0 where nobody knows."""

    def __str__(self) -> str:
        return redact(self.url)

    @property
    def scheme(self) -> str:
        """What stands before the colon, such as s3."""
        return urlsplit(self.url).scheme.lower()

    @property
    def name(self) -> str:
        """The file's name."""
        name = PurePosixPath(urlsplit(self.url).path).name
        return unquote(name) if self.scheme in _WEB else name

    @property
    def stem(self) -> str:
        """The file's name without its ending."""
        return Path(self.name).stem

    def beside(self, name: str) -> Remote:
        """Name a file from where this one lies."""
        parts = urlsplit(self.url)
        path = posixpath.join(posixpath.dirname(parts.path), quote(name) if self.scheme in _WEB else name)
        return Remote(urlunsplit((parts.scheme, parts.netloc, posixpath.normpath(path), "", "")))


_HERE = {"file", "local"}
"""Schemes of files of this machine."""


def is_url(text: str) -> bool:
    """Say whether a text names a file by a URL."""
    return _URL.match(text) is not None


def redact(text: str) -> str:
    """Leave out of every URL in a text what may give access: names and passwords, query and fragment."""
    return _SECRETS.sub(lambda found: found[1] + found[3] + ("?…" if found[4] else ""), text)


def look_at(remote: Remote, wanted: str) -> Remote:
    """Ask a store about a file, without bringing it here.

    Args:
        remote: The file.
        wanted: What it shall be, one of ``MOST_BYTES``.

    Returns:
        The same with ``version`` and ``size``.

    Raises:
        MediaError: There is none, it is empty or too large, or it cannot be reached.
        SettingsError: Nothing that is installed opens such a URL.
    """
    with _told(remote, wanted):
        told = _web_info(remote) if remote.scheme in _WEB else _store(remote)[0].info(_store(remote)[1])
    if told.get("type", "file") != "file":
        raise MediaError(f"Expected {wanted} at {remote}, got a folder; name a file inside it.")
    size = told.get("size")
    if size == 0:
        raise MediaError(f"Expected {wanted} at {remote}, got an empty file; copy it there again.")
    if size is not None and size > MOST_BYTES[wanted]:
        raise _too_large(remote, wanted)
    names = next((names for names in (_CONTENTS, _MOMENTS) if any(told.get(name) for name in names)), ())
    version = " ".join(f"{name}={told[name]}" for name in names if told.get(name))
    return Remote(remote.url, f"{size} {version}" if version else "", size or 0)


def bring(remote: Remote, wanted: str, folder: Path) -> Path:
    """Copy a file into a folder, under its own name.

    Raises:
        MediaError: There is none, it is empty or too large, or it cannot be reached.
        SettingsError: Nothing that is installed opens such a URL.
    """
    name = remote.name if remote.name.isprintable() and remote.name not in ("", "..") else "file"
    path = folder / name
    with path.open("wb") as file:
        for piece in _pieces(remote, wanted):
            file.write(piece)
    return path


def hash_of(remote: Remote, wanted: str) -> str:
    """Name what is in a file: by what its store says, or else by reading it.

    Raises:
        MediaError: As of ``bring``.
    """
    if remote.version:
        return f"{remote} {remote.version}"
    made = hashlib.sha256()
    for piece in _pieces(remote, wanted):
        made.update(piece)
    return made.hexdigest()


def send(path: Path, remote: Remote) -> None:
    """Take a finished file to where a URL says: whoever looks there sees the old one or the whole new one.

    Raises:
        MediaError: It cannot be written there.
        SettingsError: Nothing that is installed opens such a URL.
    """
    with _told(remote, ""), path.open("rb") as file:
        if remote.scheme in _WEB:
            request = _request(remote, "PUT", cast("Any", file))
            request.add_header("Content-Length", str(path.stat().st_size))
            request.add_header("Content-Type", "application/octet-stream")
            with _opened(request):
                return
        system, name = _store(remote)
        try:
            _transferred(file, system, name)
        except FileNotFoundError:  # a store that has folders wants them made
            system.makedirs(name.rpartition("/")[0], exist_ok=True)
            _transferred(file, system, name)


def _transferred(file: BinaryIO, system: Any, name: str) -> None:  # noqa: ANN401 - fsspec's
    file.seek(0)
    with system.transaction, system.open(name, "wb") as copy:
        _copy(file, copy)


def local_path(url: str) -> Path:
    """Return the path that a ``file://`` URL names."""
    return Path(urllib.request.url2pathname(urlsplit(url).path))


def check_openable(remote: Remote) -> None:
    """Raise where a file that shall be written could not be, as far as that is known without the network.

    Raises:
        SettingsError: Nothing that is installed opens such a URL, or it is of this machine, where videos go into the
            batch's folder alone.
        MediaError: It is no URL of a file.
    """
    if not remote.name:
        raise MediaError(f"Expected the URL of a file, got {remote}; add the file's name.")
    if remote.scheme in _HERE:
        raise SettingsError("a video on this machine goes into the batch's folder: give its path in there, not a URL")
    if remote.scheme not in _WEB:
        with _told(remote, ""):
            _store(remote)


def _pieces(remote: Remote, wanted: str) -> Iterator[bytes]:
    """Read a file piece by piece, no more than may be."""
    done = 0
    with _told(remote, wanted), _reading(remote) as stream:
        while piece := stream.read(_PIECE):
            done += len(piece)
            if done > MOST_BYTES[wanted]:
                raise _too_large(remote, wanted)
            yield piece
        if not done:
            raise MediaError(f"Expected {wanted} at {remote}, got an empty file; copy it there again.")


def _too_large(remote: Remote, wanted: str) -> MediaError:
    return MediaError(f"Expected {wanted} of {MOST_BYTES[wanted] >> 20} MB at most at {remote}, got more.")


def _copy(source: BinaryIO, target: BinaryIO) -> None:
    while piece := source.read(_PIECE):
        target.write(piece)


def _reading(remote: Remote) -> Any:  # noqa: ANN401 - a stream of whatever opened it
    if remote.scheme in _WEB:
        return _opened(_request(remote, "GET"))
    system, name = _store(remote)
    return system.open(name, "rb")


def _store(remote: Remote) -> tuple[Any, str]:
    """Return what reaches a URL that is not the web's, and how it names the file."""
    if "::" in remote.url:
        raise SettingsError(f"One URL is wanted, got a chain of them: {remote}.")
    try:
        core = import_module(f"{PACKAGE}.core")
    except ImportError as error:
        raise SettingsError(f"{remote} wants {PACKAGE}, which is not installed here; pip install {PACKAGE}.") from error
    try:
        return core.url_to_fs(remote.url)
    except (ImportError, ValueError) as error:
        raise SettingsError(f"{remote} cannot be opened here ({redact(_first_line(error))}).") from error


def _request(remote: Remote, method: str, data: Any = None) -> urllib.request.Request:  # noqa: ANN401 - urllib's
    parts = urlsplit(remote.url)
    known, _, host = parts.netloc.rpartition("@")
    address = urlunsplit((parts.scheme, host, quote(parts.path, safe="/%:@!$&'()*+,;=~"), parts.query, ""))
    request = urllib.request.Request(address, data, {"Accept-Encoding": "identity"}, method=method)  # noqa: S310 - web
    if known:
        told = base64.b64encode(unquote(known).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {told}")
    return request


def _opened(request: urllib.request.Request) -> Any:  # noqa: ANN401 - urllib's
    return urllib.request.urlopen(request, timeout=TIMEOUT)  # noqa: S310 - the web's, as asked for


def _web_info(remote: Remote) -> Mapping[str, Any]:
    """Ask a web server about a file; one that wants no such questions is asked for the file, which is then left."""
    try:
        answer = _opened(_request(remote, "HEAD"))
    except urllib.error.HTTPError as error:
        error.close()
        answer = _opened(_request(remote, "GET"))
    with answer:
        told = dict.fromkeys((*_CONTENTS, *_MOMENTS))
        length = answer.headers.get("Content-Length")
        return {name: answer.headers.get(name) for name in told} | ({"size": int(length)} if length else {})


@contextmanager
def _told(remote: Remote, wanted: str) -> Iterator[None]:
    """Turn whatever a store says into one sentence that gives nothing away."""
    what = f"Expected {wanted} at {remote}" if wanted else f"Cannot write {remote}"
    try:
        yield
    except (MediaError, SettingsError):
        raise
    except urllib.error.HTTPError as error:
        later = error.code == _TOO_BUSY or error.code >= _SERVER_FAILED
        error.close()
        text = f"{what}, but the server answers {error.code}; check the URL and whether it is still valid."
        raise (ConnectionFailedError if later else MediaError)(text) from None
    except FileNotFoundError:
        raise MediaError(
            f"{what}, but there is none; check the URL." if wanted else f"{what}: no such place."
        ) from None
    except PermissionError:
        raise MediaError(f"{what}, which may not be reached; check who you are for that store.") from None
    except Exception as error:  # noqa: BLE001 - every store has errors of its own
        hidden = redact(_first_line(error)).replace(remote.url, str(remote))
        raise ConnectionFailedError(f"{what}, which cannot be reached ({hidden}); try again.") from None


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
