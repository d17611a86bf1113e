"""The kinds of files a clip can leave as: one table, from which the writers, the nodes and the command line read.

A format is offered where this build of PyAV has what it takes; of several encoders the first one there is taken.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import MediaError, SettingsError

AAC_RATES = frozenset({7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000})
"""Rates that AAC has (ISO/IEC 14496-3, table 1.18); sounds of other rates are resampled to 48,000."""
OPUS_RATES = frozenset({8000, 12000, 16000, 24000, 48000})
"""Rates that Opus has (RFC 6716, section 2)."""


BRIEF = 3
"""Frames below which x265 may forget a time stamp, unless no frame is told by the next."""


@dataclass(frozen=True)
class Encoder:
    """One of FFmpeg's encoders of pictures, and how it is driven."""

    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    quality: str = "crf"
    """The option that takes the quality; empty where there is none."""
    threads: int = 2
    """Threads that it may use; few where it is fast, for it works beside whoever makes the frames."""
    brief: Mapping[str, str] = field(default_factory=dict)
    """Options for clips of fewer frames than ``BRIEF``."""

    @property
    def tells_siting(self) -> bool:
        """Whether it writes where chroma lies."""
        return any(CENTRED in value for value in self.options.values())


@dataclass(frozen=True)
class SoundEncoder:
    """One of FFmpeg's encoders of sound."""

    name: str
    rates: frozenset[int] = frozenset()
    """Rates that it has; empty for all. Others become 48,000."""
    channels: int | None = None
    """More than these are mixed down."""
    clipped: bool = True
    """Samples beyond ±1 are clipped."""
    limited: bool = True
    """A bit rate is asked for."""


@dataclass(frozen=True)
class Format:
    """A kind of file."""

    name: str
    about: str
    """What it is good for, in a few words."""
    suffix: str
    """How the file's name ends; empty for a folder."""
    container: str
    """FFmpeg's name of the container; empty where we write it ourselves."""
    encoders: tuple[Encoder, ...]
    """Any of these will do; the first one there is taken."""
    pixels: str
    """FFmpeg's name of what is encoded; 4:2:0 of 8 bits plays everywhere."""
    sounds: tuple[SoundEncoder, ...] = ()
    """Any of these will do; without one the format has no sound."""
    crf: float | None = None
    """The quality that is taken where none is asked for; None where there is nothing to choose."""
    worst_crf: float = 51
    """The largest value of the quality, whose best is 0."""
    bits: int = 8
    """How finely it tells colours apart."""
    movie: bool = True
    """Whether it is a video for players; else a picture that moves, or pictures."""
    container_options: Mapping[str, str] = field(default_factory=dict)
    codec_tag: str = ""
    """The name by which players know the codec where FFmpeg's own choice is not understood everywhere."""
    filters: tuple[str, ...] = ()
    """FFmpeg's filters that it takes."""
    title: str = ""
    """What people call it: the file's kind and, last, the pictures' coding."""
    advised_crf: tuple[int, int] | None = None
    """Advised values of the quality, from hardly told from the original to small."""
    least_side: int = 2
    """Fewest pixels that a picture may be wide and high."""
    most_sides: tuple[int, int] = (65534, 65534)
    """Most pixels that a picture may be high and wide."""

    @property
    def loops(self) -> bool:
        """Whether the file itself says how often it plays."""
        return bool(self.suffix) and not self.movie

    @property
    def coding(self) -> str:
        """What people call the pictures' coding."""
        return self.title.split()[-1]

    @property
    def encoder(self) -> Encoder:
        """The encoder that is taken, among one or more."""
        return next((one for one in self.encoders if _has_encoder(one.name)), self.encoders[0])

    @property
    def sound(self) -> SoundEncoder | None:
        """The encoder of sound that is taken; None where there is none."""
        return next((one for one in self.sounds if _has_encoder(one.name)), None)

    @property
    def missing(self) -> str:
        """What this build of PyAV lacks for it, in words; empty where nothing is."""
        import av  # noqa: PLC0415 - whoever reads the table starts sooner without
        from av.filter import filters_available  # noqa: PLC0415

        lacks = []
        if self.encoders and not _has_encoder(self.encoder.name):
            lacks.append("the encoder " + " or ".join(one.name for one in self.encoders))
        if self.sounds and self.sound is None:
            lacks.append("the encoder " + " or ".join(one.name for one in self.sounds))
        if self.container and self.container not in av.formats_available:
            lacks.append(f"the container {self.container}")
        lacks += [f"the filter {name}" for name in self.filters if name not in filters_available]
        return " and ".join(lacks)

    def check_size(self, size: tuple[int, int]) -> None:
        """Raise where pictures of ``size``, (h, w), cannot be encoded: some encoders end the whole process over it.

        Raises:
            MediaError: They are too small or too large.
        """
        (height, width), (tall, wide), least = size, self.most_sides, self.least_side
        if not (least <= height <= tall and least <= width <= wide):
            raise MediaError(
                f"{self.title or self.name} takes pictures from {least}×{least} to {wide}×{tall} pixels, got "
                f"{width}×{height}; choose another size or another format."
            )

    def quality(self, crf: float | None) -> float | None:
        """Return ``crf``, or the format's own for None; None where there is nothing to choose.

        Raises:
            SettingsError: It is no number from 0 to ``worst_crf``.
        """
        if self.crf is None:
            return None
        if crf is None:
            return self.crf
        if isinstance(crf, bool) or not isinstance(crf, (int, float)) or not 0 <= crf <= self.worst_crf:
            raise SettingsError(f"crf must be from 0 (best) to {self.worst_crf:g} for {self.name}, got {crf}.")
        return crf


_AAC = SoundEncoder("aac", AAC_RATES, channels=2)
FLOATS = SoundEncoder("pcm_f32le", clipped=False, limited=False)
"""Sound of which nothing is lost."""
CENTRED = "chromaloc=1"
"""Tells an encoder that chroma lies in the middle of four pixels (ITU-T H.264, annex E)."""
_X265 = f"log-level=error:{CENTRED}"
_VP9 = {"deadline": "good", "cpu-used": "5", "row-mt": "1", "tile-columns": "2"}
_MP4 = {"movflags": "+faststart"}

FORMATS: Mapping[str, Format] = {
    one.name: one
    for one in (
        Format(
            name="mp4-h264",
            title="MP4 H.264",
            about="plays everywhere",
            suffix=".mp4",
            container="mp4",
            encoders=(Encoder("libx264", {"preset": "veryfast", "x264-params": CENTRED}),),
            pixels="yuv420p",
            sounds=(_AAC,),
            crf=18,
            advised_crf=(15, 23),
            most_sides=(16384, 16384),
            container_options=_MP4,
        ),
        Format(
            name="mp4-h265",
            title="MP4 H.265",
            about="about a third smaller; plays on recent devices",
            suffix=".mp4",
            container="mp4",
            encoders=(
                Encoder(
                    "libx265",
                    {"preset": "fast", "x265-params": _X265},
                    threads=8,
                    brief={"x265-params": f"{_X265}:bframes=0"},
                ),
            ),
            least_side=16,
            pixels="yuv420p",
            sounds=(_AAC,),
            crf=20,
            advised_crf=(17, 25),
            container_options=_MP4,
            codec_tag="hvc1",
        ),
        Format(
            name="mp4-av1",
            title="MP4 AV1",
            about="the smallest; plays in browsers and on recent devices",
            suffix=".mp4",
            container="mp4",
            encoders=(
                Encoder("libsvtav1", {"preset": "8"}, threads=8),
                Encoder("libaom-av1", {"cpu-used": "6", "row-mt": "1"}, threads=8),
            ),
            pixels="yuv420p",
            sounds=(_AAC,),
            crf=24,
            advised_crf=(20, 32),
            worst_crf=63,
            container_options=_MP4,
            least_side=4,
            most_sides=(8704, 16384),
        ),
        Format(
            name="webm-vp9",
            title="WebM VP9",
            about="free of patents; plays in browsers",
            suffix=".webm",
            container="webm",
            encoders=(Encoder("libvpx-vp9", _VP9, threads=8),),
            pixels="yuv420p",
            sounds=(SoundEncoder("libopus", OPUS_RATES, channels=2), SoundEncoder("libvorbis", channels=2)),
            crf=24,
            advised_crf=(20, 32),
            worst_crf=63,
        ),
        Format(
            name="mov-prores",
            title="MOV ProRes",
            about="ProRes 422 HQ for video editors, 10 bits, large; browsers do not show it",
            suffix=".mov",
            container="mov",
            encoders=(Encoder("prores_ks", {"profile": "hq", "vendor": "apl0"}, quality="", threads=8),),
            pixels="yuv422p10le",
            sounds=(SoundEncoder("pcm_s24le", channels=2, limited=False),),
            bits=10,
            container_options=_MP4,
        ),
        Format(
            name="webp",
            title="WebP",
            about="a picture that moves, without sound",
            suffix=".webp",
            container="",
            encoders=(Encoder("libwebp", {"compression_level": "3"}, quality="quality"),),
            pixels="yuv420p",
            crf=18,
            advised_crf=(10, 30),
            worst_crf=100,
            movie=False,
            most_sides=(16383, 16383),
        ),
        Format(
            name="gif",
            title="GIF",
            about="a picture that moves, 255 colours, without sound",
            suffix=".gif",
            container="gif",
            encoders=(Encoder("gif", quality=""),),
            pixels="pal8",
            movie=False,
            filters=("paletteuse",),
            least_side=1,
        ),
        Format(
            name="png16",
            title="PNG",
            about="a folder of 16-bit PNG pictures and the sound beside them; nothing is lost",
            suffix="",
            container="",
            encoders=(),
            pixels="rgb48be",
            sounds=(FLOATS,),
            bits=16,
            movie=False,
            least_side=1,
        ),
    )
}
"""Every format by name."""
_besides: dict[str, Format] = {}
"""Those that people have added."""


def offer_besides(rows: Mapping[str, Format]) -> None:
    """Offer these besides the table's, by name, in place of all that were offered so before."""
    _besides.clear()
    _besides.update(rows)


def available_formats() -> tuple[str, ...]:
    """List the formats that this build of PyAV can write.

    >>> available_formats()[0]
    'mp4-h264'
    """
    return tuple(name for name, one in {**FORMATS, **_besides}.items() if not one.missing)


def describe_formats() -> str:
    """Say in a sentence for each format what it is good for."""
    return " ".join(f"{one.name}: {one.about}." for one in FORMATS.values())


def describe_quality() -> str:
    """Say which values of the quality are advised for which format."""
    codings: dict[tuple[int, int], list[str]] = {}
    for one in FORMATS.values():
        if one.advised_crf:
            codings.setdefault(one.advised_crf, []).append(one.coding)
    advised = [f"{least} to {most} for {' and '.join(names)}" for (least, most), names in codings.items()]
    none = [one.coding for one in FORMATS.values() if one.crf is None]
    return f"{', '.join(advised)}. {', '.join(none[:-1])} and {none[-1]} have no such choice."


def find_format(name: str) -> Format:
    """Find a format by name.

    Raises:
        SettingsError: There is none of that name, or this build of PyAV cannot write it.
    """
    offered, known = ", ".join(available_formats()), {**FORMATS, **_besides}
    if name not in known:
        raise SettingsError(f"format must be one of {offered}; got {name!r}.")
    if lacks := known[name].missing:
        raise SettingsError(f"The format {name} needs {lacks}, which this build of PyAV lacks; choose from {offered}.")
    return known[name]


def format_of(path: str | os.PathLike[str], name: str | None = None) -> Format:
    """Find the format called ``name``, or for None the first one with the ending of ``path``.

    Raises:
        SettingsError: There is no such format here, or ``path`` has no ending to tell it by.
        MediaError: No format has the ending of ``path``.
    """
    if name is not None:
        return find_format(name)
    from .files import as_path  # noqa: PLC0415 - likewise

    suffix = as_path(path, "a name for the output").suffix.lower()
    if not suffix:
        raise SettingsError(
            f"{path} has no ending to tell the format by; add one (.mp4) or name the format "
            f"({', '.join(available_formats())})."
        )
    named = [one for one in FORMATS.values() if one.suffix == suffix]
    if not named:
        endings = ", ".join(dict.fromkeys(one.suffix for one in FORMATS.values() if one.suffix))
        raise MediaError(f"Expected an output name that ends in {endings}, got {path}; change its ending.")
    return find_format(named[0].name)


def _has_encoder(name: str) -> bool:
    """Say whether this build has the encoder; FFmpeg lists a decoder of the same name just so."""
    import av  # noqa: PLC0415 - whoever reads the table starts sooner without
    from av.codec.codec import UnknownCodecError  # noqa: PLC0415

    if name not in av.codecs_available:
        return False
    try:
        return av.Codec(name, "w").is_encoder
    except UnknownCodecError:
        return False
