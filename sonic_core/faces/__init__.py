"""Find the face that will speak, and cut it out."""

from .crop import crop_box, crop_portrait, face_mask
from .embedded import EmbeddedFinder
from .finder import AttendedFinder, RememberingFinder, choose_face, face_finder
from .insightface import InsightFaceFinder
from .overlay import drawn, searched
from .quality import quality_warnings
from .yoloface import YoloFaceFinder

__all__ = [
    "AttendedFinder",
    "EmbeddedFinder",
    "InsightFaceFinder",
    "RememberingFinder",
    "YoloFaceFinder",
    "choose_face",
    "crop_box",
    "crop_portrait",
    "drawn",
    "face_finder",
    "face_mask",
    "quality_warnings",
    "searched",
]
