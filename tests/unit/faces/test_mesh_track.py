"""A face's mesh is read in every frame, and found again where it was lost."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sonic_core.faces.embedded import EmbeddedFinder
from sonic_core.faces.mesh_track import MeshTracker
from sonic_core.faces.track import PATIENCE


class CountingFinder(EmbeddedFinder):
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def find(self, image):
        self.asked += 1
        return super().find(image)


def test_a_face_that_moves_is_read_where_it_is_without_being_looked_for(astronaut):
    finder = CountingFinder()
    tracker = MeshTracker(finder)
    first = tracker.follow(astronaut)
    for step in range(1, 6):
        found = tracker.follow(torch.roll(astronaut, (3 * step, 2 * step), dims=(2, 1)))
        assert found is not None and found.score > 0.9
        off = found.points[:, :2] - first.points[:, :2] - (3 * step, 2 * step)
        assert np.abs(off).max() < 2.5
        assert np.abs(off.mean(0)).max() < 0.5
    assert finder.asked == 1


def test_a_face_that_is_gone_is_not_made_up_and_is_found_again(astronaut):
    finder = CountingFinder()
    tracker, grey = MeshTracker(finder), torch.full_like(astronaut, 0.5)
    assert tracker.follow(astronaut) is not None
    assert [tracker.follow(grey) for _ in range(PATIENCE[0])] == [None] * PATIENCE[0]
    assert finder.asked == 2, "it waits before it looks again"
    elsewhere = torch.roll(astronaut, (-60, 40), dims=(2, 1))
    found = [tracker.follow(elsewhere) for _ in range(3 * PATIENCE[0])]
    assert found[-1] is not None
    assert found[-1].points[1, 0] == pytest.approx(EmbeddedFinder().find(elsewhere)[0].landmarks.points[1, 0], abs=2)


def test_a_new_scene_is_looked_through_at_once(astronaut):
    finder = CountingFinder()
    tracker = MeshTracker(finder)
    tracker.follow(astronaut)
    tracker.forget()
    assert tracker.follow(torch.roll(astronaut, 120, dims=2)) is not None
    assert finder.asked == 2
