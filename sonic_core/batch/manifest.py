"""What is to be made: rows of a table, a line of JSON each, or all pairs of two folders."""

from __future__ import annotations

import csv
import json
import mimetypes
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from ..cast.speakers import read_speaker
from ..direction import Direction, combined
from ..errors import InputError, MediaError, SettingsError, SonicError
from ..media.files import check_readable
from ..media.formats import FORMATS, format_of
from ..models.registry import MODEL_NAMES
from ..settings import SETTINGS, Settings, amend

OWN = ("id", "image", "audio", "speakers", "direction", "output", "model", "format", "crf")
"""Columns beside those that are named after settings."""
PAIRINGS = ("product", "name")
"""How two folders make rows: every picture says every sound, or those whose names are alike."""
_LATER = ("voice", "speaker_voice")
"""Settings that came later: where they are left alone, what was made before them is the same."""
_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_HEAD = 1
"""The line of a table on which its columns are named."""


@dataclass(frozen=True)
class ManifestRow:
    """One talking video that is asked for."""

    id: str
    image: Path
    audio: Path | None
    """What is said; None: ``speakers`` say it."""
    output: Path
    """Inside the batch's folder."""
    settings: Settings
    model: str
    format: str | None = None
    crf: float | None = None
    line: int = 0
    """Where it stands in the manifest, counted from 1; 0 where there is none."""
    speakers: tuple[tuple[int, Path, float], ...] = ()
    """Who says what instead, and from when on: numbers of faces, sounds, seconds."""
    mark: bool = True
    """As of ``Clip.export``."""

    @property
    def sounds(self) -> tuple[Path, ...]:
        """All sounds of it."""
        return tuple(sound for _, sound, _ in self.speakers) if self.audio is None else (self.audio,)

    def described(self) -> dict[str, Any]:
        """Tell what the video depends on beside the contents of its files, for JSON."""
        settings = asdict(self.settings)
        if self.settings.direction is None:
            del settings["direction"]
        told = {"settings": settings, "model": self.model, "format": self.format, "crf": self.crf}
        told |= {} if self.mark else {"mark": False}
        for name in _LATER:
            if settings[name] == SETTINGS[name].default:
                del settings[name]
        if self.speakers:
            return told | {"speakers": [(number, begin) for number, _, begin in self.speakers]}
        del settings["listeners"]
        return told


@dataclass(frozen=True)
class Usual:
    """What holds where a row says nothing."""

    settings: Settings = field(default_factory=Settings)
    model: str = MODEL_NAMES[0]
    format: str | None = None
    crf: float | None = None
    mark: bool = True


class Fault(NamedTuple):
    """What is wrong with a row."""

    line: int
    column: str
    text: str

    @property
    def place(self) -> str:
        """Where it is: line and column."""
        return f"line {self.line}{f', {self.column}' if self.column else ''}" if self.line else "folders"

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


class Manifest(NamedTuple):
    """What was read."""

    rows: list[ManifestRow]
    """Those that can be tried."""
    faults: list[Fault]
    """What is wrong with the others."""


class _Wrong(Exception):  # noqa: N818 - it never leaves this file
    def __init__(self, column: str, text: str) -> None:
        super().__init__(text)
        self.column = column


def read_manifest(path: str | Path, folder: str | Path, usual: Usual | None = None) -> Manifest:
    """Read a manifest, and check every row as far as that goes without making anything.

    Args:
        path: ``*.csv`` with the names of columns first, or ``*.jsonl``. Columns are id, image, audio, speakers,
            direction, output, model, format, crf and the settings; image and audio are needed, or image and speakers.
            Paths are relative to the manifest's folder, output to ``folder``.
        folder: Where videos go; none goes anywhere else.
        usual: What holds where a row says nothing; None: what holds anywhere.

    Raises:
        MediaError: It cannot be read.
        InputError: It is no manifest.
    """
    path = check_readable(path, "a manifest")
    readers = {".csv": _table, ".jsonl": _lines, ".ndjson": _lines}
    if path.suffix.lower() not in readers:
        raise InputError(f"A manifest is a .csv or a .jsonl; got {path.name}.")
    try:
        listed = list(readers[path.suffix.lower()](path))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path.name} is no text that can be read ({error}); save it as UTF-8.") from error
    except OSError as error:
        raise MediaError(f"{path} cannot be read ({error.strerror}).") from error
    if not listed:
        raise InputError(f"{path.name} has no rows.")
    return _checked(listed, path.parent, Path(folder), usual or Usual())


def pair_folders(
    images: str | Path,
    sounds: str | Path,
    folder: str | Path,
    usual: Usual | None = None,
    *,
    pairing: str = PAIRINGS[0],
) -> Manifest:
    """Make rows of two folders: of their pictures, and of their sounds and films.

    Args:
        images: A folder of portraits.
        sounds: A folder of sounds.
        folder: Where videos go.
        usual: What holds for all.
        pairing: One of ``PAIRINGS``.

    Raises:
        MediaError: A folder is not there.
        InputError: One has nothing in it, or there is no such pairing.
    """
    if pairing not in PAIRINGS:
        raise InputError(f"Folders are paired by {' or '.join(PAIRINGS)}; got {pairing!r}.")
    pictures, heard = _media(Path(images), ("image",)), _media(Path(sounds), ("audio", "video"))
    faults: list[Fault] = []
    if pairing == "product":
        pairs = list(product(pictures, heard))
    else:
        named = {one.stem: one for one in heard}
        pairs = [(one, named.pop(one.stem)) for one in pictures if one.stem in named]
        alone = [one for one in pictures if one.stem not in {image.stem for image, _ in pairs}]
        faults = [Fault(0, "", f"{one.name} has no partner of its name") for one in (*alone, *named.values())]
    listed = [(0, {"image": str(image.resolve()), "audio": str(audio.resolve())}) for image, audio in pairs]
    made = _checked(listed, Path(), Path(folder), usual or Usual())
    return Manifest(made.rows, faults + made.faults)


def _media(folder: Path, kinds: tuple[str, ...]) -> list[Path]:
    """List the files of a folder whose endings say that they are of some kind."""
    if not folder.is_dir():
        raise MediaError(f"A folder was expected at {folder}; there is none.")
    known = [one for one in sorted(folder.iterdir()) if (mimetypes.guess_type(one.name)[0] or "").startswith(kinds)]
    if not known:
        raise InputError(f"{folder} has no file of {' or '.join(kinds)}.")
    return known


def _table(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Read a table; fields that are empty say nothing."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, skipinitialspace=True, restkey="")
        for row in reader:
            yield reader.line_num, {name.strip(): value for name, value in row.items() if value not in (None, "")}


def _lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    """Read a line of JSON each; what is none is given as its text."""
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=_HEAD):
            if not line.strip():
                continue
            try:
                made = json.loads(line)
            except json.JSONDecodeError as error:
                made = f"no JSON ({error})"
            yield number, made if isinstance(made, (dict, str)) else "an object was expected"


def _checked(listed: Iterable[tuple[int, Mapping[str, Any] | str]], base: Path, folder: Path, usual: Usual) -> Manifest:
    rows: list[ManifestRow] = []
    faults: list[Fault] = []
    taken: dict[Path, int] = {}
    for line, given in listed:
        row = _tried(given, line, taken, base, folder=folder, usual=usual)
        if isinstance(row, Fault):
            faults.append(row)
        else:
            taken[row.output] = line
            rows.append(row)
    return Manifest(rows, faults)


def _tried(
    given: Mapping[str, Any] | str, line: int, taken: Mapping[Path, int], base: Path, *, folder: Path, usual: Usual
) -> ManifestRow | Fault:
    """Make a row, or say what is wrong with it."""
    try:
        if isinstance(given, str):
            raise _Wrong("", given)
        row = _row(given, base, folder, usual)
        if row.output in taken:
            raise _Wrong("output", f"{row.output.name} is line {taken[row.output]}'s already; give it another name")
    except _Wrong as error:
        return Fault(line, error.column, str(error))
    return replace(row, line=line)


def _row(given: Mapping[str, Any], base: Path, folder: Path, usual: Usual) -> ManifestRow:
    unknown = [name for name in given if name not in OWN and name not in SETTINGS]
    if unknown:
        known = ", ".join((*OWN, *SETTINGS))
        raise _Wrong(unknown[0], f"there is no such column (there are {known})" if unknown[0] else "too many fields")
    image = _file(given, "image", "a picture", base)
    speakers = _speakers(given, base) if "speakers" in given else ()
    audio = None if speakers else _file(given, "audio", "a sound", base)
    stems = [audio.stem] if audio else [sound.stem for _, sound, _ in speakers]
    name = str(given.get("id") or "-".join((image.stem, *stems)))
    crf = _number(given["crf"], "crf", float) if "crf" in given else usual.crf
    chosen = str(given["format"]) if "format" in given else usual.format
    wanted = str(given.get("model", usual.model))
    if wanted not in MODEL_NAMES:
        raise _Wrong("model", f"expected {', '.join(MODEL_NAMES)}; got {wanted!r}")
    made = _directed(given, base, _settings(given, usual.settings))
    target = _target(given, name, folder, chosen, crf)
    return ManifestRow(name, image, audio, target, made, wanted, chosen, crf, speakers=speakers, mark=usual.mark)


def _speakers(given: Mapping[str, Any], base: Path) -> tuple[tuple[int, Path, float], ...]:
    """Read who says what: ``0=a.wav; 1=b.wav@2.5``, or a list of such."""
    if "audio" in given:
        raise _Wrong("speakers", "audio is said by one, speakers are several; leave one of them out")
    written = given["speakers"]
    listed = [str(one) for one in written] if isinstance(written, list) else str(written).split(";")
    made: dict[int, tuple[int, Path, float]] = {}
    for text in filter(str.strip, listed):
        try:
            number, speaker = read_speaker(text, base)
            sound = check_readable(base / str(speaker.audio), "a sound")
        except SonicError as error:
            raise _Wrong("speakers", str(error)) from error
        if number in made:
            raise _Wrong("speakers", f"face {number} has two sounds; give each face one")
        made[number] = number, sound, speaker.begin
    return tuple(made[number] for number in sorted(made))


def _file(given: Mapping[str, Any], column: str, wanted: str, base: Path) -> Path:
    if column not in given:
        raise _Wrong(column, f"{wanted} is wanted; nothing was given")
    try:
        return check_readable(base / str(given[column]), wanted)
    except SonicError as error:
        raise _Wrong(column, str(error)) from error


def _settings(given: Mapping[str, Any], settings: Settings) -> Settings:
    changes = {name: _value(given[name], name) for name in given if name in SETTINGS}
    try:
        return replace(settings, **changes)
    except SettingsError as error:
        column = next((name for name in changes if name in str(error)), "")
        raise _Wrong(column, str(error)) from error


def _directed(given: Mapping[str, Any], base: Path, settings: Settings) -> Settings:
    """Read what changes over time; beside what is usual the row counts."""
    if "direction" not in given:
        return settings
    try:
        own = Direction.of(given["direction"], base)
        return amend(settings, direction=combined(settings.direction, own))
    except SonicError as error:
        raise _Wrong("direction", str(error)) from error


def _value(value: Any, name: str) -> Any:  # noqa: ANN401 - as written
    """Read what is written for a setting."""
    kind = SETTINGS[name].kind
    if kind is bool:
        word = str(value).strip().lower()
        if word not in (*_YES, *_NO):
            raise _Wrong(name, f"expected true or false; got {value!r}")
        return word in _YES
    if kind is tuple:
        sides = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
        return tuple(_number(side, name, float) for side in sides)
    return str(value) if kind is str else _number(value, name, kind)


def _number(value: Any, name: str, kind: type) -> Any:  # noqa: ANN401 - as written
    try:
        if isinstance(value, bool):
            raise TypeError
        return kind(value)
    except (TypeError, ValueError):
        raise _Wrong(name, f"expected a {'whole ' if kind is int else ''}number; got {value!r}") from None


def _target(given: Mapping[str, Any], name: str, folder: Path, chosen: str | None, crf: float | None) -> Path:
    """Tell where a row's video goes: inside the folder."""
    ending = FORMATS[chosen].suffix if chosen is not None and chosen in FORMATS else ".mp4"
    written = Path(str(given.get("output") or f"{name}{ending}"))
    root = folder.resolve()
    target, column = Path(root, written), "output" if "output" in given else "id"
    if "\0" in str(written):
        raise _Wrong(column, f"expected the name of a file, got {str(written)!r}, which holds a NUL")
    if written.is_absolute() or not target.resolve().is_relative_to(root) or target == root:
        raise _Wrong(column, f"{written} does not lie inside {folder}")
    try:
        format_of(target, chosen).quality(crf)
    except SonicError as error:
        raise _Wrong("format" if chosen else "output", str(error)) from error
    return target
