"""Find the face that will speak, and cut it out."""

from .crop import crop_box, crop_portrait, face_mask
from .doubts import Doubts, examine
from .embedded import EmbeddedFinder
from .finder import AttendedFinder, RememberingFinder, choose_face, face_finder
from .geometry import HeadPose, head_pose
from .insightface import InsightFaceFinder
from .landmarks import read_landmarks, segment_person
from .overlay import draw_crop, draw_roles, draw_search
from .quality import quality_warnings
from .yoloface import YoloFaceFinder

__all__ = [
    "AttendedFinder",
    "Doubts",
    "EmbeddedFinder",
    "HeadPose",
    "InsightFaceFinder",
    "RememberingFinder",
    "YoloFaceFinder",
    "choose_face",
    "crop_box",
    "crop_portrait",
    "draw_crop",
    "draw_roles",
    "draw_search",
    "examine",
    "face_finder",
    "face_mask",
    "head_pose",
    "quality_warnings",
    "read_landmarks",
    "segment_person",
]
