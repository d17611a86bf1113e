"""What several rooms' tests share: a hub on this machine, tiny sets of weights, a place without any."""

from __future__ import annotations

import gc
import hashlib
import os
import re
import shutil
import signal
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    # A shell's jobs in the background ignore Ctrl-C, and so would all programs that tests begin and then interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Programs that tests start wait without keeping a processor busy, also where the tests were not started by make.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if shutil.which("nvidia-smi") is None:  # chosen before Triton is imported, by whomever
    os.environ.setdefault("TRITON_INTERPRET", "1")


SHARING = {"learn/distil": "a talk to learn from", "learn/tune": "a talk to learn from"}
"""Folders whose tests take long to set up and share what was set up: one process runs them all."""


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the marks in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several processes share the tests, each file, and each running host, stays with one of them."""
    for item in items:
        parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        folder = item.path.parent.name
        together = f"{folder} {parameters['comfy']}" if "comfy" in parameters else item.nodeid.split("::")[0]
        together = SHARING.get(f"{item.path.parent.parent.name}/{folder}", together)
        item.add_marker(pytest.mark.xdist_group(together))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Where they would not stay together, say so instead of starting every host several times."""
    grouped = getattr(session.config.option, "loadgroup", False)
    if grouped and not all("@" in item.nodeid for item in session.items):
        raise pytest.UsageError("Expected a pytest whose tests pytest-xdist can group: see constraints.txt.")


class Seen(NamedTuple):
    """A request that reached the hub."""

    method: str
    path: str
    headers: dict[str, str]


class Hub(ThreadingHTTPServer):
    """Answers as the model hub does: metadata on one address, large files behind a redirect to another."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.files: dict[str, bytes] = {}
        """Content by "owner/name/path"."""
        self.commit = "c" * 40
        """What is answered as the revision."""
        self.older: dict[str, dict[str, bytes]] = {}
        """Content of revisions before that, which are asked for by their names."""
        self.claimed: dict[str, int] = {}
        """Sizes that are told in place of the true ones."""
        self.refused: dict[str, int] = {}
        """Repositories that only ``token`` opens, and what they answer otherwise."""
        self.token = "hf_good"  # noqa: S105
        self.cut_after: int | None = None
        """Bytes after which the next body is cut; from then on nothing is answered until ``mend``."""
        self.status: int | None = None
        """Answered to everything while set."""
        self.broken = False
        self.seen: list[Seen] = []

    @property
    def address(self) -> str:
        """What HF_ENDPOINT is set to."""
        return f"http://127.0.0.1:{self.server_port}"

    def mend(self) -> None:
        """Let everything through again, and forget what was seen."""
        self.broken, self.cut_after, self.status = False, None, None
        self.seen.clear()

    def bodies(self) -> list[Seen]:
        """Requests for the content of large files."""
        return [seen for seen in self.seen if seen.method == "GET" and seen.path.startswith("/cdn/")]


class _Answer(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def answer(self) -> None:
        self.server.seen.append(Seen(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        self.close_connection = True
        if self.server.broken:
            self.connection.shutdown(socket.SHUT_RDWR)
        elif self.server.status:
            self.plain(self.server.status)
        elif self.path.startswith("/cdn/"):
            _, _, revision, name = self.path.split("/", 3)
            self.body(self.server.older.get(revision, self.server.files)[name])
        else:
            self.resolve()

    def plain(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def resolve(self) -> None:
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/(main|\w{40})/(.+)", self.path)
        assert match, f"the hub was asked for {self.path}"
        repository, revision, path = match.groups()
        name, commit = f"{repository}/{path}", self.server.commit if revision == "main" else revision
        files = self.server.files if commit == self.server.commit else self.server.older.get(commit, {})
        refusal = self.server.refused.get(repository)
        if refusal and self.headers.get("authorization") != f"Bearer {self.server.token}":
            self.plain(refusal, X_Error_Code="GatedRepo", X_Error_Message="Access is restricted.")
        elif name not in files:
            self.plain(404, X_Error_Code="EntryNotFound", X_Error_Message="Entry not found")
        elif path.endswith(".json"):
            content = files[name]
            mark = hashlib.sha1(content, usedforsecurity=False).hexdigest()
            self.body(content, X_Repo_Commit=commit, ETag=f'"{mark}"')
        else:
            content = files[name]
            self.plain(
                302,
                X_Repo_Commit=commit,
                X_Linked_ETag=f'"{hashlib.sha256(content).hexdigest()}"',
                X_Linked_Size=str(self.server.claimed.get(name, len(content))),
                Location=f"http://localhost:{self.server.server_port}/cdn/{commit}/{name}",
            )

    def body(self, content: bytes, **headers: str) -> None:
        begin = int((self.headers.get("range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        whole = len(content)
        content = content[begin:]
        ranged = {"Content_Range": f"bytes {begin}-{whole - 1}/{whole}"} if self.headers.get("range") else {}
        self.plain(206 if ranged else 200, **{"Content-Length": str(len(content))}, **ranged, **headers)
        if self.command == "HEAD":
            return
        if self.server.cut_after is not None and not self.path.endswith(".json"):
            content, self.server.broken = content[: self.server.cut_after], True
        self.wfile.write(content)


@pytest.fixture
def hub(monkeypatch):
    """A running hub that the environment points to; every other address is out of reach."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    connect = socket.socket.connect

    def connect_here(self, address):
        assert not isinstance(address, tuple) or address[0] in {"127.0.0.1", "::1", "localhost"}, address
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)
    with Hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def filled(hub):
    """A hub with every file of sonic-base, tiny."""
    from sonic_core.weights.catalog import BASE_PARTS

    for part in BASE_PARTS:
        for file in (*part.files, *part.extras):
            hub.files[f"{part.repository}/{file.path}"] = f"content of {file.path}".encode()
    return hub


@pytest.fixture
def empty_place(monkeypatch, tmp_path):
    """An empty home and working folder."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SONIC_HOME", raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


@pytest.fixture(autouse=True)
def no_reader_stays_at_work():
    """Whoever reads ahead closes what it reads from: no test leaves a thread that makes items nobody takes."""
    from sonic_core.media.ahead import threads_at_work

    before = threads_at_work()
    yield
    if left := threads_at_work() - before:
        gc.collect()
        left = threads_at_work() & left
    assert not left, "a frame source was left open"


@pytest.fixture(autouse=True)
def no_test_goes_before_others():
    """No test leaves its thread in real time: all that shares the processors then waits, its children never end."""
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    before, parameter = os.sched_getscheduler(0), os.sched_getparam(0)
    yield
    after = os.sched_getscheduler(0)
    if after != before:
        os.sched_setscheduler(0, before, parameter)
    assert after == before, "the test's thread was made a real-time one: open such encoders within usual_priority()"


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Tiny networks are quickest on one thread, above all where the processor is shared."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_set(tmp_path_factory):
    """A folder with all of sonic-base's files, random and of a few megabytes; not to be changed."""
    from tests.parity.make_weights import write_set

    folder = tmp_path_factory.mktemp("tiny_set")
    write_set(folder, tiny=True, single_file=False)
    return folder


@pytest.fixture(scope="session")
def tiny_single_file_set(tmp_path_factory):
    """The same weights, with Stable Video Diffusion as a single file."""
    from tests.parity.make_weights import write_set

    folder = tmp_path_factory.mktemp("tiny_single_file_set")
    write_set(folder, tiny=True, single_file=True)
    return folder


@pytest.fixture(scope="session")
def talking():
    """The bundled portrait saying the bundled speech, by sonic-preview: 7.92 s in step by construction."""
    import sonic_core as sonic

    assets = Path(__file__).resolve().parent.parent / "assets"
    model = sonic.load_model("sonic-preview")
    return model.generate(assets / "speech.wav", assets / "portrait.png", min_resolution=384)


@pytest.fixture(scope="session")
def talking_mouth(talking):
    """How its mouth moves, measured."""
    from sonic_core.faces.finder import face_finder
    from sonic_core.sync.mouth import mouth_motion

    return mouth_motion(talking, face_finder("embedded"))
