"""Lips are fitted on every picture, also where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from sonic_core.faces.fit import Frame
from sonic_core.faces.lips import USUAL, expected_lips, fit_lips
from sonic_core.faces.seam import ASTRAY, THICKEST, trace_seam


@pytest.mark.parametrize("picture", ["black", "white", "noise", "stripes"])
@pytest.mark.parametrize("middle", [(0.0, 1.05), (0.6, 1.6)])
def test_any_picture_gets_lips(picture, middle):
    pixels = np.zeros((240, 240, 3), np.uint8)
    if picture == "white":
        pixels += 255
    elif picture == "noise":
        pixels += np.random.default_rng(1).integers(0, 256, pixels.shape, np.uint8)
    elif picture == "stripes":
        pixels[::12] = 200, 60, 60
    frame = Frame(120.0, 90.0, 50.0, 10.0)
    lips = fit_lips(pixels, frame, expected_lips(np.array(middle)))
    edges = np.stack([lips.upper_outer, lips.upper_inner, lips.lower_inner, lips.lower_outer])
    assert lips.numbers.shape == USUAL.shape
    assert np.isfinite(edges).all()
    assert np.diff(edges, axis=0)[1:].min() > -1e-9
    seam = trace_seam(pixels, frame, lips)
    assert np.abs(seam.y - lips.upper_inner).max() <= ASTRAY + 1e-9
    assert 0 <= min(seam.above, seam.below) <= max(seam.above, seam.below) <= THICKEST + 0.01
