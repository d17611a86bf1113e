"""Pictures for the tests of the faces room."""

import numpy as np
import pytest
import torch


def as_picture(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).float() / 255


@pytest.fixture(scope="session")
def astronaut() -> torch.Tensor:
    """A photograph of 512 × 512 with a smiling face of about 100 pixels."""
    from skimage.data import astronaut

    return as_picture(astronaut())
