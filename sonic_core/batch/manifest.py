"""What is to be made: rows of a table, a line of JSON each, or all pairs of two folders."""

from __future__ import annotations

import mimetypes
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ..cast.mixed import check_said, voice_of
from ..cast.speakers import Speaker, read_speaker
from ..direction import Direction, combined
from ..errors import InputError, MediaError, SettingsError, SonicError
from ..media.files import check_readable, scratch_folder
from ..media.formats import FORMATS, format_of
from ..models.registry import MODEL_NAMES
from ..settings import SETTINGS, Settings, amend
from .places import WANTED, Place, Places
from .remote import Remote, bring, check_openable, is_url, redact
from .tables import Listed, read_list

OWN = ("id", "image", "audio", "speakers", "direction", "output", "model", "format", "crf")
"""Columns beside those that are named after settings."""
PAIRINGS = ("product", "name")
"""How two folders make rows: every picture says every sound, or those whose names are alike."""
_LATER = ("voice", "speaker_voice")
"""Settings that came later: where they are left alone, what was made before them is the same."""
_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_UPLOADS = "uploads"
"""The folder in the batch's one of videos that are taken elsewhere."""


@dataclass(frozen=True)
class ManifestRow:
    """One talking video that is asked for."""

    id: str
    image: Place
    audio: Place | None
    """What is said, by one or by ``voices``; None: ``speakers`` say it."""
    output: Path
    """Inside the batch's folder."""
    settings: Settings
    model: str
    format: str | None = None
    crf: float | None = None
    line: int = 0
    """Where it stands in the manifest, counted from 1; 0 where there is none."""
    speakers: tuple[tuple[int, Place, float], ...] = ()
    """Who says what instead, and from when on: numbers of faces, sounds, seconds."""
    mark: bool = True
    """As of ``Clip.export``."""
    voices: tuple[tuple[int, int], ...] = ()
    """Who says which voice of ``audio``: numbers of faces and of voices."""
    upload: Remote | None = None
    """Where the video is taken when it is finished; what is in the batch's folder stays there."""

    @property
    def sounds(self) -> tuple[Place, ...]:
        """All sounds of it."""
        return tuple(sound for _, sound, _ in self.speakers) if self.audio is None else (self.audio,)

    def described(self) -> dict[str, Any]:
        """Tell what the video depends on beside the contents of its files, for JSON."""
        settings = asdict(self.settings)
        if self.settings.direction is None:
            del settings["direction"]
        told = {"settings": settings, "model": self.model, "format": self.format, "crf": self.crf}
        told |= {} if self.mark else {"mark": False}
        told |= {"upload": str(self.upload)} if self.upload else {}
        for name in _LATER:
            if settings[name] == SETTINGS[name].default:
                del settings[name]
        if self.speakers:
            return told | {"speakers": [(number, begin) for number, _, begin in self.speakers]}
        if self.voices:
            return told | {"voices": self.voices}
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
        path: ``*.csv`` with the names of columns first, ``*.jsonl`` or ``*.parquet``, here or at a URL. Columns are
            id, image, audio, speakers, direction, output, model, format, crf and the settings; image and audio are
            needed, or image and speakers, or all three where speakers are voices of that sound. Paths are relative to
            the manifest's folder, output to ``folder``; files may be named by URL, output too.
        folder: Where videos go; none goes anywhere else, but to where a URL says when it is finished.
        usual: What holds where a row says nothing; None: what holds anywhere.

    Raises:
        MediaError: It cannot be read.
        InputError: It is no manifest.
        SettingsError: It is Parquet or at a URL, and nothing is installed that reads it.
    """
    if not is_url(str(path)):
        path = check_readable(path, "a manifest")
        return _checked(read_list(path), Places(path.parent), Path(folder), usual or Usual())
    with scratch_folder() as lent:
        at = Remote(str(path))
        return _checked(read_list(bring(at, "a manifest", lent)), Places(lent, at), Path(folder), usual or Usual())


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
    made = _checked(listed, Places(Path()), Path(folder), usual or Usual())
    return Manifest(made.rows, faults + made.faults)


def _media(folder: Path, kinds: tuple[str, ...]) -> list[Path]:
    """List the files of a folder whose endings say that they are of some kind."""
    if not folder.is_dir():
        raise MediaError(f"A folder was expected at {folder}; there is none.")
    known = [one for one in sorted(folder.iterdir()) if (mimetypes.guess_type(one.name)[0] or "").startswith(kinds)]
    if not known:
        raise InputError(f"{folder} has no file of {' or '.join(kinds)}.")
    return known


def _checked(listed: Iterable[Listed], places: Places, folder: Path, usual: Usual) -> Manifest:
    rows: list[ManifestRow] = []
    faults: list[Fault] = []
    taken: dict[Path, int] = {}
    listed = list(listed)
    places.ask_ahead(given for _, given in listed)
    for line, given in listed:
        row = _tried(given, line, taken, places, folder=folder, usual=usual)
        if isinstance(row, Fault):
            faults.append(row)
        else:
            taken[row.output] = line
            rows.append(row)
    return Manifest(rows, faults)


def _tried(
    given: Mapping[str, Any] | str, line: int, taken: Mapping[Path, int], places: Places, *, folder: Path, usual: Usual
) -> ManifestRow | Fault:
    """Make a row, or say what is wrong with it."""
    try:
        if isinstance(given, str):
            raise _Wrong("", given)
        row = _row(given, places, folder, usual)
        if row.output in taken:
            raise _Wrong("output", f"{row.output.name} is line {taken[row.output]}'s already; give it another name")
    except _Wrong as error:
        return Fault(line, error.column, redact(str(error)))
    return replace(row, line=line)


def _row(given: Mapping[str, Any], places: Places, folder: Path, usual: Usual) -> ManifestRow:
    unknown = [name for name in given if name not in OWN and name not in SETTINGS]
    if unknown:
        known = ", ".join((*OWN, *SETTINGS))
        raise _Wrong(unknown[0], f"there is no such column (there are {known})" if unknown[0] else "too many fields")
    image = _file(given, "image", places)
    said = _said(given, places.folder)
    voices = tuple((number, voice) for number, one in said if (voice := voice_of(one, places.folder)) is not None)
    speakers = () if voices else tuple(_heard(number, one, places) for number, one in said)
    audio = None if speakers else _file(given, "audio", places)
    stems = [audio.stem] if audio else [sound.stem for _, sound, _ in speakers]
    name = str(given.get("id") or "-".join((image.stem, *stems)))
    crf = _number(given["crf"], "crf", float) if "crf" in given else usual.crf
    chosen = str(given["format"]) if "format" in given else usual.format
    wanted = str(given.get("model", usual.model))
    if wanted not in MODEL_NAMES:
        raise _Wrong("model", f"expected {', '.join(MODEL_NAMES)}; got {wanted!r}")
    settings = _directed(given, places.folder, _settings(given, usual.settings))
    upload, target = _upload(given), _target(given, name, folder, chosen, crf)
    made = ManifestRow(name, image, audio, target, settings, wanted, chosen, crf, speakers=speakers, mark=usual.mark)
    return replace(made, voices=voices, upload=upload)


def _said(given: Mapping[str, Any], base: Path) -> list[tuple[int, Speaker]]:
    """Read who says what: ``0=a.wav; 1=b.wav@2.5`` or ``0=voice:1; 1=voice:2``, or a list of such."""
    written = given.get("speakers", "")
    listed = [str(one) for one in written] if isinstance(written, list) else str(written).split(";")
    made: dict[int, Speaker] = {}
    try:
        for text in filter(str.strip, listed):
            number, speaker = read_speaker(text, base)
            if number in made:
                raise _Wrong("speakers", f"face {number} has two sounds; give each face one")
            made[number] = speaker
        check_said(given.get("audio"), made, folder=base)
    except SonicError as error:
        raise _Wrong("speakers", str(error)) from error
    return sorted(made.items())


def _heard(number: int, speaker: Speaker, places: Places) -> tuple[int, Place, float]:
    """Find a sound that one face says."""
    try:
        return number, places.find(str(speaker.audio), WANTED["audio"]), speaker.begin
    except SonicError as error:
        raise _Wrong("speakers", str(error)) from error


def _file(given: Mapping[str, Any], column: str, places: Places) -> Place:
    if column not in given:
        raise _Wrong(column, f"{WANTED[column]} is wanted; nothing was given")
    try:
        return places.find(str(given[column]), WANTED[column])
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
        if isinstance(value, bool) or (kind is int and isinstance(value, float) and value != int(value)):
            raise TypeError
        return kind(value)
    except (TypeError, ValueError, OverflowError):
        raise _Wrong(name, f"expected a {'whole ' if kind is int else ''}number; got {value!r}") from None


def _upload(given: Mapping[str, Any]) -> Remote | None:
    """Tell where a row's video is taken, if it is."""
    written = str(given.get("output", ""))
    if not is_url(written):
        return None
    try:
        check_openable(made := Remote(written))
    except SonicError as error:
        raise _Wrong("output", str(error)) from error
    return made


def _target(given: Mapping[str, Any], name: str, folder: Path, chosen: str | None, crf: float | None) -> Path:
    """Tell where a row's video goes: inside the folder."""
    ending = FORMATS[chosen].suffix if chosen is not None and chosen in FORMATS else ".mp4"
    written = Path(_kept(str(given.get("output") or f"{name}{ending}")))
    root = folder.resolve()
    target, column = Path(root, written), "output" if "output" in given else "id"
    if "\0" in str(written):
        raise _Wrong(column, f"expected the name of a file, got {str(written)!r}, which holds a NUL")
    if written.is_absolute() or not target.resolve().is_relative_to(root) or target == root:
        raise _Wrong(column, f"{written} does not lie inside {folder}")
    try:
        file = format_of(target, chosen)
        file.quality(crf)
    except SonicError as error:
        raise _Wrong("format" if chosen else "output", str(error)) from error
    if not file.suffix and is_url(str(given.get("output", ""))):
        raise _Wrong("output", f"{file.name} is a folder of files, which goes into {folder} alone; give a name there")
    return target


def _kept(written: str) -> str:
    """Name the file in the batch's folder that is taken to a URL."""
    if not is_url(written):
        return written
    parts = urlsplit(written)
    host = parts.netloc.rpartition("@")[2].replace(":", "_")
    path = posixpath.normpath(f"/{parts.path.strip('/')}")
    return f"{_UPLOADS}/{parts.scheme.lower()}/{host}{path}"
