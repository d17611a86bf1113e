"""The command line: ``generate``, ``demo``, ``faces``, ``doctor``, those about videos and those about weights.

Progress and warnings go to standard error; ``--json`` puts one object on standard output. Bad input: exit 2, one line.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from ..errors import MediaError, SettingsError, SonicError, SonicWarning
from ..settings import Settings
from . import batch, dub, ending, evaluate, learn, speakers, video, voice, weights
from .console import ProgressLine, add_signing, add_weights, answer, mark_of, say
from .options import add_settings, loading_of, settings_of
from .outcome import tell_made

STDIN = STDOUT = "-"
"""The sound that stands for standard input, and the output that stands for standard output."""
_SHORT_OF_MEMORY = ("failed to map segment", "can't start new thread")
"""What the loader of libraries and Python's threads say of it."""
_PACKAGE = Path(__file__).resolve().parents[1]
ASSETS = _PACKAGE / "assets" if (_PACKAGE / "assets").is_dir() else _PACKAGE.with_name("assets")
"""The bundled portrait and speech: inside the package where it was installed, beside it in a checkout."""


DEMO = "outputs/demo.mp4"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status: 0 done, 1 ``doctor`` found something missing or ``models --verify`` a file that is another, 2
        wrong use, bad input or something that the system refuses, 130 cancelled, 143 and 129 ended by SIGTERM and
        SIGHUP, 141 nobody read the answer.
    """
    _plain_warnings()
    _plain_log()
    try:
        options = _parser().parse_args(arguments)
        return options.run(options)
    except SonicError as error:
        say(str(error))
    except (MemoryError, ImportError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not any(words in str(error) for words in _SHORT_OF_MEMORY):
            raise
        say("there is not enough memory for this; choose a smaller size or a shorter duration, or end other programs.")
    except KeyboardInterrupt as asked:
        return ending.tell_end(asked)
    except BrokenPipeError:
        return ending.UNHEARD
    except OSError as error:
        say(f"the system refused something ({error}); check the free space and what you may do there.")
    return ending.WRONG


class _OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line, like every other error of this program."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace | None, list[str]]:
        """Leave nothing that a command does not know to the whole program: the command is what has help about it."""
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return options, unknown

    def error(self, message: str) -> NoReturn:
        asked = " ".join(["python -m sonic_core", *self.prog.split()[1:], "--help"])
        raise SonicError(f"{message}; see '{asked}'.")


def _parser() -> argparse.ArgumentParser:
    parser = _OneLineParser(prog="sonic", description="One portrait and one sound become a talking video.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    generate = _command(commands, "generate", _generate, "make a talking video")
    generate.add_argument("--image", required=True, metavar="P", help="portrait: any common picture file")
    generate.add_argument("--audio", metavar="A", help="speech: any sound or video file; - reads a pipe")
    speakers.add_speakers(generate)
    generate.add_argument("--lips-from", metavar="V", help="the lips follow this sound, the video carries --audio")
    generate.add_argument(
        "--output",
        required=True,
        metavar="O.mp4",
        help="the video to write; its ending tells how; - plays on to a pipe",
    )
    add_settings(generate)
    add_signing(generate)

    demo = _command(commands, "demo", _demo, "make a talking video of the bundled portrait and speech")
    demo.add_argument("--output", default=DEMO, metavar="O.mp4", help="the video to write (%(default)s)")
    add_settings(demo)
    add_signing(demo)

    faces = _command(commands, "faces", _faces, "find the faces of a picture")
    faces.add_argument("image", metavar="IMAGE")
    faces.add_argument("--finder", default="auto", help="auto, insightface, yoloface or embedded (%(default)s)")
    add_weights(faces)
    faces.add_argument("--picture", metavar="OUT.png", help="draw there which face speaks and what is cut out")
    faces.add_argument("--landmarks", action="store_true", help="tell the 468 points of each face as well")

    for more in (batch, dub, video, voice, evaluate, weights, learn):
        more.add_commands(partial(_command, commands))
    _command(commands, "doctor", _doctor, "tell what this machine can run, and what is missing")
    return parser


def _command(
    commands: argparse._SubParsersAction[_OneLineParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    command.set_defaults(run=run)
    command.add_argument("--json", action="store_true", help="put one JSON object on standard output")
    return command


def _generate(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    speakers.check_sound(options)
    audio = None if options.audio is None else Path(options.audio)
    result = _animate(options, settings, Path(options.image), audio, options.output)
    if options.output == STDOUT:
        return 0
    answer(
        options,
        result,
        f"{result['output']}: {result['seconds']:.2f} s of video at {result['size'][1]}x{result['size'][0]}",
    )
    return 0


def _demo(options: argparse.Namespace) -> int:
    image, audio = ASSETS / "portrait.png", ASSETS / "speech.wav"
    if not image.is_file():
        raise MediaError(f"the bundled portrait was expected at {image}; run this from a clone of the project.")
    settings, folder = settings_of(options), Path(DEMO).parent
    made_here = options.output == DEMO and not folder.exists()
    if made_here:
        folder.mkdir()
    try:
        result = _animate(options, settings, image, audio, options.output)
    except BaseException:
        if made_here:
            with suppress(OSError):  # somebody else put something there meanwhile
                folder.rmdir()
        raise
    answer(options, result, f"The video is at {Path(result['output']).resolve()}")
    return 0


def _animate(
    options: argparse.Namespace, settings: Settings, image: Path, audio: Path | None, output: str
) -> dict[str, Any]:
    """Run the main job and tell what came of it."""
    from ..pipeline import Job, run  # noqa: PLC0415 - torch and its kin load only when they are needed

    live = output == STDOUT
    if live:
        _check_live(options)
    started = time.monotonic()
    job = Job(
        image,
        _standard_input() if str(audio) == STDIN else audio,
        settings,
        options.model,
        loading=loading_of(options),
        output=sys.stdout.buffer if live else output,
        format=options.format,
        crf=options.crf,
        mark=mark_of(options),
        speakers=speakers.speakers_of(options),
        lips_from=getattr(options, "lips_from", None),
    )
    try:
        made = run(job, ProgressLine())
    except MediaError as error:
        if live and isinstance(error.__cause__, OSError):  # what Python still holds for who left goes nowhere
            ending.drop(sys.stdout)
        raise
    return tell_made(made, output, time.monotonic() - started) | speakers.described(made.report)


def _standard_input() -> BinaryIO:
    """Take standard input as it is: its buffer is locked while a thread waits in it, and Python could not end."""
    return getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)


def _check_live(options: argparse.Namespace) -> None:
    """Refuse what cannot go to standard output."""
    if options.json:
        raise SettingsError("--output - puts the video on standard output, where --json would; leave one of them out.")
    if options.format not in (None, "mp4-h264"):
        raise SettingsError(f"--output - writes mp4-h264, which plays while it comes; got --format {options.format}.")
    if sys.stdout.isatty():
        raise SettingsError("--output - writes a video for another program; send it there: ... --output - | mpv -")


def _faces(options: argparse.Namespace) -> int:
    from ..errors import FaceNotFoundError  # noqa: PLC0415
    from ..faces import crop_portrait, draw_crop, face_finder, quality_warnings  # noqa: PLC0415
    from ..media.files import check_writable  # noqa: PLC0415
    from ..media.image import read_image, write_png  # noqa: PLC0415

    if options.picture:
        check_writable(options.picture, ".png")
    image = read_image(options.image)
    finder = face_finder(options.finder, options.weights, everybody=True)
    found = finder.find(image)
    if not found:
        raise FaceNotFoundError(
            f"no face was found in {options.image} by the {finder.name} finder; "
            "try a larger, brighter, front-facing picture, or give --face left,top,right,bottom to generate."
        )
    listed = [
        {
            "box": [round(side, 2) for side in face.box],
            "points": [[round(x, 2), round(y, 2)] for x, y in face.points],
            "score": round(face.score, 4),
            "warnings": quality_warnings(image, face),
        }
        for face in found
    ]
    if options.landmarks:
        for row, face in zip(listed, found, strict=True):
            points = () if face.landmarks is None else face.landmarks.points[:, :2].tolist()
            row["landmarks"] = [[round(x, 2), round(y, 2)] for x, y in points]
    lines = [
        f"face {index}: box {face['box']}, score {face['score']:.2f}" + "".join(f"\n  {w}" for w in face["warnings"])
        for index, face in enumerate(listed)
    ]
    lines.append(f"finder: {finder.name}")
    result = {"faces": listed, "finder": finder.name}
    if options.picture:
        result["picture"] = str(
            write_png(options.picture, draw_crop(crop_portrait(image, found[0], Settings()), found))
        )
        lines.append(f"picture: {result['picture']}")
    answer(options, result, "\n".join(lines))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from .doctor import examine  # noqa: PLC0415

    findings = examine()
    lines = [f"{finding.word:8} {finding.what}: {finding.detail}" for finding in findings]
    sound = all(finding.good for finding in findings if finding.needed)
    listed = [{"what": f.what, "ok": f.good, "needed": f.needed, "detail": f.detail} for f in findings]
    answer(options, {"ok": sound, "findings": listed}, "\n".join(lines))
    return 0 if sound else 1


class _Plain(logging.Handler):
    """Says what the engine logs, such as how it plans to use the memory."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


def _plain_log() -> None:
    log = logging.getLogger("sonic")
    log.setLevel(logging.INFO)
    log.handlers[:] = [_Plain()]
    log.propagate = False


def _plain_warnings() -> None:
    """Show the engine's warnings as one line each, every time."""
    warnings.simplefilter("always", SonicWarning)

    def show(message: Warning | str, category: type[Warning], *_: Any) -> None:  # noqa: ANN401
        if issubclass(category, SonicWarning):
            say(f"warning: {message}")

    warnings.showwarning = show
