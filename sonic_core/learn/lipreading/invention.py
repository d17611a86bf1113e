"""Text to train on that nobody wrote: numbers and invented words, in many scripts.

The synthesiser reads numerals aloud as real words in each of its languages, which gives each language's own sounds
and rhythm; invented words add what numerals lack, above all p, b, m, f, v and rounded vowels. No corpus is used, so no
licence binds the text. A language is held out of training as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Spelling:
    """How invented words of a language are spelled."""

    onsets: tuple[str, ...]
    vowels: tuple[str, ...]
    codas: tuple[str, ...] = ()
    numerals: float = 0.25
    """Share of words that are numerals."""
    join: str = " "
    stops: tuple[str, ...] = field(default=(",", ".", ".", "?", "!"))


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_LATIN = _words("p p b b m m f v t d n s k g l r h j z w p m b st tr pl br fl sk")
_CODAS = _words("n s r l t m k p d f nd st mp")
_CYRILLIC = _words("п п б б м м ф в т д н с к г л р х з ш ч ж ц п м б ст тр пл бр")
_GREEK = _words("π π μπ μπ μ μ φ β τ ντ ν σ κ γ λ ρ χ ζ δ θ π μ στ πρ")


def _latin(vowels: str, extra: str = "", codas: str | None = None, without: str = "") -> Spelling:
    onsets = tuple(one for one in (*_LATIN, *_words(extra)) if not set(one) & set(without))
    return Spelling(onsets, _words(vowels), _CODAS if codas is None else _words(codas))


def _cyrillic(vowels: str, extra: str = "") -> Spelling:
    return Spelling((*_CYRILLIC, *_words(extra)), _words(vowels), _words("н с р л т м к п д ст"))


def _brahmic(offset: int) -> Spelling:
    """Spell with one of the scripts that share the ISCII layout, ``offset`` being its Unicode block."""
    consonants = [
        0x15,
        0x17,
        0x1A,
        0x1C,
        0x1F,
        0x24,
        0x26,
        0x28,
        0x2A,
        0x2A,
        0x2C,
        0x2E,
        0x2E,
        0x2F,
        0x30,
        0x32,
        0x35,
        0x38,
    ]
    if offset == 0x0B80:  # Tamil lacks most voiced letters
        consonants = [0x15, 0x1A, 0x1F, 0x24, 0x28, 0x2A, 0x2A, 0x2E, 0x2E, 0x2F, 0x30, 0x32, 0x35, 0x38]
    vowels = ["", *(chr(offset + one) for one in (0x3E, 0x3F, 0x40, 0x41, 0x42, 0x47, 0x4B, 0x3E))]
    return Spelling(tuple(chr(offset + one) for one in consonants), tuple(vowels), numerals=0.35)


def _letters(onsets: str, vowels: str, codas: str = "", join: str = " ") -> Spelling:
    return Spelling(_words(onsets), _words(vowels), _words(codas), join=join)


_NUMERALS = Spelling((), (), numerals=1.0)

TRAINING = {
    "en": _latin("a e i o u ai ee oo ou ow ar er oy aw ay", "sh ch th wh qu j w"),
    "en-us": _latin("a e i o u ai ee oo ou ow ar er oy aw ay", "sh ch th wh qu j w"),
    "en-gb-scotland": _latin("a e i o u ai ee oo ou ow ar er", "sh ch th wh"),
    "de": _latin("a e i o u ä ö ü au ei eu ie", "sch ch pf z w tsch"),
    "nl": _latin("a e i o u aa ee oe uu eu ui ij ou", "sch ch g w"),
    "fr": _latin("a é i o u ou eu on an in oi ai è eau", "ch j gn v b"),
    "es": _latin("a e i o u ie ue", "ch ll ñ rr y", "n s r l", "w"),
    "it": _latin("a e i o u à è ò", "gli gn sc ch z gi ci", "n r l s", "wjk"),
    "ro": _latin("a e i o u ă â", "ș ț ce gi j", None, "w"),
    "ca": _latin("a e i o u à è ò ai", "ny ll x tx", None, "wk"),
    "da": _latin("a e i o u æ ø å y", "sj g v"),
    "nb": _latin("a e i o u æ ø å y ei øy", "kj sj skj v", None, "zw"),
    "is": _latin("a e i o u á é í ó ú æ ö y au ei", "þ ð hv", None, "zwc"),
    "fi": _latin("a e i o u ä ö y aa ii uu ää yö uo", "", "n s t l", "bfgzwd"),
    "et": _latin("a e i o u ä ö ü õ aa", "š", "n s t l"),
    "hu": _latin("a e i o u á é í ó ö ő ú ü ű", "sz zs cs gy ny s", None, "w"),
    "pl": _latin("a e i o u ą ę ó y", "sz cz rz ś ć ź dz w ł", None, "v"),
    "sk": _latin("a e i o u á é í ó ú y ô", "š č ž ľ ň ch", None, "w"),
    "sl": _latin("a e i o u", "š č ž", None, "wyh"),
    "hr": _latin("a e i o u", "š č ž ć đ lj nj", None, "w"),
    "lt": _latin("a e i o u ą ė ū y ie uo", "š č ž", None, "whf"),
    "lv": _latin("a e i o u ā ē ī ū", "š č ž ļ ņ", None, "w"),
    "sq": _latin("a e i o u ë y", "sh ç xh gj nj th dh", None, "w"),
    "tr": _latin("a e i o u ö ü ı", "ş ç ğ y", None, "w"),
    "az": _latin("a e i o u ö ü ı ə", "ş ç x q", None, "w"),
    "pt": _latin("a e i o u ã õ ão é ê ô", "ch lh nh j", "s r l m", "wk"),
    "eu": _latin("a e i o u ai", "tx tz ts x", "n s r l", "vwc"),
    "cy": _latin("a e i o u w y", "ch dd ff ll th rh", None, "vzk"),
    "ms": _latin("a e i o u ai au", "ny ng sy c", "n s r k ng t"),
    "eo": _latin("a e i o u aŭ", "ĉ ŝ ĵ ĝ", None, "wqy"),
    "mt": _latin("a e i o u", "x ċ ġ ż ħ", None, "c"),
    "mi": _latin("a e i o u ā ō ū", "wh ng", "", "bdfgjlsvz"),
    "af": _latin("a e i o u aa ee oe uu eu ui y ou", "sj g v"),
    "vi": _latin("a e ê i o ô ơ u ư à á ả ô ố ồ ạ ờ ủ ý", "ph th ch nh kh đ v tr", "n m ng t p c", "fwz"),
    "ru": _cyrillic("а е и о у ы э ю я а о у", "щ"),
    "uk": _cyrillic("а е и і о у ю я є", "щ"),
    "bg": _cyrillic("а е и о у ъ я", "щ"),
    "sr": _cyrillic("а е и о у", "ђ ћ љ њ џ"),
    "kk": _cyrillic("а ә е і о ө ұ ү ы", "қ ғ ң"),
    "hi": _brahmic(0x0900),
    "ne": _brahmic(0x0900),
    "gu": _brahmic(0x0A80),
    "pa": _brahmic(0x0A00),
    "te": _brahmic(0x0C00),
    "ta": _brahmic(0x0B80),
    "ml": _brahmic(0x0D00),
    "ja": _letters(
        "は ま ば ぱ も み む べ ぼ ぶ ふ",
        "か し た な ら く そ う い す と り わ よ ゆ ん さ き ち つ の え お あ",
        "ん",
    ),
    "cmn-latn-pinyin": _letters(
        "b p m f b m p d t n l g k h j q x zh ch sh r z c s w y",
        "a1 o3 e4 ai4 ao3 ou2 an1 ang2 i1 i4 u4 u2 ong1 uo3 ie4 ian2",
    ),
    "ka": _letters("პ ბ მ ფ ვ თ დ ნ ს კ გ ლ რ ხ შ ჩ ჟ ზ მ ბ", "ა ე ი ო უ", "ნ ს რ ლ მ"),
    "hy": _letters("պ բ մ փ ֆ վ տ դ ն ս կ գ լ ր խ շ չ ժ զ մ բ", "ա ե ի ո ու", "ն ս ր լ մ"),
    "fa": _NUMERALS,
    "ar": _letters("ب م ف ت د ن س ك ل ر ح ش ج ز ب م", "َا ِي ُو َ ِ ُ"),
    "th": _NUMERALS,
    "am": _NUMERALS,
    "ur": _NUMERALS,
    "yue": _NUMERALS,
}
"""Languages of the training set."""

HELD_OUT = {
    "sv": _latin("a e i o u å ä ö y", "sj tj skj v", None, "zw"),
    "pt-br": _latin("a e i o u ã õ ão é ê ô", "ch lh nh j", "s r l m", "wk"),
    "cs": _latin("a e i o u á é í ů ý", "š č ž ř ch", None, "w"),
    "sw": _latin("a e i o u", "sh ch ny ng mb dh", ""),
    "id": _latin("a e i o u ai au", "ny ng sy c", "n s r k ng t"),
    "el": Spelling(_GREEK, _words("α ε ι ο ου η ω αι"), _words("ς ν")),
    "ko": _letters(
        "바 마 파 보 모 포 부 무 푸 비 미 피 버 머",
        "가 나 다 라 사 자 하 고 노 도 로 소 호 구 누 두 이 우 으 어 요 유 는 을",
        "",
    ),
    "bn": _brahmic(0x0980),
}
"""Languages never trained on."""

HELD_OUT_VARIANTS = ("f4", "m5", "klatt3", "linda", "adam", "belinda", "Michael", "steph2")
"""Voices never trained with."""
TRAINING_VARIANTS = _words(
    "f1 f2 f3 f5 m1 m2 m3 m4 m6 m7 m8 klatt klatt2 klatt4 klatt5 klatt6 Alex Alicia Andrea Andy Annie Denis "
    "Diogo Gene Gene2 Henrique Hugo Jacky Lee Marco Mario Mike Mr Nguyen Storm Tweaky anika announcer "
    "antonio aunty benjamin boris caleb david ed edward edward2 grandma grandpa gustave iven iven2 iven3 "
    "iven4 john kaukovalta marcelo max michel miguel norbert pablo paul pedro quincy robert sandro shelby "
    "steph steph3 travis victor zac whisper whisperf"
)
"""The synthesiser's voices to train with; what is not named here or above crashes it, or is no voice of a person."""


def invent(spelling: Spelling, syllables: int, random: np.random.Generator) -> str:
    """Invent a few sentences.

    Args:
        spelling: How words are spelled.
        syllables: How many syllables to write, about; a numeral counts as four.
        random: The source of chance.
    """
    words: list[str] = []
    lexicon = [_word(spelling, random) for _ in range(12)] if spelling.onsets else []
    left, clause = float(syllables), int(random.integers(4, 10))
    while left > 0:
        if not lexicon or random.random() < spelling.numerals:
            word, cost = str(int(10 ** random.uniform(0, 4.3))), 4.0
        else:
            word = lexicon[int(random.integers(12))] if random.random() < 0.3 else _word(spelling, random)
            cost = 2.3
        left -= cost
        clause -= 1
        if clause <= 0 or left <= 0:
            word += spelling.stops[int(random.integers(len(spelling.stops)))]
            clause = int(random.integers(3, 12))
        words.append(word)
    return " ".join(words)


def _word(spelling: Spelling, random: np.random.Generator) -> str:
    count = int(random.choice([1, 2, 3, 4], p=[0.22, 0.43, 0.26, 0.09]))
    word = ""
    for index in range(count):
        if index or random.random() < 0.85:
            word += spelling.onsets[int(random.integers(len(spelling.onsets)))]
        word += spelling.vowels[int(random.integers(len(spelling.vowels)))]
    if spelling.codas and random.random() < 0.4:
        word += spelling.codas[int(random.integers(len(spelling.codas)))]
    return word
