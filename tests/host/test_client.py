"""The documented client drives a real ComfyUI, under the host's own Python."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import pytest

from tests.host.harness import ROOT, Comfy
from tests.host.prompts import NAMES, brief_changes, bundled, expected, nodes_of, short_sound, short_video, workflow_of

SCRIPT = ROOT / "docs/client.py"


@dataclass
class Client:
    """The script, and a folder with what people would have."""

    comfy: Comfy
    folder: Path

    def command(self, name: str, *more: str, server: str = "") -> list[str]:
        prompt = f"--prompt={ROOT}/assets/prompts/{name}.json"
        server = f"--server={server or self.comfy.url.removeprefix('http://')}"
        return [self.comfy.python, str(SCRIPT), prompt, "--output=made.mp4", server, *more]

    def run(self, name: str, *more: str, server: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(name, *more, server=server),
            cwd=self.folder, capture_output=True, text=True, encoding="utf-8", timeout=300, check=False,
        )  # fmt: skip

    @property
    def made(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if "made" in path.name)


@pytest.fixture
def client(comfy: Comfy, tmp_path: Path) -> Client:
    return Client(comfy, tmp_path)


@pytest.fixture
def weights(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tiny weights where the prompt at hand asks for sonic-base."""
    if "sonic-base" in json.dumps(bundled(request.node.callspec.params["name"])):
        request.getfixturevalue("shelf").fill()
    yield


def given(name: str, folder: Path) -> list[str]:
    """Options that hand over short files of one's own, for whatever the prompt reads."""
    prompt, options = bundled(name), []
    if nodes_of(prompt, "LoadImage"):
        options += ["--image", str(ROOT / "assets/portrait.png")]
    if nodes_of(prompt, "SonicLoadAudio"):
        options += ["--audio", str(short_sound(folder))]
    if nodes_of(prompt, "SonicLoadAudioFolder"):
        options += ["--audio", str(short_sound(folder, "one.wav")), str(short_sound(folder, "two.wav", 2.0))]
    if nodes_of(prompt, "LoadVideo"):
        options += ["--video", str(short_video(folder))]
    return options + [f"--set={place}={value}" for place, value in brief_changes(prompt).items()]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("weights")
def test_every_prompt_becomes_a_file(client: Client, name: str) -> None:
    options = given(name, client.folder)
    done = client.run(name, *options)
    assert done.returncode == 0, done.stderr
    several = bool(nodes_of(bundled(name), "SonicLoadAudioFolder"))
    assert client.made == (["made_1.mp4", "made_2.mp4"] if several else ["made.mp4"])
    assert done.stdout.splitlines() == client.made
    assert "/25" in done.stderr or "/13" in done.stderr, "progress is shown"
    frames, size = expected(bundled(name))
    for file in client.made:
        with av.open(str(client.folder / file)) as video:
            assert [stream.type for stream in video.streams] == ["video", "audio"]
            shown = [(frame.width, frame.height) for frame in video.decode(video=0)]
        assert shown == [size] * frames

    cached = client.run(name, *options, "--overwrite")
    assert (cached.returncode, cached.stdout) == (0, done.stdout)
    assert "/25" not in cached.stderr, "nothing is computed twice"
    check_metadata(client.comfy, name)


def check_metadata(comfy: Comfy, name: str) -> None:
    """Run the last prompt once more, from a canvas: its videos carry the workflow, and only they are made anew."""
    (_, _, prompt, *_) = max(comfy.read("/history").values(), key=lambda one: one["prompt"][0])["prompt"]
    (node,) = nodes_of(prompt, "VideoCombine")
    prompt[node]["inputs"]["crf"] = 30
    run = comfy.run(prompt, workflow_of(name))
    assert run.cached == set(prompt) - {node}
    for file in run.outputs[node]["images"]:
        assert file["type"] == "output"
        with av.open(str(comfy.path(file))) as video:
            assert [stream.codec_context.name for stream in video.streams] == ["h264", "aac"]
            assert json.loads(video.metadata["workflow"]) == workflow_of(name)
            assert json.loads(video.metadata["prompt"]).keys() == prompt.keys()


def test_what_is_there_is_kept_unless_told(client: Client) -> None:
    (client.folder / "made.mp4").write_bytes(b"mine")
    done = client.run("fast_digital_human")
    assert (done.returncode, said(done)) == (2, "made.mp4 is there already: name another file, or say --overwrite.")
    assert (client.folder / "made.mp4").read_bytes() == b"mine"


def test_a_server_that_is_not_there_is_said(client: Client) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = f"127.0.0.1:{free.getsockname()[1]}"
    done = client.run("fast_digital_human", server=server)
    assert done.returncode == 2
    assert said(done).startswith(f"ComfyUI at {server} does not do its part (Cannot connect")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--image", "nowhere.png"], "nowhere.png: No such file or directory."),
        (["--video", "nowhere.mp4"], "No node of this prompt takes --video: LoadVideo would."),
        (["--set", "7.sede=5"], "--set 7.sede=5: expected NODE.INPUT=VALUE with a node and an input of"),
        (
            ["--set", "4.audio=../secret.wav"],
            "audio - ../secret.wav leads out of the inputs folder",
        ),
        (["--set", "7.fps=1000"], "SonicSampler (7): Value 1000.0 bigger than max of 240.0: fps"),
        (["--set", "4.duration=0.2", "--set", "6.face_index=7"], "SONIC_PreData (6): "),
        (["--prompt", "{workflow}"], "is no prompt in API form"),
        (["--audio", "a.wav", "b.wav"], "This prompt takes one sound"),
        (["--output", "nowhere/made.mp4", "--set=6.duration=0.1"], "nowhere/"),
    ],
    ids=["file", "kind", "set", "refused", "range", "failed", "canvas", "sounds", "folder"],
)
def test_what_goes_wrong_is_one_sentence_and_leaves_no_file(client: Client, options: list[str], words: str) -> None:
    options = [option.format(workflow=ROOT / "workflows/Fast digital human.json") for option in options]
    done = client.run("fast_digital_human", "--set=6.min_resolution=128", *options)
    assert done.returncode == 2, done.stderr
    assert words in said(done)
    assert "Traceback" not in done.stderr
    assert client.made == []


def test_a_prompt_that_is_wrong_in_part_does_not_run_the_rest(client: Client) -> None:
    done = client.run("talking_video_repair", "--set=6.frame_rate=1000", "--set=4.max_offset=0.04")
    assert done.returncode == 2, done.stderr
    assert "VideoCombine (6): Value 1000.0 bigger than max of 240.0: frame_rate" in said(done)
    assert client.made == []
    while client.comfy.read("/queue")["queue_running"]:
        time.sleep(0.1)
    ours = [one for one in client.comfy.read("/history").values() if one["prompt"][2].get("4", {}).get("inputs", {})
            .get("max_offset") == 0.04]  # fmt: skip
    assert ["execution_success" in dict(one["status"]["messages"]) for one in ours] in ([], [False])


@pytest.mark.parametrize("by", ["server", "ctrl-c"])
def test_a_run_is_stopped(client: Client, by: str) -> None:
    long = ["--set=6.min_resolution=1024", "--set=7.fps=120", f"--set=7.seed={len(by)}"]
    before = client.comfy.litter()
    with subprocess.Popen(client.command("fast_digital_human", *long), cwd=client.folder, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as running:  # fmt: skip
        assert running.stderr
        heard = b""
        while b"SonicSampler 1" not in heard:
            piece = running.stderr.read1(4096)
            assert piece, heard
            heard += piece
        if by == "server":
            client.comfy.ask("/interrupt", {})
        else:
            running.send_signal(signal.SIGINT)
        heard += running.communicate(timeout=60)[1]
    words, status = ("was interrupted at the server", 2) if by == "server" else ("Stopped, at the server too.", 130)
    assert words in heard.decode()
    assert running.returncode == status
    assert client.made == []
    while client.comfy.read("/queue")["queue_running"]:
        time.sleep(0.1)
    past = client.comfy.read("/history")
    last = max(past.values(), key=lambda one: one["prompt"][0])
    assert dict(last["status"]["messages"])["execution_interrupted"]["node_type"] == "SonicSampler"
    assert client.comfy.litter() <= before


def said(done: subprocess.CompletedProcess[str]) -> str:
    """What stays to be read on standard error."""
    return done.stderr.rstrip().rpartition("\r")[2].strip()


def test_a_list_is_shared_out_among_the_servers_that_answer(client: Client) -> None:
    sound, portrait = short_sound(client.folder), ROOT / "assets/portrait.png"
    rows = [f"{portrait},{sound},{name}.mp4,{seed}" for seed, name in enumerate(("a", "deep/b", "c"))]
    rows.append(f"{portrait},{sound},d.mp4,never")
    changes = brief_changes(bundled("fast_digital_human"))
    (client.folder / "list.csv").write_text("\n".join(["image,audio,output,7.seed", *rows]), encoding="utf-8")
    url = client.comfy.url.removeprefix("http://")
    prompt = f"--prompt={ROOT}/assets/prompts/fast_digital_human.json"
    command = [client.comfy.python, str(SCRIPT), prompt, "--manifest=list.csv", "--output=videos"]
    command += [*(f"--set={place}={value}" for place, value in changes.items()), "--server", "127.0.0.1:9", url]
    done = subprocess.run(command, cwd=client.folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2
    assert "3 made, 1 failed:\nd.mp4: ComfyUI refused the prompt" in done.stderr
    made = {path: path.stat().st_mtime_ns for path in (client.folder / "videos").rglob("*.mp4")}
    assert {path.name for path in made} == {"a.mp4", "b.mp4", "c.mp4"}
    subprocess.run(command, cwd=client.folder, capture_output=True, text=True, timeout=300, check=False)
    assert all(path.stat().st_mtime_ns == moment for path, moment in made.items()), "what is there is not made again"


def test_a_list_without_a_server_says_so(client: Client) -> None:
    (client.folder / "list.csv").write_text("image,output\nme.png,a.mp4\n", encoding="utf-8")
    done = client.run("fast_digital_human", "--manifest=list.csv", server="127.0.0.1:9")
    assert done.returncode == 2
    assert "None of the servers answers, and 1 rows are left" in done.stderr
