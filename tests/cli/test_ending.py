"""How the program ends: asked to at any moment, and when nobody hears what it says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PORTRAIT, SPEECH = ROOT / "assets" / "portrait.png", ROOT / "assets" / "speech.wav"
PATIENCE = 120.0
"""Seconds after which something that should come is given up."""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and closed streams are POSIX matters")


def program(*arguments, **options):
    """Start the command line with the signals that a terminal's programs have."""
    command = [sys.executable, *options.pop("python", ()), "-m", "sonic_core", *map(str, arguments)]
    before = {name: signal.signal(name, signal.SIG_DFL) for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        return subprocess.Popen(command, cwd=ROOT, text=True, **options)
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def generate(output, *flags):
    return ["generate", f"--image={PORTRAIT}", f"--audio={SPEECH}", f"--output={output}", "--model=sonic-preview",
            "--min-resolution=384", *flags]  # fmt: skip


def wait_for(condition, running):
    until = time.monotonic() + PATIENCE
    while not condition():
        assert running.poll() is None, f"it ended by itself: {running.communicate()}"
        assert time.monotonic() < until
        time.sleep(0.005)


def said_by(running):
    """Wait for the end; return what was said besides warnings and progress."""
    _, said = running.communicate(timeout=PATIENCE)
    assert "Traceback" not in said and "Exception ignored" not in said, said
    return [line for line in said.splitlines() if "warning" not in line and "/" not in line]


@pytest.mark.parametrize(
    ("name", "status", "words", "output"),
    [
        ("SIGHUP", 129, "ended by SIGHUP", "out"),
        ("SIGINT", 130, "cancelled", "out.mp4"),
        ("SIGTERM", 143, "ended by SIGTERM", "out.gif"),
    ],
)
def test_who_is_asked_to_end_while_encoding_leaves_nothing(tmp_path, name, status, words, output):
    temporary, target = tmp_path / "temporary", tmp_path / "made" / output
    for folder in (temporary, target.parent):
        folder.mkdir()
    if target.suffix:
        target.write_text("what was there")
    flags = () if target.suffix else ("--format=png16",)
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with program(*generate(target, *flags), stderr=subprocess.PIPE, env=environment) as running:
        wait_for(lambda: list(target.parent.glob(".*")), running)
        running.send_signal(getattr(signal, name))
        assert said_by(running) == [f"sonic: {words}; nothing was left behind."]
    assert running.returncode == status
    assert list(target.parent.iterdir()) == ([target] if target.suffix else [])
    assert not target.suffix or target.read_text() == "what was there"
    assert list(temporary.iterdir()) == []


def test_frames_that_wait_elsewhere_go_too(tmp_path):
    """``refine`` and ``smooth`` read a video; what ping-pong keeps lies in the folder for temporary files."""
    code = (
        f"from sonic_core.__main__ import run_program\nimport sonic_core as s\ndef run():\n"
        f" s.run(s.Job({str(PORTRAIT)!r}, {str(SPEECH)!r}, s.Settings(min_resolution=384), 'sonic-preview',"
        f" output={str(tmp_path / 'out.mp4')!r}, pingpong=True))\n return 0\nrun_program(run)"
    )
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, text=True, stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(temporary)},
    ) as running:  # fmt: skip
        wait_for(lambda: list(temporary.glob("*/frames.mkv")), running)
        running.terminate()
        assert said_by(running) == ["sonic: ended by SIGTERM; nothing was left behind."]
    assert [path.name for path in tmp_path.iterdir()] == ["temporary"] and not list(temporary.iterdir())


def test_a_second_request_ends_it_at_once(tmp_path):
    with program(*generate(tmp_path / "out.mp4"), stderr=subprocess.PIPE) as running:
        wait_for(lambda: list(tmp_path.iterdir()), running)
        for _ in range(3):
            running.terminate()
            time.sleep(0.001)
        assert said_by(running) == ["sonic: ended by SIGTERM; nothing was left behind."]
    assert running.returncode == 143
    assert list(tmp_path.iterdir()) == []


def test_what_would_never_end_is_ended():
    code = """
import os, signal, sys, time
from sonic_core.__main__ import run_program
from sonic_core.cli import ending
ending.PATIENCE = 0.5
def run():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except KeyboardInterrupt:
        time.sleep(600)
sys.exit(run_program(run))
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, text=True, stderr=subprocess.PIPE) as running:
        assert said_by(running) == ["sonic: ended by SIGTERM; nothing was left behind."]
    assert running.returncode == 143


def test_who_asks_again_while_the_end_is_told_hears_it_once():
    code = """
import os, signal, sys
from sonic_core.__main__ import run_program
def ask(frame, event, what):
    if event == "c_return" and what.__name__ == "write":
        os.kill(os.getpid(), signal.SIGTERM)
def run():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        sys.setprofile(ask)
sys.exit(run_program(run))
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as running:
        assert said_by(running) == ["sonic: ended by SIGTERM; nothing was left behind."]
    assert running.returncode == 143


@pytest.mark.parametrize(
    ("module", "name", "status"),
    [
        ("sonic_core.errors", "SIGINT", 130),
        ("argparse", "SIGINT", 130),
        ("numpy", "SIGTERM", 143),
        ("torch._C", "SIGINT", 130),
    ],
)
def test_a_program_that_is_still_importing_ends_with_one_line(tmp_path, module, name, status):
    output = tmp_path / "out.mp4"
    with program(*generate(output), stderr=subprocess.PIPE, python=["-X", "importtime"]) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if line.rpartition("|")[2].strip() == module:
                break
        running.send_signal(getattr(signal, name))
        words = [line for line in said_by(running) if not line.startswith("import time:")]
    assert len(words) == 1 and words[0].endswith("; nothing was left behind.")
    assert running.returncode == status
    assert list(tmp_path.iterdir()) == []


def test_what_is_ignored_stays_ignored(tmp_path):
    code = "import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); from sonic_core.cli import ending;"
    code += "ending.listen(); import os; os.kill(os.getpid(), signal.SIGHUP); print('still here')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "still here\n"


def shell(line):
    """Run a line of bash in which SONIC is the program; return its status and what was said."""
    environment = {**os.environ, "SONIC": f"{sys.executable} -m sonic_core", "PYTHONUNBUFFERED": ""}
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"], cwd=ROOT, env=environment, capture_output=True, text=True,
        check=False, timeout=PATIENCE,
    )  # fmt: skip
    return done.returncode, done.stderr, done.stdout


@pytest.mark.parametrize(
    ("line", "status", "words"),
    [
        ("$SONIC models --json > /dev/full", 2, "The answer cannot be written to standard output (No space left"),
        ("PYTHONUNBUFFERED=1 $SONIC models | true", 141, ""),
        ("$SONIC models >&-", 0, ""),
        ("$SONIC generate 2> /dev/full", 2, ""),
        ("$SONIC generate 0<&- 1>&- 2>&-", 2, ""),
    ],
)
def test_nobody_hears_the_answer(line, status, words):
    got, said, _ = shell(line)
    assert got == status, said
    assert words in said and len(said.splitlines()) == bool(words)


@pytest.mark.parametrize("streams", [">&- 2>&-", "2> >(true)"])
def test_a_video_is_made_though_nobody_listens(tmp_path, streams):
    flags = " ".join(generate(tmp_path / "out.mp4", "--duration=0.2"))
    got, said, _ = shell(f"$SONIC {flags} {streams}")
    assert (got, said) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes()[4:8] == b"ftyp"


def test_names_that_the_terminal_cannot_show_are_escaped(tmp_path):
    flags = " ".join(generate(tmp_path / "Stimme_öäü.mp4", "--duration=0.2"))
    got, said, shown = shell(f"PYTHONIOENCODING=ascii $SONIC {flags}")
    assert got == 0, said
    assert "Stimme_\\xf6\\xe4\\xfc.mp4" in shown


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps to a limit of addresses")
def test_libraries_that_memory_is_too_short_to_load_are_one_sentence(tmp_path):
    """As on a shared machine with a limit (ulimit -v): they are mapped, and cannot be."""
    code = (
        "import resource, sys, torch\n"
        "from sonic_core.cli.main import main\n"
        "pages = int(open('/proc/self/statm').read().split()[0])\n"
        "resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (32 << 20),) * 2)\n"
        "sys.exit(main(['faces', sys.argv[1]]))\n"
    )
    picture = ROOT / "assets" / "portrait.png"
    done = subprocess.run([sys.executable, "-c", code, picture], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("sonic: there is not enough memory for this; ") and len(done.stderr.splitlines()) == 1
