"""What a director asks of a face, over time: where head and eyes go, when lids shut, what the face expresses."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from .errors import MediaError, SettingsError
from .keyframes import Curve

if TYPE_CHECKING:
    import numpy as np


class Channel(NamedTuple):
    """Something that can be directed."""

    least: float
    most: float
    help: str
    """What it is, and in which unit."""
    unit: str = ""
    """That unit's sign."""
    apart: float = 0.0
    """Seconds that it takes: moments at which it happens are further apart."""


_SHUT, _HELD, _OPENED = 0.1, 0.03, 0.24  # s that lids take to shut, stay shut and take to open, as blinks by chance do

EXPRESSIONS = ("smile", "sad", "surprise", "anger")
"""What a face can express, each as an amount; none of them is the neutral face."""
SCALES = ("dynamic_scale", "motion_scale")
"""Settings that can change over time; all that sonic-base can be told."""
CHANNELS = {
    "dynamic_scale": Channel(0.0, math.inf, "how far the mouth moves, in place of the setting of that name"),
    "motion_scale": Channel(0.0, math.inf, "how far head, eyes and brows move by themselves, likewise"),
    "head_yaw": Channel(
        -45.0, 45.0, "degrees that the head turns to the picture's right, added to its own movement", "°"
    ),
    "head_pitch": Channel(-45.0, 45.0, "degrees that it is lifted, added likewise", "°"),
    "head_roll": Channel(-45.0, 45.0, "degrees that it tilts clockwise, added likewise", "°"),
    "gaze_x": Channel(
        -30.0, 30.0, "degrees right of the camera that the eyes look, in place of their own wandering", "°"
    ),
    "gaze_y": Channel(-30.0, 30.0, "degrees above the camera, likewise", "°"),
    "blink": Channel(
        0.0,
        1.0,
        "how far the lids are shut, in place of blinks by chance; 0 leaves the eyes open",
        apart=_SHUT + _HELD + _OPENED,
    ),
    "smile": Channel(0.0, 1.0, "how much the face smiles"),
    "sad": Channel(0.0, 1.0, "how sad it looks"),
    "surprise": Channel(0.0, 1.0, "how surprised it looks"),
    "anger": Channel(0.0, 1.0, "how angry it looks"),
}
"""What can be directed, by name."""
BLINKS = "blinks"
"""Another way to write ``blink``: the moments at which the eyes are shut."""
SECONDS = "seconds"
"""The column of a table that says when."""
NAMES = (*CHANNELS, BLINKS)
"""What people may name."""

_TABLES = (".csv", ".json")

Directions: TypeAlias = "Direction | Mapping[str, Any] | str | Path | Sequence[str]"
"""Whatever ``Direction.of`` reads."""


@dataclass(frozen=True)
class Direction:
    """Curves by what they direct, of everybody or of one face.

    Raises:
        SettingsError: Something has no such name, or a value is beyond what is possible.
    """

    curves: tuple[tuple[str, Curve], ...] = ()
    """Names, those of one face with its number before them, such as ``1.smile``; in order."""

    def __post_init__(self) -> None:
        for name, curve in self.curves:
            channel = CHANNELS[_channel(name, CHANNELS)]
            _check_within(name, curve, channel.least, channel.most)

    @classmethod
    def of(cls, given: Directions, folder: Path = Path()) -> Direction:
        """Read a direction as people write it.

        Args:
            given: Curves by name, each as ``Curve.of`` reads it or a file that has a column of that name; or a text,
                ``smile=.6; head_yaw=0:0, 2:15``; or a ``.json`` or ``.csv`` file; or several texts, the last counts.
            folder: Where files lie.

        Raises:
            SettingsError: It is written otherwise.
            MediaError: A file cannot be read.
        """
        if isinstance(given, Direction):
            return given
        if isinstance(given, Path):
            return _of_file(given, folder)
        if isinstance(given, Mapping):
            return _of_columns(given, folder)
        texts = [given] if isinstance(given, str) else given
        made = cls()
        for text in (part.strip() for whole in texts for part in str(whole).split(";")):
            name, equals, curve = text.partition("=")
            if text and not equals and not text.lower().endswith(_TABLES):
                raise SettingsError(f"expected NAME=CURVE, such as smile=.6, or a .json or .csv file; got {text!r}.")
            if text:
                more = _of_columns({name.strip(): curve.strip()}, folder) if equals else _of_file(text, folder)
                made = made.joined(more)
        return made

    def __bool__(self) -> bool:
        return bool(self.curves)

    def __contains__(self, name: str) -> bool:
        return any(known == name for known, _ in self.curves)

    def curve(self, name: str) -> Curve | None:
        """Return the curve of a name; None: it is not directed."""
        return next((curve for known, curve in self.curves if known == name), None)

    def at(self, name: str, times: np.ndarray) -> np.ndarray | None:
        """Read a curve at moments (m,) in seconds: (m,) float64; None: it is not directed."""
        curve = self.curve(name)
        return None if curve is None else curve.at(times)

    @property
    def faces(self) -> frozenset[int]:
        """Numbers of those faces that have something of their own."""
        return frozenset(int(name.partition(".")[0]) for name, _ in self.curves if "." in name)

    @property
    def shared(self) -> Direction:
        """What is meant for everybody."""
        return Direction(tuple((name, curve) for name, curve in self.curves if "." not in name))

    def joined(self, other: Direction) -> Direction:
        """Add another direction, which counts where both direct the same."""
        return Direction(tuple(sorted({**dict(self.curves), **dict(other.curves)}.items())))

    def for_face(self, number: int) -> Direction:
        """Take what is meant for one face: what is meant for everybody, and what is meant for it alone."""
        own = {name.partition(".")[2]: curve for name, curve in self.curves if name.startswith(f"{number}.")}
        return self.shared.joined(Direction(tuple(own.items())))

    def of_face(self, number: int) -> Direction:
        """Let what is meant for everybody be meant for one face alone."""
        return Direction(tuple((name if "." in name else f"{number}.{name}", curve) for name, curve in self.curves))

    def within(self, names: Collection[str], who: str) -> None:
        """Raise where anything else than ``names`` is directed.

        Args:
            names: What can be directed.
            who: What it is that can be told no more, such as a model.
        """
        others = [name for name, _ in self.curves if name.rpartition(".")[2] not in names]
        if others:
            raise SettingsError(
                f"{who} can be directed by {' and '.join(names)} alone, got {', '.join(others)}: leave those out, or "
                "let sonic-preview animate a picture."
            )


def within_ranges(given: Directions | None, ranges: Mapping[str, Any]) -> Direction | None:
    """Read a direction of settings, whose possible values have a table of their own; None where nothing is directed.

    Args:
        given: As of ``Direction.of``.
        ranges: ``least`` and ``most`` by the settings' names.

    Raises:
        SettingsError: It is written otherwise, or a value is not possible.
    """
    made = combined(given)
    for name, curve in made.curves if made else ():
        limits = ranges.get(name.rpartition(".")[2])
        if limits is not None:
            _check_within(name, curve, limits.least, limits.most)
    return made


def _check_within(name: str, curve: Curve, least: float, most: float) -> None:
    beyond = next((one for one in curve.values if not least <= one <= most), None)
    if beyond is not None:
        words = CHANNELS[name.rpartition(".")[2]].help
        raise SettingsError(f"{name} must be between {least:g} and {most:g} ({words}); got {beyond:g}.")


def combined(*given: Directions | None) -> Direction | None:
    """Put directions into one, the later counting where two direct the same; None where nothing is directed."""
    made = Direction()
    for one in given:
        made = made if one is None else made.joined(Direction.of(one))
    return made or None


def _channel(name: str, known: Iterable[str]) -> str:
    """Read the channel off a name that may begin with the number of a face."""
    face, dot, channel = name.rpartition(".")
    if channel not in known or (dot and not face.isdecimal()):
        raise SettingsError(
            f"{name!r} cannot be directed; there are {', '.join(NAMES)}, for one face of several with its number "
            "before, such as 1.smile."
        )
    return channel


def _of_file(path: str | Path, folder: Path) -> Direction:
    return _of_columns(_read_file(folder / path), folder)


def _read_file(path: Path) -> dict[str, Any]:
    """Read a file as curves by name."""
    from .media.files import check_readable  # noqa: PLC0415 - settings know directions, and PyAV would come with it

    path = check_readable(path, "a direction")
    if path.suffix.lower() not in _TABLES:
        raise SettingsError(f"A direction is a {' or a '.join(_TABLES)} file; got {path.name}.")
    try:
        text = path.read_text("utf-8-sig")
        told = json.loads(text) if path.suffix.lower() == ".json" else _table(text)
    except (UnicodeDecodeError, json.JSONDecodeError, csv.Error, RecursionError) as error:
        raise SettingsError(f"{path.name} cannot be read as {path.suffix[1:].upper()} ({error}).") from error
    except OSError as error:
        raise MediaError(f"{path} cannot be read ({error.strerror}).") from error
    if not isinstance(told, dict) or not told:
        raise SettingsError(f"{path.name} should name curves, such as smile, and has none.")
    return told


def _table(text: str) -> dict[str, Any]:
    """Read a table, its first line the columns' names; empty fields say nothing."""
    reader = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True, restkey="")
    rows = [{(name or "").strip(): value for name, value in row.items()} for row in reader]
    columns = [name.strip() for name in reader.fieldnames or ()]
    return {name: [row.get(name) or None for row in rows] for name in columns}


def _of_columns(told: Mapping[str, Any], folder: Path) -> Direction:
    """Read curves by name, which may be columns beside one that says when."""
    times, curves = told.get(SECONDS), dict[str, Curve]()
    for name in (name for name in told if name != SECONDS):
        channel = _channel(str(name), NAMES)
        try:
            value = _value(str(name), told[name], folder)
            key = name.removesuffix(BLINKS) + "blink" if channel == BLINKS else name
            if key in curves:
                raise SettingsError("blink and blinks say the same in two ways; leave one of them out.")
            if times is not None and isinstance(value, list) and channel != BLINKS:
                curves[key] = _column(times, value)
            else:
                curves[key] = _blinks(value) if channel == BLINKS else Curve.of(value)
        except SettingsError as error:
            raise SettingsError(f"{name}: {error}") from error
    if not curves:
        raise SettingsError(f"A direction names what it directs ({', '.join(NAMES)}); got nothing.")
    return Direction(tuple(sorted(curves.items())))


def _value(name: str, value: Any, folder: Path) -> Any:  # noqa: ANN401 - as written
    """Take what is written; of a file its column."""
    if isinstance(value, Path) or (isinstance(value, str) and value.lower().endswith(_TABLES)):
        found = _read_file(folder / value)
        column = next((one for one in (name, name.rpartition(".")[2]) if one in found), None)
        if column is None:
            raise SettingsError(f"{Path(value).name} has no curve of that name; it has {', '.join(found)}.")
        if SECONDS in found and isinstance(found[column], list):
            return _column(found[SECONDS], found[column])
        return found[column]
    return value


def _column(times: Any, values: list[Any]) -> Curve:  # noqa: ANN401 - as written
    """Make a curve of two columns; where a field is empty there is no keyframe."""
    if not isinstance(times, list) or len(times) != len(values):
        raise SettingsError(f"a column has as many rows as {SECONDS}; got {len(values)}.")
    return Curve.of([pair for pair in zip(times, values, strict=True) if pair[1] is not None])


def _blinks(value: Any) -> Curve:  # noqa: ANN401 - as written
    """Make the lids' curve of the moments at which the eyes are shut."""
    if isinstance(value, Curve):
        return value
    listed = value.replace("\n", ",").split(",") if isinstance(value, str) else value
    try:
        moments = [float(one) for one in (listed if isinstance(listed, (list, tuple)) else [listed])]
    except (TypeError, ValueError):
        raise SettingsError(f"expected moments in seconds, such as 1.2, 3.4; got {value!r}.") from None
    keys: list[tuple[float, float]] = []
    for moment in moments:
        if keys and moment - _SHUT <= keys[-1][0]:
            raise SettingsError(
                f"a blink takes {CHANNELS['blink'].apart:g} s: expected moments further apart and in order, got "
                f"{value!r}."
            )
        keys += [(max(moment - _SHUT, 0.0), 0.0)] if moment > 0 else []
        keys += [(moment, 1.0), (moment + _HELD, 1.0), (moment + _HELD + _OPENED, 0.0)]
    return Curve.of(keys)
