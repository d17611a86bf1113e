"""A batch on a Ray cluster: the same files, whoever is lost on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, TimeoutError  # noqa: A004 - another one before Python 3.11
from dataclasses import replace
from hashlib import sha256

import pytest

from sonic_core.batch.cluster import RayCluster, RayCrew
from sonic_core.batch.work import run_batch
from sonic_core.errors import SettingsError

from .test_batch import ROOT, row_of

pytestmark = pytest.mark.xdist_group("cluster")
ASSETS = ROOT / "assets"


@pytest.fixture(name="cluster", scope="module")
def cluster_fixture():
    """Run two machines with one processor each; lend the process that holds them, and their address."""
    pytest.importorskip(
        "ray", reason="Ray is not installed (pip install ray), without which these four minutes are spared"
    )
    if os.name == "nt":
        pytest.skip("several machines in one want POSIX")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_AUTH_MODE", "token")
        patched.setenv("RAY_AUTH_TOKEN", "0" * 64)
        command = [sys.executable, "-W", "ignore", "-m", "tests.batch.cluster_host"]
        host = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            address = line_of(host)
            if ":" not in address:
                pytest.skip(f"no Ray cluster starts on this machine (status {host.poll()})")
            yield host, address
        finally:
            try:
                host.communicate("end\n", timeout=60)
            except subprocess.TimeoutExpired:
                host.kill()
                host.communicate()


def line_of(host, seconds=150):
    """Read the next line that the cluster's process writes; nothing where none comes."""
    with ThreadPoolExecutor(1) as pool:
        line = pool.submit(host.stdout.readline)
        try:
            return line.result(seconds).strip()
        except TimeoutError:
            host.kill()
            return ""


def command_of(folder, *more, output="out"):
    command = [sys.executable, "-W", "ignore", "-m", "sonic_core", "batch", str(folder / "list.csv"), "--json"]
    return [*command, "--output", str(folder / output), "--model", "sonic-preview", *more]


def write_list(folder, count):
    row = f"{ASSETS / 'portrait.png'},{ASSETS / 'speech.wav'},,,0.2,384"
    lines = ["id,image,audio,speakers,format,duration,min_resolution,seed,output"]
    lines += [f"v{number},{row},{number}" for number in range(count)]
    (folder / "list.csv").write_text("\n".join(lines), encoding="utf-8")


def told_by(command):
    """Run a batch with as many threads as a worker has: 16-bit pictures differ in the last bit with another number."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=200)
    return (json.loads(done.stdout) if done.stdout else {}), done.stderr


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix in (".mp4", ".png"))
    return {path.relative_to(folder): sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_cluster_makes_the_same_files(tmp_path, cluster, web):
    write_list(tmp_path, 2)
    more = [
        f"pair,{ASSETS / 'pair.jpg'},,0={ASSETS / 'speech.wav'}; 1={ASSETS / 'sounds/english.wav'}@0.1,,0.2,384,0",
        f"voices,{ASSETS / 'pair.jpg'},{ASSETS / 'speech.wav'},0=voice:1; 1=voice:0,,0.6,384,0",
        f"away,{web.url('in/ann.png')},{web.url('in/hello.wav')},,,0.2,384,0,{web.url('away.mp4')}",
        f"long,{ASSETS / 'portrait.png'},{ASSETS / 'speech.wav'},,,1.2,384,0",
        f"frames,{ASSETS / 'portrait.png'},{ASSETS / 'speech.wav'},,png16,0.2,384,0",
    ]
    (tmp_path / "list.csv").write_text((tmp_path / "list.csv").read_text() + "\n" + "\n".join(more))
    here, _ = told_by(command_of(tmp_path, output="here"))
    there, said = told_by(command_of(tmp_path, "--ray", cluster[1], "--stretch", "1", output="there"))
    assert (here["made"], there["made"], there["failed"]) == (7, 7, 0), said
    assert web.seen.count("PUT /away.mp4") == 2, "who makes a video takes it away"
    made = contents(tmp_path / "here")
    assert len(made) >= 7
    assert contents(tmp_path / "there") == made
    assert not list((tmp_path / "there").rglob(".*"))


def test_a_worker_without_weights_says_so(tmp_path, cluster):
    write_list(tmp_path, 1)
    told, said = told_by(
        [*command_of(tmp_path, "--ray", cluster[1]), "--model", "sonic-base", "--weights", str(tmp_path)]
    )
    assert told == {}
    assert said.count("cannot help: ") == 1, said
    assert "sonic-base" in said
    assert "Traceback" not in said


def test_a_worker_that_no_machine_has_room_for_is_not_waited_for(tmp_path, cluster):
    write_list(tmp_path, 1)
    _, said = told_by(command_of(tmp_path, "--ray", cluster[1], "--ray-cpus", "3"))
    assert "A worker wants 3 CPU and 0 GPU, and no machine of the cluster has them (all together: 2 CPU)" in said


def test_a_video_that_cannot_be_put_in_its_place_costs_one_row(tmp_path, cluster):
    row = f"{ASSETS / 'portrait.png'},{ASSETS / 'speech.wav'},0.2,384"
    lines = ["image,audio,duration,min_resolution,output", f"{row},a.mp4", f"{row},deep/b.mp4"]
    (tmp_path / "list.csv").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/deep").write_text("no folder")
    told, said = told_by(command_of(tmp_path, "--ray", cluster[1]))
    assert (told["made"], told["failed"]) == (1, 1), said
    assert "Cannot write" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("asked", [signal.SIGKILL, signal.SIGINT])
def test_whoever_is_ended_goes_on_where_he_was(tmp_path, cluster, asked):
    write_list(tmp_path, 4)
    command, journal = command_of(tmp_path, "--ray", cluster[1]), tmp_path / "out/journal.jsonl"
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 240
    while not (journal.is_file() and journal.read_text()) and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(asked)
    _, said = running.communicate(timeout=120)
    assert "Traceback" not in said
    before = len(journal.read_text().splitlines())
    assert 1 <= before <= 4
    told, said = told_by(command)
    assert (told["made"] + told["already_there"], told["failed"]) == (4, 0), said
    assert told["already_there"] >= before
    assert len({json.loads(line)["id"] for line in journal.read_text().splitlines()}) == 4


def test_a_machine_that_is_lost_takes_no_video_with_it(tmp_path, cluster):
    host, address = cluster
    write_list(tmp_path, 6)
    command, journal = command_of(tmp_path, "--ray", address), tmp_path / "out/journal.jsonl"
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 240
    while not (journal.is_file() and journal.read_text()) and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    host.stdin.write("lose\n")
    host.stdin.flush()
    assert line_of(host) == "lost"
    told, said = running.communicate(timeout=300)
    assert (json.loads(told)["made"], json.loads(told)["failed"]) == (6, 0), said
    assert len(contents(tmp_path / "out")) == 6


def test_a_file_that_went_away_costs_one_row(tmp_path):
    crew = RayCrew(RayCluster(), {}, {"sonic-preview"}, 1)
    crew.free.append("somebody")
    row = replace(row_of(tmp_path, "a"), image=tmp_path / "gone.png")
    crew.give(row)
    ((failed, entry),) = crew.finished(1)
    assert failed is row
    assert "gone.png could be read a moment ago and cannot now (No such file or directory)." in entry.error
    assert crew.free == ["somebody"]


def test_ray_is_asked_for_where_it_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SettingsError, match="Ray is not installed here; run: pip install ray"):
        run_batch([row_of(tmp_path, "a")], tmp_path, ray=RayCluster())


@pytest.mark.parametrize(("wanted", "said"), [({"cpus": 0}, "processors"), ({"gpus": float("nan")}, "cards")])
def test_a_worker_of_nothing_is_refused(wanted, said):
    with pytest.raises(SettingsError, match=said):
        RayCluster(**wanted)
