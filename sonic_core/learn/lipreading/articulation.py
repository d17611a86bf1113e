"""What lips and jaw do for every sound of speech: IPA names → articulation targets.

Vowels follow from height, backness and rounding; consonants from their place. Values are fractions of a speaker's own
range, 0 … 1, but width and lower lip, which go both ways. A target's strength says how far it wins over its
neighbours: /h/ has no lip position of its own and takes the vowel's, /f/ insists on its lower lip.

Source: Cohen & Massaro 1993, "Modeling coarticulation in synthetic visual speech" (targets with dominance);
openings of the IPA vowel chart's height, with the order of lip apertures in Fromkin 1964, "Lip positions in
American English vowels". The numbers are hand-set, none was fitted to a recording.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from ...speech.network import CHANNELS


@dataclass(frozen=True)
class Articulation:
    """One articulatory target."""

    symbol: str
    kind: str
    """One of ``KINDS``."""
    target: tuple[float, ...]
    """One value per channel of ``CHANNELS``."""
    strength: tuple[float, ...]
    """One weight per channel, above 0."""
    closed: bool = False
    """The lips touch: p b m and their kin."""


_VOWELS = {
    # symbol: (height 0 close … 1 open, backness 0 front … 1 back, rounded)
    **{"i": (0.0, 0.0, 0), "y": (0.0, 0.0, 1), "ɨ": (0.0, 0.5, 0), "ʉ": (0.0, 0.5, 1), "ɯ": (0.0, 1.0, 0)},
    **{"u": (0.0, 1.0, 1), "ɪ": (0.15, 0.2, 0), "ʏ": (0.15, 0.2, 1), "ʊ": (0.15, 0.8, 1), "e": (0.33, 0.0, 0)},
    **{"ø": (0.33, 0.0, 1), "ɘ": (0.33, 0.5, 0), "ɵ": (0.33, 0.5, 1), "ɤ": (0.33, 1.0, 0), "o": (0.33, 1.0, 1)},
    **{"ə": (0.2, 0.5, 0), "ɚ": (0.2, 0.5, 0), "ɛ": (0.6, 0.0, 0), "ε": (0.6, 0.0, 0), "œ": (0.6, 0.0, 1)},
    **{"ɜ": (0.45, 0.5, 0), "ɝ": (0.4, 0.5, 0), "ɞ": (0.5, 0.5, 1), "ʌ": (0.7, 1.0, 0), "ɔ": (0.6, 1.0, 1)},
    **{"æ": (0.9, 0.0, 0), "ɐ": (0.8, 0.5, 0), "a": (1.0, 0.3, 0), "ɶ": (0.95, 0.0, 1), "ɑ": (1.0, 1.0, 0)},
    **{"ɒ": (0.95, 1.0, 1), "ᵻ": (0.1, 0.4, 0), "ᵿ": (0.15, 0.7, 1)},
}

_CONSONANTS = {
    # kind: (symbols, target, strength); channels: opening width rounding upper lower jaw
    "bilabial": ("pbmɓ", (0.20, 0.0, 0.05, 0.0, -0.2, 0.15), (0.4, 0.3, 0.15, 1.2, 1.2, 0.8)),
    "labiodental": ("fvɱʋβɸΦ", (0.10, 0.1, 0.05, 0.30, -0.8, 0.15), (2.0, 0.4, 0.2, 1.0, 3.0, 1.2)),
    "labial glide": ("wʍɥ", (0.15, -0.9, 0.95, 0.1, 0.0, 0.2), (1.3, 1.5, 2.0, 0.8, 0.8, 0.8)),
    "dental or alveolar": ("tdnθðɗʦʈɖɳ", (0.40, 0.1, 0.05, 0.25, 0.2, 0.25), (0.6, 0.2, 0.15, 0.4, 0.4, 0.7)),
    "sibilant": ("szɬɮ", (0.38, 0.4, 0.05, 0.35, 0.35, 0.08), (0.9, 0.6, 0.4, 0.7, 0.8, 1.6)),
    "postalveolar": ("ʃʒɕʑʂʐ", (0.40, -0.4, 0.60, 0.55, 0.5, 0.12), (0.9, 0.9, 1.2, 1.0, 1.0, 1.4)),
    "palatal or velar": ("kgɡŋxɣcɟçʝɲqɢχʁɠʀɴj", (0.46, 0.1, 0.05, 0.25, 0.25, 0.40), (0.4, 0.15, 0.12, 0.3, 0.3, 0.4)),
    "liquid": ("lrɹɾɫʎɭɽɻɺ", (0.42, 0.0, 0.10, 0.25, 0.25, 0.32), (0.5, 0.2, 0.2, 0.3, 0.3, 0.6)),
    "glottal": ("hʔɦħʕ", (0.45, 0.0, 0.05, 0.25, 0.25, 0.4), (0.06, 0.06, 0.06, 0.06, 0.06, 0.06)),
}

_SPELLED = {"A": "ɑ", "N": "ŋ", "S": "ʃ", "Z": "ʒ", "X": "χ", "?": "ʔ", "Q": "ʁ", "R": "ɹ", "T": "θ", "D": "ð"}
"""The synthesiser's own mnemonics that some languages let through instead of IPA."""
_MARKS = set("ːˑʰʲʷˠˤˈˌ.-#`^[]\"':;_|~!*ᵝ̪0123456789")
"""Length, aspiration, stress and mnemonics' ornaments: no lip position of their own."""

PAUSE = Articulation("", "pause", (0.2, 0.0, 0.05, 0.1, 0.05, 0.15), (0.35, 0.3, 0.3, 0.3, 0.3, 0.35))


def _vowel(symbol: str) -> Articulation:
    """Derive a vowel's lips from its place on the chart."""
    height, back, rounded = _VOWELS[symbol]
    if rounded:
        kind = "close round vowel" if height < 0.5 else "middle vowel"
        target = (
            0.26 + 0.42 * height + 0.06 * (1 - back),
            -0.85 + 0.6 * height,
            1.0 - 0.55 * height,
            0.15 + 0.2 * height,
            0.1 + 0.4 * height,
            0.15 + 0.6 * height,
        )
    else:
        kind = "open vowel" if height > 0.65 else "middle vowel" if height > 0.18 else "close spread vowel"
        spread = (1 - height) * (1 - back)
        target = (
            0.40 + 0.10 * spread + (0.60 - 0.16 * back) * height,
            0.15 + 0.8 * spread - 0.15 * back,
            0.0,
            0.25 + 0.15 * height + 0.1 * spread,
            0.2 + 0.6 * height + 0.1 * spread,
            0.2 + 0.8 * height,
        )
    reduced = 0.6 if symbol in "əɚɨ" else 1.0
    return Articulation(symbol, kind, target, (reduced,) * len(CHANNELS))


def _all_sounds() -> dict[str, Articulation]:
    sounds = {symbol: _vowel(symbol) for symbol in _VOWELS}
    for kind, (symbols, target, strength) in _CONSONANTS.items():
        for symbol in symbols:
            sounds[symbol] = Articulation(symbol, kind, target, strength, closed=kind == "bilabial")
    return sounds


SOUNDS = _all_sounds()


def sounds_of(name: str) -> list[Articulation]:
    """Split a phoneme's name into the sounds that follow one another in it.

    Diphthongs and affricates give several; a language switch such as ``(en)`` gives none, an empty name a pause.

    Args:
        name: IPA as the synthesiser writes it, for instance ``aɪ``, ``tʃʰ``, ``ts.h``, ``n̩``.

    Raises:
        KeyError: A letter is unknown; nothing is guessed.

    >>> [sound.symbol for sound in sounds_of("aɪ̃ː")]
    ['a', 'ɪ']
    """
    if not name:
        return [PAUSE]
    if name.startswith("("):
        return []
    found: list[Articulation] = []
    for letter in unicodedata.normalize("NFD", name):
        if letter in _MARKS or unicodedata.combining(letter) or unicodedata.category(letter) in {"Lm", "Sk"}:
            continue
        sound = SOUNDS[_SPELLED.get(letter, letter)]
        if found and sound.kind == "glottal" and found[-1].kind not in {"glottal"} and "vowel" not in found[-1].kind:
            continue  # aspiration written as h
        found.append(sound)
    return found
