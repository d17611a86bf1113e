"""A ctypes door to libespeak-ng: text → sound with the time of every phoneme.

Source: espeak-ng 1.51, ``speak_lib.h`` (events, parameters) and what was measured of it: the sound has 22,050 Hz,
an event's ``sample`` is exact where ``audio_position`` is rounded to milliseconds.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from ...errors import SonicError

RATE = 22_050
_NAMES = ("libespeak-ng.so.1", "libespeak-ng.dylib", "libespeak-ng.dll")
_SYNCHRONOUS = 2
_PHONEME_EVENTS_IPA = 0x8003
_UTF8 = 1
_PHONEME_MARKUP = 0x100
_LIST_END, _PHONEME = 0, 7
_PARAMETERS = {"rate": 1, "volume": 2, "pitch": 3, "range": 4, "word_gap": 7}


class _Name(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Name),
    ]


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True)
class Phone:
    """One event: an IPA name (empty for a pause or a linker) and its half-open span in samples at ``RATE``."""

    name: str
    start: int
    end: int


@dataclass(frozen=True)
class Utterance:
    """What the synthesiser said."""

    samples: np.ndarray
    """(n,) float32 within ±1 at ``RATE``."""
    phones: list[Phone]
    """In order, without gaps from the first event to the end of the sound."""


class Synthesizer:
    """The library, loaded once per process: it keeps its voice in global variables.

    Raises:
        SonicError: The library is not installed, or is another one.
    """

    def __init__(self) -> None:
        self._library = _library()
        rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONEME_EVENTS_IPA)
        if rate != RATE:
            raise SonicError(
                f"Expected libespeak-ng to speak at {RATE} Hz, got {rate}; install espeak-ng 1.51 or newer."
            )
        self._blocks: list[np.ndarray] = []
        self._events: list[tuple[int, str]] = []
        self._callback = _CALLBACK(self._hear)
        self._library.espeak_SetSynthCallback(self._callback)

    def say(self, text: str, voice: str, **parameters: int) -> Utterance:
        """Speak ``text`` with ``voice``, a language or ``language+variant``.

        Args:
            text: Plain text in the voice's own script; ``[[…]]`` holds the synthesiser's own phoneme mnemonics.
            voice: For instance ``"de+f3"``; an unknown language raises, an unknown variant passes silently.
            parameters: ``rate`` (words per minute, 80 … 449), ``pitch``, ``range`` and ``volume`` (0 … 100),
                ``word_gap`` (10 ms each).

        Raises:
            ValueError: The voice is unknown.
        """
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"Expected a voice of espeak-ng, got {voice!r}.")
        for name, value in parameters.items():
            self._library.espeak_SetParameter(_PARAMETERS[name], int(value), 0)
        self._blocks, self._events = [], []
        data = text.encode() + b"\0"
        self._library.espeak_Synth(data, len(data), 0, 1, 0, _UTF8 | _PHONEME_MARKUP, None, None)
        self._library.espeak_Synchronize()
        samples = np.concatenate(self._blocks) if self._blocks else np.zeros(0, np.int16)
        return Utterance(samples.astype(np.float32) / 32768, _spans(self._events, len(samples)))

    def _hear(self, wave: ctypes._Pointer, count: int, events: ctypes._Pointer) -> int:
        if wave and count > 0:
            self._blocks.append(np.ctypeslib.as_array(wave, (count,)).copy())
        index = 0
        while events[index].type != _LIST_END:
            event = events[index]
            if event.type == _PHONEME:
                raw = ctypes.string_at(ctypes.addressof(event.id), 8).split(b"\0")[0]
                self._events.append((event.sample, raw.decode("utf8", "ignore")))
            index += 1
        return 0


def _library() -> ctypes.CDLL:
    """Find the library by the names it has on Linux, macOS and Windows."""
    for name in _NAMES:
        with suppress(OSError):
            return ctypes.CDLL(name)
    raise SonicError(
        "Expected the speech synthesiser espeak-ng, which training speaks with and which is not there; "
        "install the system's package espeak-ng (Debian, Ubuntu: apt install libespeak-ng1)."
    )


def _spans(events: list[tuple[int, str]], count: int) -> list[Phone]:
    """Give every event the span up to the next one; empty spans are dropped."""
    ordered = sorted(events, key=lambda event: event[0])
    ends = [start for start, _ in ordered[1:]] + [count]
    return [Phone(name, start, end) for (start, name), end in zip(ordered, ends, strict=True) if end > start]
