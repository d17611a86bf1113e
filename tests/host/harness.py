"""A real ComfyUI with an empty home of its own, and the few words that the tests say to it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACK = "sonic-portrait"
PYTHONS = ("venv/bin/python", ".venv/bin/python", "../python_embeded/python.exe", "venv/Scripts/python.exe")
WIDGETS = {"INT": int, "FLOAT": (int, float), "STRING": str, "BOOLEAN": bool}


def checkouts() -> list[Path]:
    """List the hosts to test against: ``$COMFYUI_PATH`` (several parted as in ``$PATH``), else those in the home."""
    named = os.environ.get("COMFYUI_PATH")
    found = map(Path, named.split(os.pathsep)) if named else sorted(Path.home().glob("ComfyUI*"))
    return [path for path in found if (path / "main.py").is_file()]


def python_of(checkout: Path) -> str | None:
    """Find the Python that a host runs under: ``$COMFYUI_PYTHON`` or the environment in its folder."""
    inside = (checkout / place for place in PYTHONS)
    return os.environ.get("COMFYUI_PYTHON") or next((str(path) for path in inside if path.exists()), None)


def needed_python(checkout: Path | None) -> str:
    """Find the Python of a host to test against; without host or Python the test is skipped and says what it lacks."""
    if checkout is None:
        pytest.skip("no ComfyUI at $COMFYUI_PATH or ~/ComfyUI*")
    python = python_of(checkout)
    if python is None:
        pytest.skip(f"no Python for {checkout.name}: set $COMFYUI_PYTHON or make {checkout.name}/venv")
    return python


@dataclass
class Run:
    """How a prompt ended."""

    outputs: dict[str, Any] = field(default_factory=dict)
    events: dict[str, Any] = field(default_factory=dict)
    refused: dict[str, Any] = field(default_factory=dict)

    @property
    def complaint(self) -> str:
        """What the person at the canvas reads; empty when all went well."""
        errors = [error for node in self.refused.get("node_errors", {}).values() for error in node["errors"]]
        said = self.events.get("execution_error", {}).get("exception_message", "")
        return said.strip() or " ".join(error["details"] for error in errors)

    @property
    def cached(self) -> set[str]:
        """Which nodes did not have to run again."""
        return set(self.events["execution_cached"]["nodes"])

    def file(self, node: str) -> dict[str, str]:
        """The first file that ``node`` shows."""
        assert not self.complaint, self.complaint
        return self.outputs[node]["images"][0]


class Listener:
    """A client of the host's websocket (RFC 6455) that only listens."""

    def __init__(self, line: socket.socket) -> None:
        self.client = uuid.uuid4().hex
        self.stream = line.makefile("rb")
        asked = ["GET /ws?clientId=" + self.client + " HTTP/1.1", "Host: localhost", "Upgrade: websocket"]
        asked += [
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
            "",
            "",
        ]
        line.sendall("\r\n".join(asked).encode())
        assert b" 101 " in self.stream.readline()
        while self.stream.readline() != b"\r\n":
            pass

    def hear(self) -> dict[str, Any] | bytes:
        """Wait for the next message: what was said, or a picture with the eight bytes before it."""
        kind, length = self.stream.read(2)
        if length > 125:
            length = int.from_bytes(self.stream.read(2 if length == 126 else 8), "big")
        content = self.stream.read(length)
        return content if kind & 15 == 2 else json.loads(content)

    def until_end(self, ticket: str) -> Iterator[dict[str, Any] | bytes]:
        """Hear everything until the run ``ticket`` has ended."""
        ends = {"execution_success", "execution_error", "execution_interrupted"}
        while True:
            said = self.hear()
            yield said
            if isinstance(said, dict) and said["type"] in ends and said["data"]["prompt_id"] == ticket:
                return


class Comfy:
    """A running host."""

    def __init__(self, home: Path, port: int, python: str, pid: int) -> None:
        self.home, self.url, self.python, self.pid = home, f"http://127.0.0.1:{port}", python, pid

    def ask(self, path: str, body: object = None, kind: str = "application/json") -> bytes:
        """GET, or POST when there is a body."""
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": kind} if data is not None else {}
        request = urllib.request.Request(self.url + path, data, headers)  # noqa: S310 - our own http address
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.read()

    def read(self, path: str) -> Any:
        return json.loads(self.ask(path))

    def queue(self, prompt: Mapping[str, Any], workflow: object = None, client: str = "") -> str | Run:
        """Send a prompt; gives its id, or how it was refused."""
        extra = {"extra_pnginfo": {"workflow": workflow}} if workflow else {}
        body = {"prompt": prompt, "client_id": client or uuid.uuid4().hex, "extra_data": extra}
        try:
            return json.loads(self.ask("/prompt", body))["prompt_id"]
        except urllib.error.HTTPError as error:
            with error:
                return Run(refused=json.loads(error.read()))

    def wait(self, ticket: str, seconds: float = 300) -> Run:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            past = self.read(f"/history/{ticket}").get(ticket)
            if past:
                return Run(past["outputs"], dict(past["status"]["messages"]))
            time.sleep(0.1)
        raise TimeoutError(f"{ticket} did not end within {seconds} s")

    def run(self, prompt: Mapping[str, Any], workflow: object = None, seconds: float = 300) -> Run:
        ticket = self.queue(prompt, workflow)
        return ticket if isinstance(ticket, Run) else self.wait(ticket, seconds)

    def forget(self, seconds: float = 120) -> None:
        """Have the host drop its models and all results, and wait until our temporary videos are gone with them."""
        end = time.monotonic() + seconds
        while self.temporary_videos and time.monotonic() < end:
            # One word, and seldom: a second that comes while the host is at the first waits for the end of the next
            # run, and then drops that one's results. Again at all, because what still ran was not yet garbage.
            self.ask("/free", {"free_memory": True})
            patience = time.monotonic() + 10
            while self.temporary_videos and time.monotonic() < patience:
                time.sleep(0.2)

    @contextmanager
    def listening(self) -> Iterator[Listener]:
        """Hear what the host says to one client."""
        with socket.create_connection(("127.0.0.1", int(self.url.rpartition(":")[2])), timeout=120) as line:
            yield Listener(line)

    def path(self, file: Mapping[str, str]) -> Path:
        """Where a file that a node shows lies."""
        return self.home / file["type"] / file["subfolder"] / file["filename"]

    @property
    def temporary_videos(self) -> list[Path]:
        """Our videos that are no file of anybody's; pictures that nodes show stay until the host ends."""
        return [file for file in (self.home / "temp").glob("sonic_*") if file.suffix != ".png"]

    def litter(self) -> set[Path]:
        """Every file that a run could leave behind, but the pictures that nodes show until the host ends."""
        files = {
            file for name in ("temp", "output", "input") for file in (self.home / name).rglob("*") if file.is_file()
        }
        return files - set((self.home / "temp").glob("sonic_*.png"))

    @property
    def log(self) -> str:
        return (self.home / "server.log").read_text()


@dataclass
class Shelf:
    """Where a host looks for weights; a set can be put there."""

    full: Path
    sonic: Path
    checkpoints: Path

    def fill(self, svd: str = "svd_xt.safetensors") -> None:
        """Put everything where the host's layout has it."""
        inside = [*(self.full / "Sonic").iterdir(), self.full / "whisper-tiny", self.full / "RIFE"]
        self.sonic.mkdir(exist_ok=True)
        for path in inside:
            (self.sonic / path.name).symlink_to(path)
        (self.checkpoints / svd).symlink_to(self.full / "svd_xt.safetensors")

    def clear(self) -> None:
        """Take everything away."""
        for folder in (self.sonic, self.checkpoints):
            for path in folder.glob("*"):
                path.unlink()


@contextmanager
def started(
    checkout: Path, python: str, home: Path, front_end: str | None = None, more: Sequence[str] = ()
) -> Iterator[Comfy]:
    """Start a host on the processor with our pack as its only one, and end it.

    Args:
        checkout: The host's folder.
        python: What it runs under.
        home: A new folder for all that it keeps; other packs may lie in its custom_nodes already.
        front_end: The folder of another front end than its own.
        more: Further flags.
    """
    for name in ("custom_nodes", "input", "output", "models", "user/default"):
        (home / name).mkdir(parents=True, exist_ok=True)
    (home / "custom_nodes" / PACK).symlink_to(ROOT)
    (home / "user/default/comfy.settings.json").write_text('{"Comfy.TutorialCompleted": true}')
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    flags = [
        "--cpu",
        "--port",
        str(port),
        "--base-directory",
        str(home),
        "--disable-auto-launch",
        "--disable-api-nodes",
    ]
    flags += ["--database-url", f"sqlite:///{home}/host.db", "--preview-method", "auto"]
    flags += ["--extra-model-paths-config", str(_more_folders(home))]
    flags += ["--front-end-root", front_end] if front_end else []
    flags += [*shlex.split(os.environ.get("COMFYUI_ARGS", "")), *more]
    with (home / "server.log").open("w") as log, subprocess.Popen(
        [python, "main.py", *flags], cwd=checkout, env={"OMP_NUM_THREADS": "1", **os.environ}, stdout=log,
        stderr=subprocess.STDOUT, start_new_session=True
    ) as process:  # fmt: skip
        try:
            yield _ready(Comfy(home, port, python, process.pid), process)
        finally:
            _end(process)


@contextmanager
def beside(checkout: Path, folder: Path, *, first: bool) -> Iterator[Comfy]:
    """Start a host that reads the packs in ``folder/packs`` before or after ours."""
    listed = folder / "packs.yaml"
    listed.write_text(f"more:\n  base_path: {folder}\n  is_default: {str(first).lower()}\n  custom_nodes: packs\n")
    more = ["--extra-model-paths-config", str(listed)]
    with started(checkout, needed_python(checkout), folder / "home", more=more) as host:
        yield host


def _end(process: subprocess.Popen[bytes], seconds: float = 30) -> None:
    """Ask a host to end; where it does not, make it."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def _more_folders(home: Path) -> Path:
    """Name a second folder for checkpoints, as people do who keep their models elsewhere."""
    (home / "elsewhere/stable").mkdir(parents=True)
    file = home / "extra_model_paths.yaml"
    file.write_text(f"mine:\n  base_path: {home}/elsewhere\n  checkpoints: stable\n")
    return file


def _ready(comfy: Comfy, process: subprocess.Popen[bytes]) -> Comfy:
    for _ in range(600):
        assert process.poll() is None, comfy.log[-3000:]
        try:
            comfy.ask("/system_stats")
        except OSError:
            time.sleep(0.2)
        else:
            return comfy
    raise TimeoutError(comfy.log[-3000:])


def misfits(workflow: Mapping[str, Any], known: Mapping[str, Any]) -> list[str]:
    """List what in a canvas workflow does not fit the nodes that ``known`` (as /object_info) describes."""
    nodes = {node["id"]: node for node in workflow["nodes"] if not node["type"].endswith("Note")}
    missing = [f"{node['type']} is not known" for node in nodes.values() if node["type"] not in known]
    if missing:
        return missing
    found = [misfit for node in nodes.values() for misfit in _misfits_of_node(node, known[node["type"]])]
    for _, source, slot, goal, port, kind in workflow["links"]:
        given = known[nodes[source]["type"]]["output"][slot]
        name = nodes[goal]["inputs"][port]["name"]
        wanted = inputs_of(known[nodes[goal]["type"]])[name][0]
        if given != kind or given not in wanted.split(","):
            found.append(f"{given} goes into {name} ({wanted})")
    return found


def inputs_of(described: Mapping[str, Any]) -> dict[str, Any]:
    return {**described["input"].get("required", {}), **described["input"].get("optional", {})}


def choices_of(kind: str | list[str], options: Mapping[str, Any] | None = None) -> list[str] | None:
    """List the choices of an input: V1 has them in place of its kind, V3 among its options; None where it has none."""
    return kind if isinstance(kind, list) else (options or {}).get("options")


def _misfits_of_node(node: Mapping[str, Any], described: Mapping[str, Any]) -> Iterator[str]:
    linked = {slot["name"] for slot in node.get("inputs", []) if slot["link"] is not None}
    values = iter(node["widgets_values"])
    for name, (kind, *options) in inputs_of(described).items():
        asked = options[0] if options else {}
        choices = choices_of(kind, asked)
        if choices is None and (kind not in WIDGETS or asked.get("forceInput")):
            if name not in linked and name in described["input"]["required"]:
                yield f"{node['type']}.{name} is not linked"
            continue
        value = next(values, "nothing")
        if asked.get("control_after_generate"):
            next(values, None)
        if choices is not None and value not in choices:
            yield f"{node['type']}.{name} is {value}, which is none of {choices}"
        elif choices is None and not isinstance(value, WIDGETS[kind]):
            yield f"{node['type']}.{name} is {value!r}, which is no {kind}"
        elif choices is None and not asked.get("min", value) <= value <= asked.get("max", value):
            yield f"{node['type']}.{name} is {value}, out of range"
