"""Long sounds and long clips take no more memory than short ones; a full disk is an error, not half a file."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sonic_core.media.formats import available_formats

resource = pytest.importorskip("resource")  # not on Windows

ROOT = Path(__file__).parents[2]
HEAD = """
import json, resource, sys, signal, wave
from fractions import Fraction
from pathlib import Path
import torch
from sonic_core.clip import Clip, open_clip
from sonic_core.media.audio import read_audio
from sonic_core.media.mixing import mono
from sonic_core.media.video import write_lossless
from sonic_core.types import Audio
torch.set_num_threads(1)
folder = Path(sys.argv[1])
size = (128, 128)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1 << 20)

def clip(length, audio=None):
    def read():
        for first in range(0, length, 10):
            yield torch.rand(10, 3, 1, 1).expand(10, 3, *size)
    return Clip(read, Fraction(25), length, size, audio)

def sound(seconds, name):
    with wave.open(str(folder / name), "wb") as file:
        file.setnchannels(2), file.setsampwidth(2), file.setframerate(48000)
        for _ in range(seconds):
            file.writeframes(bytes(4 * 48000))
    return folder / name

"""


def run(script, folder, timeout=120):
    done = subprocess.run(
        [sys.executable, "-c", HEAD + script, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_memory_does_not_grow_with_length(tmp_path):
    script = """
short, long = sound(5, "short.wav"), sound(120, "long.wav")
read_audio(short)
clip(100, read_audio(short)).export(folder / "short.mp4")
list(map(len, open_clip(folder / "short.mp4").read()))
begin = peak()
audio = read_audio(long)
read = peak()
clip(750, audio).export(folder / "long.mp4")
written = peak()
del audio
for chunk in open_clip(folder / "long.mp4").read():
    pass
print(json.dumps([begin, read, written, peak()]))
"""
    begin, read, written, reread = run(script, tmp_path)
    copy = 120 * 48000 * 2 * 4 / 2**20  # of the sound as float: 44 MB; the frames would be 141 MB
    assert read - begin < copy * 1.15 + 4
    assert written - read < 12
    assert reread - written < copy * 0.5


def test_a_full_disk_is_one_sentence(tmp_path):
    script = """
from sonic_core.errors import MediaError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
said = []
for work in (
    lambda: clip(300, Audio(torch.rand(1, 192000) - 0.5, 16000)).export(folder / "x.mp4"),
    lambda: write_lossless(folder / "x.mkv", (torch.rand(10, 3, *size) for _ in range(5)), fps=Fraction(25), length=50,
        size=size, audio=None),
):
    try:
        work()
    except MediaError as error:
        said.append(str(error))
print(json.dumps(said))
"""
    said = run(script, tmp_path)
    assert len(said) == 2 and all("Cannot write" in words and "\n" not in words for words in said), said
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """By how many MB a process grows that writes a longer clip, by format: each forks off one that has all loaded."""
    script = """
import os, traceback
from sonic_core.media.formats import FORMATS, available_formats

def growth(name):
    def write(length):
        path = folder / (name + str(length) + FORMATS[name].suffix)
        clip(length).export(path, format=name, pingpong=length % 200 == 0)
    write(100), write(200)
    begin = peak()
    write(510), write(600)
    return peak() - begin

found = {}
for name in available_formats():
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(writing, json.dumps(growth(name)).encode())
        except BaseException:
            traceback.print_exc()
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        found[name] = json.loads(told.read() or "null")
    os.waitpid(child, 0)
print(json.dumps(found))
"""
    return run(script, tmp_path_factory.mktemp("formats"), timeout=500)


@pytest.mark.parametrize("name", available_formats())
def test_every_format_takes_no_more_for_a_longer_clip(grown, name):
    frames = 600 * 3 * 128 * 128 / 2**20  # as bytes: 28 MB; as floats four times that
    assert grown[name] is not None, "it ended before it could tell"
    assert grown[name] < frames / 2


def test_a_full_disk_stops_every_format(tmp_path):
    script = """
from sonic_core.errors import MediaError
from sonic_core.media.formats import FORMATS, available_formats
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))
said = []
for name in available_formats():
    for pingpong in (False, True):
        try:
            noise = torch.rand(10, 3, 64, 64)
            Clip(lambda: iter([noise]), Fraction(25), 10, (64, 64), None).export(
                folder / ("x" + FORMATS[name].suffix), format=name, pingpong=pingpong)
        except MediaError as error:
            said.append(str(error))
print(json.dumps(said))
"""
    said = run(script, tmp_path)
    assert len(said) == 2 * len(available_formats()) and all("Cannot write" in one and "\n" not in one for one in said)
    assert not list(tmp_path.iterdir())
