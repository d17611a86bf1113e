"""Everything that decides what a set is made of, in one place; also read from a file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from ...errors import SettingsError
from ...faces.crop import MULTIPLE
from ...settings import RANGES
from .. import plans


@dataclass(frozen=True)
class DataPlan:
    """Everything that decides what a set is made of.

    The thresholds were set on four clips, a person filmed upright at 1080 × 1920, one at 512², two drawn, and on the
    same damaged: ``python benchmarks/data.py VIDEOS`` shows both.

    Raises:
        SettingsError: A value is not possible.
    """

    # what is cut out
    size: int = 512
    """Pixels of a clip's sides."""
    expand_ratio: float = 0.5
    """Share of the face's box that is kept on each side."""
    least_seconds: float = 3.0
    """Shortest clip; below three seconds nothing can be said of its sync."""
    most_seconds: float = 10.0
    """Longest clip; one square holds the face throughout."""
    crf: float = 16.0
    """Quality of the clips' H.264, 0 the best."""
    shard: int = 256
    """Megabytes of a shard at most; 0 writes none, and takes half the room."""

    # how it is looked at
    chapter: float = 300.0
    """Seconds of a video that are looked at and cut out before the next: memory is for as many, and whoever is stopped
    begins the last ones again."""

    # what is dropped
    least_fps: float = 20.0
    """Frames a second below which lips are not seen closing."""
    least_side: float = 0.5
    """Side of the square in the video, as a share of size."""
    most_outside: float = 0.05
    """Share of a clip's frames in which the face may leave its square."""
    most_faces: int = 1
    """Faces that may be seen together."""
    other_face: float = 0.4
    """Height of another face, in that of the largest, from which it counts."""
    most_yaw: float = 40.0
    """Degrees to either side that a head may be turned, nine frames in ten."""
    most_pitch: float = 30.0
    """Degrees up and down, likewise."""
    most_roll: float = 30.0
    """Degrees of tilt, likewise."""
    darkest: float = 0.13
    """Brightness of the skin, 0 to 1, below which a clip is too dark: the four have 0.60 to 0.82, with a seventh of the
    light 0.09 to 0.12."""
    brightest: float = 0.95
    """The same above which it is cut off: with 1.8 times the light they have 0.996 and more."""
    least_sharpness: float = 0.014
    """Detail around the eyes, as a share of the light there, below which a clip is blurred: the four have 0.027 to
    0.047, half as sharp 0.016 to 0.022, a fourth as sharp 0.009 to 0.012."""
    quietest: float = -55.0
    """Loudness in dB of full scale, root mean square, below which there is silence."""
    least_speech: float = 0.4
    """Share of a clip in which somebody speaks."""
    least_movement: float = 0.008
    """Deviation of the gap between the lips, in distances between the eyes, below which a mouth does not speak."""
    most_offset: float = 0.35
    """Seconds that a sound may be late or early: it is moved by them; more is rather another's sound."""
    least_agreement: float = 0.2
    """How far a clip must agree with its sound at the offset of all around it, in √s. Clips of 3 s and more have 0.17
    to 1.6; other people's sounds have 0 in the mean and more than 0.25 in one of twenty."""
    keep_unsure: bool = False
    """Keep what cannot be told to be in step, and what agrees too little, as it is."""

    def __post_init__(self) -> None:
        plans.check_limits(self, _LIMITS)
        if self.size % MULTIPLE:
            raise SettingsError(f"size must be a multiple of {MULTIPLE}, got {self.size}.")
        if self.most_seconds < self.least_seconds:
            raise SettingsError(
                f"most_seconds must be least_seconds, {self.least_seconds:g}, or more; got {self.most_seconds:g}."
            )

    def key(self) -> str:
        """Name the values on which clips depend."""
        values = {name: value for name, value in asdict(self).items() if name != "shard"}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


_LIMITS: plans.Limits = {
    "size": (64, 2048),
    "expand_ratio": (RANGES["expand_ratio"].least, RANGES["expand_ratio"].most),
    "least_seconds": (0.4, 60),
    "most_seconds": (0.4, 600),
    "crf": (0, 51),
    "shard": (0, 1 << 20),
    "chapter": (4, 3600),
    "least_fps": (1, 25),
    "least_side": (0, 10),
    "most_outside": (0, 1),
    "most_faces": (1, 1000),
    "other_face": (0, 1),
    "most_yaw": (0, 180),
    "most_pitch": (0, 180),
    "most_roll": (0, 180),
    "darkest": (0, 1),
    "brightest": (0, 1),
    "least_sharpness": (0, 1),
    "quietest": (-200, 0),
    "least_speech": (0, 1),
    "least_movement": (0, 1),
    "most_offset": (0, 0.4),
    "least_agreement": (-10, 10),
}
