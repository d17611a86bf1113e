"""Weights fetched over a real host's server, from a hub on this machine."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.conftest import HOSTS
from tests.host.harness import Comfy, needed_python, started

SECRET = "hf_never_to_be_seen"  # noqa: S105
BIG = "LeonJoe13/Sonic/Sonic/unet.pth"


@pytest.fixture(params=HOSTS or [None], ids=lambda path: path.name if path else "no host")
def fetching(request: pytest.FixtureRequest, filled: Any, tmp_path: Path) -> Iterator[Comfy]:
    """A host whose environment names the hub."""
    python = needed_python(request.param)
    filled.files[BIG] = bytes(40_000_000)
    with started(request.param, python, tmp_path / "home") as host:
        yield host


def refusal(comfy: Comfy, path: str, body: object = None, **headers: str) -> tuple[int, str]:
    """Ask for what is not given; tell the answer."""
    data = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    asked = urllib.request.Request(comfy.url + path, data, {"Content-Type": "application/json", **headers})  # noqa: S310
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(asked, timeout=30)  # noqa: S310
    with caught.value as answer:
        return answer.code, answer.read().decode()


def ended(comfy: Comfy) -> dict[str, Any]:
    """Wait until the download has ended."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        state = comfy.read("/sonic/weights?name=sonic-base")["download"]
        if state["state"] != "running":
            return state
        time.sleep(0.1)
    raise TimeoutError(state)


def test_weights_are_fetched_from_the_canvas(fetching: Comfy, filled: Any) -> None:
    start, wish = "/sonic/weights/download", {"name": "sonic-base", "mirror": filled.address}
    for body, headers, code, words in [
        (wish, {"Content-Type": "text/plain"}, 415, "application/json"),
        (wish, {"Origin": "https://elsewhere.example"}, 403, ""),
        (b"[1]", {}, 400, "JSON object"),
        (wish | {"token": 7}, {}, 400, "JSON object"),
        (wish | {"name": "../../etc"}, {}, 400, "Expected one of sonic-base, yoloface"),
        (wish | {"mirror": "http://127.0.0.1:1"}, {}, 400, "The mirror must be one of"),
        (wish | {"token": SECRET}, {}, 400, "A token is sent over https only"),
    ]:
        answered, said = refusal(fetching, start, body, **headers)
        assert (answered, words in said) == (code, True), said
    assert filled.seen == []

    told = fetching.read("/sonic/weights?name=sonic-base")
    assert (told["folder"], told["download"], len(told["files"])) == (f"{fetching.home}/models/sonic", {}, 11)

    filled.cut_after = 15_000_000
    assert json.loads(fetching.ask(start, wish))["state"] == "running"
    state = ended(fetching)
    assert "press Download again, it continues there." in state["message"]
    filled.mend()
    fetching.ask(start, wish)
    assert ended(fetching)["state"] == "done"
    assert filled.bodies()[0].headers["range"].startswith("bytes=1")
    assert (fetching.home / "models/sonic/Sonic/unet.pth").stat().st_size == 40_000_000
    assert fetching.read("/sonic/weights?name=sonic-base")["files"] == []
    assert SECRET not in fetching.log
    assert not [file for file in fetching.home.rglob("*.json") if SECRET in file.read_text(errors="ignore")]


def test_a_download_is_heard_of_and_stopped(fetching: Comfy, filled: Any) -> None:
    heard: list[dict[str, Any]] = []
    with fetching.listening() as listener:
        fetching.ask("/sonic/weights/download", {"name": "sonic-base", "mirror": filled.address})
        while not heard or heard[-1]["state"] == "running":
            said = listener.hear()
            if isinstance(said, dict) and said["type"] == "sonic.download":
                heard.append(said["data"])
                if said["data"].get("done", 0) > 2:
                    fetching.ask("/sonic/weights/stop", {})
    assert heard[0] | {"file": "", "done": 0, "total": 0} == {
        "name": "sonic-base", "state": "running", "file": "", "number": 1, "count": 11, "done": 0, "total": 0
    }  # fmt: skip
    assert heard[-1]["state"] in {"stopped", "done"}
    assert ended(fetching)["state"] == heard[-1]["state"]
