"""A mesh fills its cells linearly and covers its pixels once."""

import numpy as np
import pytest

from sonic_core.models.preview.mesh import Mesh

AREA = slice(10, 40), slice(7, 50)


@pytest.mark.parametrize("step", [1, 2, 4])
def test_what_is_linear_stays_so(step):
    mesh = Mesh(AREA, step)
    rows, columns = np.mgrid[mesh.knots].astype(np.float32)
    part = slice(0, mesh.shape[0]), slice(0, mesh.shape[1])
    assert rows.shape == mesh.shape
    filled = mesh.filled(np.stack([rows, columns], -1), part)
    want = np.mgrid[mesh.pixels(part)]
    assert np.allclose(filled, np.moveaxis(want, 0, -1), atol=1e-3)


@pytest.mark.parametrize("step", [2, 3, 4])
def test_parts_cover_every_pixel_once(step):
    mesh = Mesh(AREA, step)
    seen = np.zeros((60, 60), int)
    wide = slice(0, mesh.shape[1])
    for part in (slice(0, 3), slice(3, 4), slice(4, mesh.shape[0])):
        seen[mesh.pixels((part, wide))] += 1
    whole = np.zeros_like(seen)
    whole[mesh.area] = 1
    assert np.array_equal(seen, whole)


def test_the_last_row_and_column_are_knots():
    mesh = Mesh(AREA, 4)
    for outer, inner, asked in zip(mesh.area, mesh.knots, AREA, strict=True):
        assert (outer.stop - 1 - inner.start) % 4 == 0
        assert asked.stop - 4 < outer.stop <= asked.stop


def test_slots_do_not_overwrite_each_other():
    mesh = Mesh(AREA, 2)
    part = slice(0, mesh.shape[0]), slice(0, mesh.shape[1])
    one = mesh.filled(np.ones((*mesh.shape, 2), np.float32), part)
    two = mesh.filled(np.full((*mesh.shape, 2), 2, np.float32), part, 1)
    assert (one == 1).all() and (two == 2).all()
