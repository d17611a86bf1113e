"""What is known of a video when it was evaluated: one number a measure, its unit, and why one is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

NOTHING = "–"
"""What is written for a measure that is missing."""
Better = Literal["", "high", "low", "near 0", "near 1"]
"""Which values are good ones; "" where that depends on the person, and only a real clip's own score tells."""


@dataclass(frozen=True)
class Measure:
    """A measure's words, for tables and pages."""

    name: str
    """Its field of ``ClipReport``."""
    title: str
    unit: str
    digits: int
    """Digits after the point that mean something."""
    better: Better
    group: str
    """Under which heading it stands in tables."""

    def written(self, value: float | None, *, signed: bool = False) -> str:
        """Write a value, or a dash for none.

        >>> [Measure("yaw", "head turns", "°", 1, "", "movement").written(value) for value in (2.04, None)]
        ['2.0', '–']
        """
        return NOTHING if value is None else f"{value:{'+' if signed else ''}.{self.digits}f}"


LIPS, MOVEMENT, PICTURE, LIKENESS = "lips and sound", "movement", "picture over time", "likeness"


def _measure(group: str, title: str, unit: str, digits: int, better: Better = "") -> Any:  # noqa: ANN401 - a field's default
    words = {"group": group, "title": title, "unit": unit, "digits": digits, "better": better}
    return field(default=None, metadata=words)


@dataclass(frozen=True, eq=False)
class Moment:
    """A frame that a page shows."""

    time: float
    """Seconds."""
    picture: bytes = field(repr=False)
    """JPEG."""


@dataclass(frozen=True, eq=False)
class ClipReport:
    """What was measured of a video; None where a measure does not apply, and ``missing`` says why.

    Lengths in a face are in I, the distance between the middles of the eyes, taken where the head looks straight ahead.
    """

    name: str
    length: int
    """Frames."""
    fps: float
    size: tuple[int, int]
    """(h, w) in pixels."""
    seen: float
    """Share of the frames in which a face was read."""
    cuts: int
    """Times that another scene began."""

    offset: float | None = _measure(LIPS, "sound late by", "ms", 0, "near 0")
    """Milliseconds by which the sound comes late, negative: early; to be trusted from a ``confidence`` of 0.99 on."""
    confidence: float | None = _measure(LIPS, "confidence of that", "", 3, "high")
    """Share of wrong sounds that would fit worse, 0 … 1 (``SyncMeasurement.confidence``)."""
    correlation: float | None = _measure(LIPS, "lips with sound", "r", 2, "high")
    """Correlation, −1 … 1, of the lips' gap with the opening that the sound predicts, where they fit best."""
    closures: float | None = _measure(LIPS, "p, b, m heard", "", 0)
    """Times that p, b or m was heard clearly while a face was seen."""
    closures_kept: float | None = _measure(LIPS, "lips shut for them", "%", 0, "high")
    """Percent of these in which the lips shut."""
    silent_opening: float | None = _measure(LIPS, "open in silence", "I", 3, "low")
    """Mean gap of the lips in silence, I; pressed lips are read as 0.03 to 0.08."""
    sync_c: float | None = _measure(LIPS, "Sync-C", "", 2, "high")
    """SyncNet's confidence: how far the least mean distance of face and sound lies below the median over 31 shifts."""
    sync_d: float | None = _measure(LIPS, "Sync-D", "", 2, "low")
    """That least distance."""

    mouth: float | None = _measure(MOVEMENT, "mouth moves", "I", 3)
    """Range of the lips' gap, 5th to 95th percentile, I."""
    yaw: float | None = _measure(MOVEMENT, "head turns", "°", 2)
    """Standard deviation, degrees."""
    pitch: float | None = _measure(MOVEMENT, "head nods", "°", 2)
    """Standard deviation, degrees."""
    roll: float | None = _measure(MOVEMENT, "head tilts", "°", 2)
    """Standard deviation, degrees."""
    brows: float | None = _measure(MOVEMENT, "brows move", "I", 4)
    """Standard deviation of their height, I."""
    blinks: float | None = _measure(MOVEMENT, "blinks", "/min", 1)
    """A minute."""
    gaze: float | None = _measure(MOVEMENT, "gaze moves", "°", 2)
    """Standard deviation of where the open eyes look, degrees of the eye in its socket, both directions together."""
    mouth_ratio: float | None = _measure(MOVEMENT, "mouth / reference", "×", 2, "near 1")
    """``mouth`` as a share of the reference's."""
    head_ratio: float | None = _measure(MOVEMENT, "head / reference", "×", 2, "near 1")
    """Geometric mean of ``yaw``, ``pitch`` and ``roll`` as shares of the reference's."""
    brows_ratio: float | None = _measure(MOVEMENT, "brows / reference", "×", 2, "near 1")
    """``brows`` as a share of the reference's."""

    flicker: float | None = _measure(PICTURE, "flicker", "%", 2, "low")
    """Uneven change of light along the motion, root mean square over picture and time, percent of the light."""
    warping: float | None = _measure(PICTURE, "warping error", "/255", 2, "low")
    """What optical flow from frame to frame does not explain, mean absolute luma, 1/255."""

    identity: float | None = _measure(LIKENESS, "face apart", "% I", 2, "low")
    """Distance of the mesh's proportions from the portrait's or the reference's, root mean square over the points that
    bones carry, hundredths of I."""
    sharpness: float | None = _measure(LIKENESS, "sharpness", "×", 2, "near 1")
    """Detail around the eyes as a share of the portrait's, both at the coarser one's size."""
    mouth_sharpness: float | None = _measure(LIKENESS, "mouth sharpness", "×", 2)
    """The same around the mouth, which has more detail when it shows teeth."""
    changed: float | None = _measure(LIKENESS, "changed around", "%", 2, "low")
    """Percent of the pixels outside the face that are not as in the reference or the portrait, mean over the frames."""
    psnr: float | None = _measure(LIKENESS, "PSNR", "dB", 1, "high")
    """Against the reference, mean over the frames, dB; 100 for the same pixels."""
    ssim: float | None = _measure(LIKENESS, "SSIM", "", 4, "high")
    """Against the reference, mean over the frames, of luma; 1 for the same pixels."""
    lpips: float | None = _measure(LIKENESS, "LPIPS", "", 3, "low")
    """Against the reference, mean over the frames, by AlexNet; 0 for the same pixels."""
    csim: float | None = _measure(LIKENESS, "CSIM", "", 3, "high")
    """Cosine of the face's embedding with the portrait's, mean over the frames; 1 for the same face."""

    missing: Mapping[str, str] = field(default_factory=dict)
    """Why a measure is None, by its name."""
    reference: ClipReport | None = field(default=None, repr=False)
    """The reference's own report: what the real clip scores."""
    curves: Mapping[str, NDArray[np.float64]] = field(default_factory=dict, repr=False)
    """By name, (n,) a value a frame: ``opening`` and ``predicted`` (I), ``yaw``, ``pitch``, ``roll``, ``gaze_x``,
    ``gaze_y`` (degrees), ``brows`` (I), ``lids``, ``warping`` (1/255); not a number where nothing is known."""
    shape: NDArray[np.float64] | None = field(default=None, repr=False)
    """(468, 3) the mean face in I, turned to the camera; None where none is seen."""
    moments: tuple[Moment, ...] = field(default=(), repr=False)
    """A few frames, evenly over the video."""

    @property
    def values(self) -> dict[str, float | None]:
        """Every measure by its name."""
        return {name: getattr(self, name) for name in MEASURES}

    def beyond_reference(self, name: str) -> float | None:
        """Subtract the reference's own score; None where one of the two is missing."""
        own, other = getattr(self, name), getattr(self.reference, name, None)
        return None if own is None or other is None else own - other


MEASURES: dict[str, Measure] = {
    one.name: Measure(one.name, **one.metadata) for one in fields(ClipReport) if "title" in one.metadata
}
"""All measures, in the order of tables."""
