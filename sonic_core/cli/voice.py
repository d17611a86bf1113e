"""The command ``voice``: who speaks when in a sound, and what is left of it for the lips."""

# ruff: noqa: PLC0415 - torch and its kin load only when they are needed
from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SettingsError
from ..settings import SETTINGS
from .console import answer
from .options import add_setting
from .video import Command

if TYPE_CHECKING:
    from ..speech.voice.turns import Voices
    from ..types import Audio

BESIDE = ".original.wav"
"""How the name of the unchanged sound ends, beside the cleaned one."""


def add_commands(command: Command) -> None:
    """Offer the command.

    Args:
        command: Adds a command by its name, what it runs and a text about it, and returns its parser.
    """
    voice = command("voice", hear, "list who speaks when in a sound; write the voice alone")
    voice.add_argument("sound", metavar="SOUND", help="any sound or video file")
    voice.add_argument("--clean", action="store_true", help="take the noise out of what is written")
    voice.add_argument(
        "--denoiser", default="auto", metavar="NAME", help="what does: auto, deepfilternet3 or rnnoise (%(default)s)"
    )
    voice.add_argument("--output", metavar="O.wav", help="write what the lips would follow, as long as the sound")
    voice.add_argument(
        "--beside", action="store_true", help="write the sound as it is beside that, as O.original.wav, to compare"
    )
    voice.add_argument(
        "--split", metavar="DIR", help="write each stretch in which one voice speaks, and a list of them for 'batch'"
    )
    voice.add_argument("--image", metavar="P", help="the portrait that the list names")
    add_setting(voice, SETTINGS["speaker_voice"])


def hear(options: argparse.Namespace) -> int:
    """Tell who speaks when, and write what is asked for."""
    from ..media.audio import read_audio
    from ..speech.voice.denoisers import find_denoiser
    from ..speech.voice.turns import hear_voices

    _check(options)
    denoiser = find_denoiser(options.denoiser) if options.clean else None
    sound = read_audio(options.sound)
    voices = hear_voices(sound)
    told, lines = _described(voices), [f"{voices}"] if voices.turns else []
    if options.output or options.split:
        from ..voicing import pick_voice

        picked = pick_voice(sound, voices, options.speaker_voice, denoiser)
        told |= {"denoiser": denoiser.name if denoiser else None}
        written = _write(options, sound, picked, voices)
        told |= written
        lines += [f"{name}: {value}" for name, value in written.items()]
    answer(options, told, "\n".join([*lines, f"{options.sound}: {voices.reason}"]))
    return 0


def _check(options: argparse.Namespace) -> None:
    """Refuse what cannot be done, before any long work."""
    from ..media.files import check_new_folder, check_writable

    if (options.clean or options.beside) and not (options.output or options.split):
        raise SettingsError("--clean and --beside change what is written; say where: --output O.wav, or --split DIR.")
    if options.beside and not options.output:
        raise SettingsError("--beside writes a second file beside that of --output; name that.")
    if options.image and not options.split:
        raise SettingsError("--image goes into the list that --split DIR writes; give both, or none.")
    if options.output:
        check_writable(options.output, ".wav")
    if options.split:
        check_new_folder(options.split)


def _write(options: argparse.Namespace, sound: Audio, picked: Audio, voices: Voices) -> dict[str, Any]:
    from ..batch.stretches import MANIFEST, write_stretches
    from ..media.wav import write_wav

    made: dict[str, Any] = {}
    if options.output:
        made["output"] = str(write_wav(options.output, picked))
    if options.beside:
        made["beside"] = str(write_wav(Path(options.output).with_suffix(BESIDE), sound))
    if options.split:
        most = max(voices.voices, key=lambda one: one.seconds, default=None)
        voice = options.speaker_voice or (most.number if most else 0)
        files = write_stretches(picked, voices, options.split, voice=voice, image=options.image)
        made |= {"voice": voice, "stretches": len(files), "manifest": str(Path(options.split) / MANIFEST)}
    return made


def _described(voices: Voices) -> dict[str, Any]:
    """Tell who speaks when in JSON's words."""
    return {
        "seconds": round(voices.duration, 3),
        "speech": [[round(turn.start, 3), round(turn.end, 3), turn.voice] for turn in voices.turns],
        "speakers": [
            {"name": f"voice {one.number}", "number": one.number, "seconds": round(one.seconds, 2)}
            for one in voices.voices
        ],
        "clarity_db": round(voices.clarity, 1),
    }
