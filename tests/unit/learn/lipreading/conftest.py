"""The synthesiser that teaches, where it is installed."""

import pytest

from sonic_core.errors import SonicError
from sonic_core.learn.lipreading.espeak import Synthesizer


@pytest.fixture(scope="module")
def synthesizer() -> Synthesizer:
    try:
        return Synthesizer()
    except SonicError as error:
        pytest.skip(str(error))
