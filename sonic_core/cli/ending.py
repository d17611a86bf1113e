"""How the program ends: on request, and whoever hears or does not hear what it says.

Signals are listened to before anything heavy is imported, so this file imports nothing that is.
"""

from __future__ import annotations

import _thread
import io
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn, TextIO

from ..media import unfinished

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
_BY_SIGNAL = 128
"""Added to a signal's number it is the exit status, as shells tell it."""
WRONG = 2
"""The exit status for wrong use, bad input and whatever the system refuses."""
UNHEARD = _BY_SIGNAL + 13
"""The exit status when whoever reads the answer went away; 13 is SIGPIPE where there is one."""
PATIENCE = 60.0
"""Seconds after which a program that was asked to end, and has not, is ended as by a second request."""
_STREAMS = ("stdin", "stdout", "stderr")


class Ended(KeyboardInterrupt):
    """Somebody asks the program to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


_asked: list[int] = []
"""The signal that asked the program to end, once one did."""
_telling: list[str] = []
"""What is said of the end, from when it is begun to be said."""
_told: list[str] = []
"""The same, once it is said."""


def listen() -> None:
    """Have signals end the program in order: ``Ended`` is raised, and what is unfinished goes.

    A second signal, or one that comes while a module is imported, where exceptions get lost, ends it at once. What is
    ignored (``nohup``) stays ignored.
    """
    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None, _on_signal):
            signal.signal(number, _on_signal)


def check() -> None:
    """Raise ``Ended`` again where somebody asked the program to end and it went on."""
    if _asked:
        raise Ended(_asked[0])


def status_of(error: KeyboardInterrupt) -> int:
    """Return the exit status of a program that was asked to end.

    >>> status_of(KeyboardInterrupt()), status_of(Ended(15))
    (130, 143)
    """
    return _BY_SIGNAL + (error.number if isinstance(error, Ended) else signal.SIGINT)


def words_of(error: KeyboardInterrupt) -> str:
    """Say that the program was asked to end.

    >>> words_of(Ended(15))
    'ended by SIGTERM'
    """
    number = status_of(error) - _BY_SIGNAL
    return "cancelled" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"


def tell_end(error: KeyboardInterrupt, left: str = "nothing was left behind") -> int:
    """Say on standard error that the program was asked to end, and what it leaves; once, however often it is asked.

    Returns:
        The exit status.
    """
    if not _telling:
        _telling.append(f"{words_of(error)}; {left}.")
        _write_last(_telling[0])
        _told.append(_telling[0])
    return status_of(error)


def run_program(run: Callable[[], int]) -> int:
    """Run a program to its end, whatever comes.

    Args:
        run: Returns the exit status; it imports what it needs.

    Returns:
        The exit status.
    """
    listen()
    open_closed_streams()
    try:
        status = run()
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 0 if error.code is None else WRONG
    except BaseException as error:
        asked = Ended(_asked[0]) if _asked else error
        if not isinstance(asked, KeyboardInterrupt):  # that is a fault of ours, and to be seen
            raise
        status = tell_end(asked)
    unfinished.remove_all()
    return flushed(status)


def open_closed_streams() -> None:
    """Put nothing where a standard stream is closed: else the next file that is opened would be taken for it.

    What a stream's encoding lacks is escaped.
    """
    for number, name in enumerate(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if number == 0 else "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flushed(status: int) -> int:
    """Send on what the standard streams still hold; return the exit status, another one where that fails."""
    lost, _ = _flush(sys.stdout), _flush(sys.stderr)
    if lost is not None and status == 0:
        status = UNHEARD if isinstance(lost, BrokenPipeError) else WRONG
    for name in _SIGNALS:  # from here on there is nothing to be put in order
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is _on_signal:
            signal.signal(number, signal.SIG_DFL)
    return status


def _flush(stream: TextIO) -> OSError | None:
    try:
        stream.flush()
    except OSError as error:
        drop(stream)
        return error
    return None


def drop(stream: TextIO) -> None:
    """Let what a stream holds, and what comes after it, go nowhere."""
    try:
        number = stream.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


def _on_signal(number: int, frame: FrameType | None) -> None:
    again = bool(_asked)
    _asked.append(number)
    if len(_telling) > len(_told):  # the line is being written right now, and whoever writes it ends
        return
    if again or _is_importing(frame):
        _end_at_once()
    _thread.start_new_thread(_end_later, ())  # nothing of threading's: that may be what was interrupted
    raise Ended(number)


def _end_later() -> None:
    """End a program that what interrupted it left waiting for ever, such as for a lock that nobody holds any more."""
    time.sleep(PATIENCE)
    _end_at_once()


def _end_at_once() -> NoReturn:
    unfinished.remove_all()
    os._exit(tell_end(Ended(_asked[0])))


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _write_last(text: str) -> None:
    """Put a line on standard error past what Python holds."""
    try:
        os.write(2, f"sonic: {text}\n".encode(errors="backslashreplace"))
    except OSError:
        return
