"""On real people the mesh's lips are where another tracker has them."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from sonic_core.clip import open_clip
from sonic_core.evaluate.face import FaceRecorder
from sonic_core.evaluate.statistics import count_blinks
from sonic_core.faces.embedded import EmbeddedFinder
from sonic_core.faces.mesh_track import MeshTracker

VIDEOS = Path(__file__).resolve().parents[4] / "shared" / "media" / "video"
FRAMES = 150


@pytest.mark.media
@pytest.mark.skipif(not VIDEOS.is_dir(), reason=f"no talking videos at {VIDEOS}")
def test_lips_and_blinks_of_a_real_person_are_those_of_another_tracker():
    clip = open_clip(VIDEOS / "WDA_AOC_000.mp4")
    tracked = np.load(VIDEOS / "WDA_AOC_000.lips.npz")
    tracker, recorder = MeshTracker(EmbeddedFinder()), FaceRecorder(FRAMES)
    for frame in islice(clip.frames(), FRAMES):
        recorder.see(tracker.follow(frame))
    curves = recorder.curves()
    known = curves.seen & np.isfinite(tracked["aperture"][:FRAMES])
    assert known.mean() > 0.95
    assert np.corrcoef(curves.opening[known], tracked["aperture"][:FRAMES][known])[0, 1] > 0.8
    assert count_blinks(curves.lids) == count_blinks(tracked["eye_opening"][:FRAMES].astype(float)) >= 5
