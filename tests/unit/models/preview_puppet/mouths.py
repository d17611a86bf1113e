"""Faces with a mouth for the puppet: the bundled photograph, which shows its teeth, and a drawn one with shut lips."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from sonic_core.faces.geometry import LIPS_LOWER_INNER, LIPS_LOWER_OUTER, LIPS_UPPER_INNER, LIPS_UPPER_OUTER
from sonic_core.models.preview.puppet.interior import Interior
from sonic_core.models.preview.puppet.lip_shapes import LipShapes
from sonic_core.models.preview.puppet.parting import find_parting
from sonic_core.types import Landmarks

HERE = Path(__file__).parent
ASSETS = HERE.parents[3] / "assets"
SKIN, LIP, SEAM = (0.85, 0.66, 0.56), (0.72, 0.40, 0.38), (0.30, 0.14, 0.13)


def photograph(size=512, *, grey=False):
    """The bundled portrait's face, (size, size, 3) in [0, 1], and its landmarks."""
    stored = np.load(HERE / "portrait_mesh.npz")
    left, top, right, bottom = stored["crop"]
    whole = cv2.imread(str(ASSETS / "portrait.png"))
    image = cv2.resize(whole[top:bottom, left:right], (size, size), interpolation=cv2.INTER_CUBIC)[..., ::-1]
    image = np.ascontiguousarray(image, np.float32) / 255
    if grey:
        image = np.repeat(image.mean(-1, keepdims=True), 3, -1)
    scale = size / 512
    return image, Landmarks(stored["points"], stored["irises"], 20.0).moved((0, 0), (scale, scale))


def paint_lips(image, points, inside=LIP):
    """Paint lips, and what is between them, into an image (h, w, 3) in place."""
    for upper, lower, colour in (
        (LIPS_UPPER_OUTER, LIPS_LOWER_OUTER, LIP),
        (LIPS_UPPER_INNER, LIPS_LOWER_INNER, inside),
    ):
        outline = np.concatenate((points[list(upper), :2], points[list(lower), :2][::-1]))
        cv2.fillPoly(image, [np.int32(np.round(outline * 16))], colour, cv2.LINE_AA, 4)


def drawn(size=512):
    """A flat face with shut lips and a dark seam, (size, size, 3), and its landmarks."""
    _, open_mouth = photograph(size)
    points = open_mouth.points.copy()
    lift = points[list(LIPS_LOWER_INNER), :2] - points[list(LIPS_UPPER_INNER), :2]
    points[list(LIPS_LOWER_INNER[1:-1]), :2] -= lift[1:-1]
    points[list(LIPS_LOWER_OUTER[1:-1]), :2] -= lift[1:-1]
    image = np.full((size, size, 3), SKIN, np.float32)
    paint_lips(image, points)
    seam = np.int32(np.round(points[list(LIPS_UPPER_INNER), :2] * 16))
    cv2.polylines(image, [seam], False, SEAM, max(1, round(size / 128)), cv2.LINE_AA, 4)
    return cv2.GaussianBlur(image, (0, 0), size / 512), Landmarks(points, open_mouth.irises, 20.0)


class Mouth:
    """A face that is drawn without moving its head."""

    def __init__(self, image, landmarks, count=65):
        self.image, self.landmarks = image, landmarks
        height, width = image.shape[:2]
        across, down = (np.linspace(0, size - 1, count, dtype=np.float32) for size in (width, height))
        self.nodes = np.stack(np.meshgrid(across, down), -1)
        self.shapes = LipShapes(landmarks, self.nodes, find_parting(image, landmarks))
        self.interior = Interior(image, landmarks, self.shapes)

    @staticmethod
    def project(points):
        """The head stands as in the portrait."""
        return np.asarray(points)[:, :2]

    def places(self, field):
        """Where each pixel of a frame that is drawn with one of the two fields comes from, (h, w, 2)."""
        step = self.nodes[0, 1, 0] - self.nodes[0, 0, 0]
        moved, source = np.ascontiguousarray(field[..., :2]), self.nodes.copy()
        for _ in range(6):
            x, y = (np.ascontiguousarray(source[..., axis] / step) for axis in (0, 1))
            source = self.nodes - cv2.remap(moved, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        height, width = self.image.shape[:2]
        x, y = np.meshgrid(np.arange(width, dtype=np.float32) / step, np.arange(height, dtype=np.float32) / step)
        return cv2.remap(source, x, y, cv2.INTER_LINEAR)

    def warp(self, field):
        """Draw the portrait with one of the two fields."""
        places = self.places(field)
        x, y = (np.ascontiguousarray(places[..., axis]) for axis in (0, 1))
        return cv2.remap(self.image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    def frame(self, pose):
        """Draw a frame, (h, w, 3)."""
        upper, below = self.shapes.displace(pose)
        window = self.interior.window(self.project, pose, *self.image.shape[:2])
        frame, lower = self.warp(upper), np.ascontiguousarray(self.warp(below)[window])
        self.interior.light_lip(lower, self.places(below)[window], pose)
        self.interior.light_corners(lower, self.places(below)[window], pose)
        self.interior.light_corners(frame, self.places(upper), pose)
        self.interior.paint(frame, lower, window, self.project, pose)
        return frame

    def inside(self, pose, shrink=0.12):
        """Mask the pixels well between the lips, (h, w)."""
        upper, lower = (line[:, :2] for line in self.shapes.lines(pose))
        gap = lower - upper
        outline = np.concatenate((upper + shrink * gap, (lower - shrink * gap)[::-1]))
        mask = np.zeros(self.image.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.int32(np.round(outline * 16))], 1, cv2.LINE_8, 4)
        return mask > 0
