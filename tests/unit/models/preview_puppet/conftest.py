"""A drawn mouth that is shut, and the bundled photograph's, which smiles."""

from __future__ import annotations

import pytest

from tests.unit.models.preview_puppet.mouths import Mouth, drawn, photograph


@pytest.fixture(scope="module", name="shut")
def shut_fixture():
    return Mouth(*drawn())


@pytest.fixture(scope="module", name="smiling")
def smiling_fixture():
    return Mouth(*photograph())
