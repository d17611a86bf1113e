"""A mesh fills its cells linearly and covers its pixels once."""

import numpy as np
import pytest

from sonic_core.models.preview.mesh import Mesh

AREA = slice(10, 40), slice(7, 50)


@pytest.mark.parametrize("step", [1, 3, 5])
def test_what_is_linear_stays_so(step):
    mesh = Mesh(AREA, step)
    rows, columns = np.mgrid[mesh.knots].astype(np.float32)
    part = slice(0, mesh.shape[0]), slice(0, mesh.shape[1])
    assert rows.shape == mesh.shape
    filled = mesh.filled(np.stack([rows, columns], -1), part)
    want = np.stack(
        [
            pixels.clip(knots.min(), knots.max())
            for pixels, knots in zip(np.mgrid[mesh.pixels(part)], (rows, columns), strict=True)
        ],
        -1,
    )
    assert np.allclose(filled, want, atol=1e-3)


@pytest.mark.parametrize("step", [1, 3, 5])
def test_a_part_is_filled_as_the_whole_is(step):
    mesh = Mesh(AREA, step)
    values = np.random.default_rng(0).random((*mesh.shape, 2)).astype(np.float32)
    whole = mesh.filled(values, (slice(0, mesh.shape[0]), slice(0, mesh.shape[1])))
    part = slice(1, 4), slice(2, 5)
    inside = tuple(slice(piece.start * step, piece.stop * step) for piece in part)
    assert np.allclose(mesh.filled(values, part, 1), whole[inside], atol=1e-6)


@pytest.mark.parametrize("step", [1, 3, 5])
def test_parts_cover_every_pixel_once(step):
    mesh = Mesh(AREA, step)
    seen = np.zeros((60, 60), int)
    wide = slice(0, mesh.shape[1])
    for part in (slice(0, 3), slice(3, 4), slice(4, mesh.shape[0])):
        seen[mesh.pixels((part, wide))] += 1
    whole = np.zeros_like(seen)
    whole[mesh.area] = 1
    assert np.array_equal(seen, whole)


def test_only_whole_cells_are_covered():
    mesh = Mesh(AREA, 5)
    for outer, inner, asked in zip(mesh.area, mesh.knots, AREA, strict=True):
        assert (outer.stop - outer.start) % 5 == 0
        assert inner.start == outer.start + 2
        assert asked.stop - 5 < outer.stop <= asked.stop


def test_slots_do_not_overwrite_each_other():
    mesh = Mesh(AREA, 3)
    part = slice(0, mesh.shape[0]), slice(0, mesh.shape[1])
    one = mesh.filled(np.ones((*mesh.shape, 2), np.float32), part)
    two = mesh.filled(np.full((*mesh.shape, 2), 2, np.float32), part, 1)
    assert (one == 1).all() and (two == 2).all()
