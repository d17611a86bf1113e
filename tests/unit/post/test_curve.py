"""The drawn curve shows what was found, where it was found."""

from dataclasses import replace

import numpy as np
import pytest

from sonic_core.media.mixing import shift
from sonic_core.post.align import decide
from sonic_core.post.curve import SIZE, draw_curve
from sonic_core.speech import Speech
from sonic_core.sync.compare import compare
from sonic_core.sync.offset import FARTHEST

GREEN, ORANGE = (96, 214, 148), (240, 180, 84)


def dot(picture, colour):
    """Where, in seconds, the dot of that colour is below the headline; None without one."""
    pixels = (picture[:, 60:].permute(1, 2, 0).numpy() * 255).round()
    columns = np.nonzero(np.abs(pixels - colour).max(-1) < 3)[1]
    return None if len(columns) < 20 else (columns.mean() - 48) / (SIZE[1] - 68) * 2 * FARTHEST - FARTHEST


@pytest.mark.parametrize("late", [-0.1, 0.03, 0.2])
def test_the_dot_is_at_the_offset(talking, talking_mouth, late):
    found = compare(talking_mouth, Speech.of(shift(talking.audio, late)))
    picture = draw_curve(decide(found))
    assert picture.shape == (3, *SIZE) and picture.min() >= 0 and picture.max() <= 1
    assert dot(picture, GREEN) == pytest.approx(found.offset, abs=0.005)
    unsure = draw_curve(decide(replace(found, verdict="unsure")))
    assert dot(unsure, ORANGE) == pytest.approx(found.offset, abs=0.005)
    assert dot(unsure, GREEN) is None


def test_a_note_has_the_same_size():
    picture = draw_curve(None)
    assert picture.shape == (3, *SIZE)
    assert (picture[:, :50] != picture[:, -1:, :1]).any()
