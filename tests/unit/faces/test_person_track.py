"""One person is followed through a video, and known again after a cut."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sonic_core.errors import FaceNotFoundError
from sonic_core.faces.embedded import EmbeddedFinder
from sonic_core.faces.landmarks import face_region, read_both, read_mirrored, read_regions
from sonic_core.faces.person_track import PersonTracker
from sonic_core.media.pixels import as_bytes


def test_both_looks_at_once_are_the_mean_of_one_after_the_other(astronaut):
    pixels = as_bytes(astronaut)
    region = face_region(EmbeddedFinder().find(astronaut)[0].landmarks.points.astype(float))
    straight, mirrored, both = (
        read_regions(pixels, [region])[0],
        read_mirrored(pixels, region),
        read_both(pixels, region),
    )
    assert np.abs(both.points - (straight.points + mirrored.points) / 2).max() < 0.02
    assert both.presence == pytest.approx(min(straight.presence, mirrored.presence), abs=0.01)


def test_a_person_who_moves_is_followed_where_he_is(astronaut):
    tracker = PersonTracker()
    first = tracker.follow(astronaut)
    for step in range(1, 5):
        found = tracker.follow(torch.roll(astronaut, (3 * step, 2 * step), dims=(2, 1)))
        off = found.points[:, :2] - first.points[:, :2] - (3 * step, 2 * step)
        assert np.abs(off.mean(0)).max() < 0.5
        x, y = found.origin
        height, width = found.pixels.shape[:2]
        inside = found.points[:, :2] - (x, y)
        assert inside.min() >= 0 and (inside < (width, height)).all()


def test_after_a_cut_only_the_same_person_is_taken(astronaut):
    tracker = PersonTracker()
    tracker.follow(astronaut)
    tracker.forget()
    assert tracker.follow(astronaut.flip(0)) is None, "somebody of another colour"
    tracker.forget()
    darker = torch.roll(astronaut, (60, 40), dims=(2, 1)) * 0.8
    assert tracker.follow(darker) is not None, "the same in less light, elsewhere"


def test_who_was_never_seen_is_said(astronaut):
    tracker = PersonTracker(index=1)
    assert tracker.follow(astronaut) is None
    with pytest.raises(FaceNotFoundError, match=r"Expected face 1 in the video.*1 were told apart"):
        tracker.check()
