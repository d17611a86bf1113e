"""Read a face point by point: a mesh of 468 points in depth, the irises, and the person as a mask.

Source: the published graphs "face_landmark", "iris_landmark" and "selfie_segmentation".
"""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import FaceNotFoundError
from ..media.pixels import as_bytes
from ..types import Box, Landmarks
from .detector import MARGIN, Detection, detect_at
from .geometry import EYE_ENDS, LEFT_EYE_RINGS, NOSE_TIP, eye_distance, face_box, mirror_points
from .networks import FaceDetector, FaceMesh, IrisReader, PersonMask, load_network
from .regions import Matrix, Pixels, Region, as_input, as_points, back, cut

Points: TypeAlias = NDArray[np.float64]
"""(468, 3) points in the picture's pixels."""

EYE_MARGIN = 2.3
"""Side of the iris reader's square over an eye's width, as published."""
LID_WEIGHTS = (0.75, 0.5, 0.25)
"""What the iris reader's word counts beside the mesh's on a lid's rim and on the rings around it: it sees the rim in
more detail, and puts the inner corner of a far eye where it is."""
LID_DOUBT = 0.12
"""Mean distance of the two, in eye distances, from which the mesh is believed alone."""
LEAST_PRESENCE = 0.0
"""Logit below which the mesh sees no face."""
FOUND_PRESENCE, SURE_PRESENCE = 5.0, 10.0
"""Logit from which smaller faces are not looked for, and from which nothing better is. On 121 portraits it is 11 to 34,
on a dog 8, on masked faces 1 to 8."""
DOUBT, SPREAD = 8.0, 2.5
"""Logit that counts as a score of one half, and the width of the step there."""
ROUNDS = 6
"""Cuts made of one face at most."""
SETTLED = 0.01
"""Change of a cut, in shares of its side, at which it is left alone."""
BATCH = 8
"""Cuts that the mesh reads together."""
LOOKS = 40
"""Places of one size of a picture that the mesh looks into, the likeliest."""
FARTHEST = 0.5
"""Distance of a detection from the middle of the box that was asked for, in sides of the box, that is taken for it."""
AGREED = 0.03
"""Mean distance of the points of two readings, in sides of the cut, up to which they say the same."""
SAME_FACE = 0.4
"""Common share of the smaller of two boxes from which they are one face."""
CLOSE, WIDE, DEEPER = 64, (128, 256), 2
"""Longer sides in pixels at which a picture is looked through: for a face that fills it; always; the factor from there
on, until a face of 24 pixels has as many."""
CROWD = 1024
"""Longer side in pixels at which a picture of many is looked through last: a face of a fortieth of it is found."""


class Reading(NamedTuple):
    """What the mesh says about one cut."""

    points: Points
    presence: float
    """Logit of a face being there."""
    region: Region


def read_landmarks(image: torch.Tensor | Pixels, box: Box | None = None) -> Landmarks:
    """Read the face that fills a box, or the largest one.

    Args:
        image: (3, h, w) RGB in [0, 1], or (h, w, 3) RGB bytes.
        box: Roughly the face in the picture's pixels; a third larger, smaller or beside it is near enough.

    Returns:
        What fits best. Its ``score`` says whether it is a face at all.

    Raises:
        FaceNotFoundError: There is no face; only without a box.
    """
    pixels = _bytes(image)
    if box is not None:
        return complete(pixels, read_box(pixels, box))
    readings = find_readings(pixels)
    if not readings:
        height, width = pixels.shape[:2]
        raise FaceNotFoundError(f"No face was found in the {width}×{height} picture; use a larger, brighter picture.")
    return complete(pixels, max(readings, key=lambda one: float(np.prod(np.ptp(one.points[:, :2], axis=0)))))


def find_landmarks(image: torch.Tensor | Pixels, *, everybody: bool = False) -> list[Landmarks]:
    """Read all faces of a picture (3, h, w) or (h, w, 3), the surest first; ``everybody`` as of ``find_readings``."""
    pixels = _bytes(image)
    return [complete(pixels, reading) for reading in find_readings(pixels, everybody=everybody)]


def detect(image: torch.Tensor | Pixels) -> list[Detection]:
    """List boxes, six points and scores of the faces that the mesh confirms, the surest first."""
    found = []
    for landmarks in find_landmarks(image):
        points = landmarks.points[:, :2]
        eyes = [points[list(ends)].mean(0) for ends in EYE_ENDS]
        six = [*eyes, points[NOSE_TIP], points[[13, 14]].mean(0), points[234], points[454]]
        found.append(Detection(face_box(points), as_points(np.array(six)), landmarks.score))
    return found


def segment_person(image: torch.Tensor | Pixels) -> NDArray[np.float32]:
    """Return the share of a person in each pixel, (h, w) in [0, 1]."""
    pixels = _bytes(image)
    height, width = pixels.shape[:2]
    side = PersonMask.side
    kind = cv2.INTER_AREA if min(height, width) > side else cv2.INTER_LINEAR
    small = cv2.resize(pixels, (side, side), interpolation=kind)
    with torch.inference_mode():
        mask = load_network(PersonMask)(as_input([np.asarray(small, np.uint8)]))[0].numpy()
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR), np.float32).clip(0, 1)


def score_of(presence: float) -> float:
    """Turn the mesh's logit into a score in [0, 1]."""
    return 1 / (1 + math.exp(-(max(presence, -60.0) - DOUBT) / SPREAD))


def read_box(pixels: Pixels, box: Box) -> Reading:
    """Read the face that roughly fills a box: begin in several places, and take what most of them end at.

    The presence alone does not tell: where a mesh is pulled too far down a face, it may be the higher one.
    """
    left, top, right, bottom = box
    x, y, side = (left + right) / 2, (top + bottom) / 2, max(right - left, bottom - top)
    near = [found.region() for found in _detect_near(pixels, Region(x, y, 2 * side))]
    near = [one for one in near if math.hypot(one.x - x, one.y - y) < FARTHEST * side]
    starts = near[:1] + [Region(x, y, MARGIN * side * scale) for scale in (1.0, 0.72, 1.35)]
    best = _agreed(pixels, starts, bool(near))
    if best.presence < SURE_PRESENCE and not near:
        turned = [Region(x, y, MARGIN * side * scale, tilt) for tilt in (-35, 35) for scale in (1.0, 0.75)]
        turned += [Region(x, y, MARGIN * side, tilt) for tilt in (90, 180, 270)]
        best = max(best, _agreed(pixels, turned, False), key=lambda one: one.presence)
    return best


def _detect_near(pixels: Pixels, region: Region) -> list[Detection]:
    """List the detections in a part of the picture."""
    inside = cut(pixels, region, FaceDetector.side, cv2.BORDER_CONSTANT)
    scale, left, top = region.side / FaceDetector.side, region.x - region.side / 2, region.y - region.side / 2
    return [one.moved((left, top), scale) for one in detect_at(inside, FaceDetector.side)]


def _agreed(pixels: Pixels, starts: list[Region], seen: bool) -> Reading:
    """Refine several beginnings and return what most end at; the first counts twice where the detector saw it."""
    found: list[Reading] = []
    for start in starts:
        found.append(refine(pixels, read_regions(pixels, [start])[0]))
        if seen and len(found) > 1 and _same_place(found[0], found[-1]):
            return found[0]
    votes = [
        sum(1 + (seen and not number) for number, other in enumerate(found) if _same_place(one, other)) for one in found
    ]
    return max(zip(votes, found, strict=True), key=lambda pair: (pair[0], pair[1].presence))[1]


def _same_place(one: Reading, other: Reading) -> bool:
    """Say whether two readings put the points where they are."""
    apart = np.hypot(*(one.points[:, :2] - other.points[:, :2]).T).mean()
    return bool(apart < AGREED * min(one.region.side, other.region.side))


def find_readings(pixels: Pixels, *, everybody: bool = False) -> list[Reading]:
    """Find all faces of a picture and read each until its cut settles, the surest first.

    The picture is looked through at two sizes; turned, and as a picture of one face that fills it, where that shows no
    sure face; and at finer and finer sizes where there still is none.

    Args:
        pixels: The picture.
        everybody: Look at finer sizes, up to ``CROWD``, for those who stand further away than the others too.
    """
    longer = max(pixels.shape[:2])
    found = _look(pixels, [(size, 0) for size in WIDE])
    if not _sure(found):
        found = _apart([*found, *_look(pixels, [(CLOSE, 0)])])
    if not _sure(found):
        turned = [(size, quarters) for quarters in (1, 2, 3) for size in WIDE]
        found = _apart([*found, *_look(pixels, turned)])
    size = WIDE[-1]
    while not _sure(found, FOUND_PRESENCE) and size < longer:
        size = min(size * DEEPER, longer)
        found = _apart([*found, *_look(pixels, [(size, 0)])])
    while everybody and size < min(longer, CROWD):
        size = min(size * DEEPER, longer, CROWD)
        further = [reading for reading in _look(pixels, [(size, 0)]) if reading.presence >= SURE_PRESENCE]
        found += [one for one in further if all(_overlap(one, other) < SAME_FACE for other in found)]
    return found


def _sure(readings: list[Reading], presence: float = SURE_PRESENCE) -> bool:
    return any(reading.presence >= presence for reading in readings)


def _look(pixels: Pixels, ways: list[tuple[int, int]]) -> list[Reading]:
    """Read what the detector finds in the picture at some sizes and quarter turns."""
    found: list[Reading] = []
    for size, quarters in ways:
        starts = [one.region() for one in detect_at(pixels, size, quarters)[:LOOKS]]
        looks = [look for look in read_regions(pixels, starts) if look.presence >= LEAST_PRESENCE]
        known = [reading for reading in found if reading.presence >= SURE_PRESENCE]
        fresh = [look for look in _apart(looks) if all(_overlap(look, other) < SAME_FACE for other in known)]
        found += [refine(pixels, look) for look in fresh]
    return _apart([reading for reading in found if reading.presence >= LEAST_PRESENCE])


def _apart(readings: list[Reading]) -> list[Reading]:
    """Drop readings of a face that another one reads better."""
    kept: list[Reading] = []
    for reading in sorted(readings, key=lambda one: one.presence, reverse=True):
        if all(_overlap(reading, other) < SAME_FACE for other in kept):
            kept.append(reading)
    return kept


def _overlap(one: Reading, other: Reading) -> float:
    """Divide the common area of two faces by the smaller one."""
    first, second = np.array(face_box(one.points)), np.array(face_box(other.points))
    common = (np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])).clip(0).prod()
    smaller = min((box[2:] - box[:2]).prod() for box in (first, second))
    return float(common / max(smaller, 1e-9))


def read_regions(pixels: Pixels, regions: list[Region]) -> list[Reading]:
    """Let the mesh look into regions of a picture."""
    side, found = FaceMesh.side, []
    for first in range(0, len(regions), BATCH):
        some = regions[first : first + BATCH]
        with torch.inference_mode():
            points, presence = load_network(FaceMesh)(as_input([cut(pixels, region, side) for region in some]))
        for region, inside, logit in zip(some, points.double().numpy(), presence.tolist(), strict=True):
            places = back(inside[:, :2], region.matrix(side))
            depth = inside[:, 2] * region.side / side
            found.append(Reading(np.column_stack([places, depth]), logit, region))
    return found


def refine(pixels: Pixels, reading: Reading) -> Reading:
    """Cut again where the last reading says that the face is, until that is where it was read; look in a mirror too.

    The mean of both is more precise, and where the mesh sees a face in what is none, it rarely does so twice.
    """
    for _ in range(ROUNDS - 1):
        region = face_region(reading.points)
        before = reading.region
        moved = math.hypot(region.x - before.x, region.y - before.y) + abs(region.side - before.side)
        turned = abs(math.remainder(region.tilt - before.tilt, 360)) / 57.3
        if moved < SETTLED * region.side and turned < SETTLED:
            break
        reading = read_regions(pixels, [region])[0]
    other = read_mirrored(pixels, reading.region)
    return Reading((reading.points + other.points) / 2, (reading.presence + other.presence) / 2, reading.region)


def face_region(points: Points) -> Region:
    """Return the square in which the mesh looks for a face that was read before: its eyes lie level."""
    across = points[263, :2] - points[33, :2]
    angle = math.atan2(across[1], across[0])
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    upright = points[:, :2] @ turn
    low, high = upright.min(0), upright.max(0)
    x, y = turn @ ((low + high) / 2)
    return Region(float(x), float(y), MARGIN * float((high - low).max()), math.degrees(angle))


def read_eyes(pixels: Pixels, points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read the eyes of a mesh: (2, 71, 2) points of lids and brows, and (2, 5, 2) of the irises."""
    side, cuts, matrices = IrisReader.side, [], []
    for number, ends in enumerate(EYE_ENDS):
        (ax, ay), (bx, by) = points[list(ends), :2]
        width = math.hypot(bx - ax, by - ay)
        tilt = math.degrees(math.atan2(by - ay, bx - ax))
        region = Region((ax + bx) / 2, (ay + by) / 2, max(EYE_MARGIN * width, 1.0), tilt)
        inside, matrix = cut(pixels, region, side), region.matrix(side)
        if number == 1:
            inside, matrix = inside[:, ::-1], _mirrored(matrix, side)
        cuts.append(inside)
        matrices.append(matrix)
    with torch.inference_mode():
        lids, irises = load_network(IrisReader)(as_input(cuts))
    both = [
        np.stack([back(one, matrix) for one, matrix in zip(part[..., :2].double().numpy(), matrices, strict=True)])
        for part in (lids, irises)
    ]
    return both[0], both[1]


def complete(pixels: Pixels, reading: Reading) -> Landmarks:
    """Read the eyes of a face as well."""
    lids, irises = read_eyes(pixels, reading.points)
    points = _with_lids(reading.points, lids)
    return Landmarks(points.astype(np.float32), irises.astype(np.float32), score_of(reading.presence))


def read_mirrored(pixels: Pixels, region: Region) -> Reading:
    """Let the mesh look at a region in the mirror."""
    side, matrix = FaceMesh.side, _mirrored(region.matrix(FaceMesh.side), FaceMesh.side)
    with torch.inference_mode():
        points, presence = load_network(FaceMesh)(as_input([cut(pixels, region, side)[:, ::-1]]))
    inside = points[0].double().numpy()[mirror_points()]
    places = back(inside[:, :2], matrix)
    return Reading(np.column_stack([places, inside[:, 2] * region.side / side]), float(presence[0]), region)


def read_both(pixels: Pixels, region: Region) -> Reading:
    """Let the mesh look at a region and, together with that, at it in the mirror: the mean of both trembles less."""
    side, matrix = FaceMesh.side, region.matrix(FaceMesh.side)
    inside = cut(pixels, region, side)
    with torch.inference_mode():
        points, presence = load_network(FaceMesh)(as_input([inside, inside[:, ::-1]]))
    straight, other = points.double().numpy()
    other = other[mirror_points()]
    other[:, 0] = side - 1 - other[:, 0]
    mean = (straight + other) / 2
    places = back(mean[:, :2], matrix)
    return Reading(np.column_stack([places, mean[:, 2] * region.side / side]), float(presence.min()), region)


def _mirrored(matrix: Matrix, side: int) -> Matrix:
    """Return the map into the mirror image of a cut."""
    matrix = np.array([(-1.0,), (1.0,)]) * matrix
    matrix[0, 2] += side - 1
    return matrix


def _with_lids(points: Points, lids: NDArray[np.float64]) -> Points:
    """Move the points of the lids towards where the iris reader saw them."""
    points, unit = points.copy(), max(eye_distance(points), 1e-6)
    left = [list(ring) for ring in LEFT_EYE_RINGS]
    for eye, rings in zip(lids, (left, [mirror_points()[ring] for ring in left]), strict=True):
        ends = np.cumsum([0, *map(len, rings)])
        off = [eye[begin:end] - points[ring, :2] for ring, begin, end in zip(rings, ends, ends[1:], strict=False)]
        if np.hypot(*off[0].T).mean() > LID_DOUBT * unit:
            continue
        for ring, weight, change in zip(rings, LID_WEIGHTS, off, strict=True):
            points[ring, :2] += weight * change
    return points


def _bytes(image: torch.Tensor | Pixels) -> Pixels:
    return as_bytes(image) if isinstance(image, torch.Tensor) else np.ascontiguousarray(image)
