"""RGB to Y′CbCr 4:2:0 as video wants it, straight from float: BT.709, limited range, 8 bits.

Done here instead of in swscale because swscale's matrix and rounding differ between its code paths and versions, and
because going through 8-bit RGB first would round twice.

Source: ITU-R BT.709-6, items 3.2 to 3.5 (matrix, quantisation).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

BT709 = 1
"""The code of BT.709 for matrix, primaries and transfer (ITU-T H.273, tables 2 to 4)."""
LIMITED_RANGE = 1
"""FFmpeg's code for luma 16 to 235."""
FULL_RANGE = 2
"""FFmpeg's code for luma 0 to 255."""

_RED, _BLUE = 0.2126, 0.0722
_GREEN = 1 - _RED - _BLUE
_LUMA = torch.tensor([[_RED, _GREEN, _BLUE]]) * 219
_CHROMA = torch.tensor(
    [
        [-_RED / (2 - 2 * _BLUE), -_GREEN / (2 - 2 * _BLUE), 0.5],
        [0.5, -_GREEN / (2 - 2 * _RED), -_BLUE / (2 - 2 * _RED)],
    ]
)
_CHROMA = _CHROMA * 224

Bytes = npt.NDArray[np.uint8]


def yuv420(frame: torch.Tensor) -> Bytes:
    """Convert a frame to planar 4:2:0, each chroma sample the mean of its 2×2 pixels, in their centre.

    Args:
        frame: (3, h, w) RGB float in [0, 1], on any device; h and w even. What lies outside is clipped.

    Returns:
        (h · 3/2, w) uint8: luma, then Cb, then Cr, as ``av.VideoFrame.from_ndarray`` takes "yuv420p".
    """
    rgb = frame.detach().float().clamp(0, 1)
    _, height, width = rgb.shape
    quarter = torch.nn.functional.avg_pool2d(rgb[None], 2)[0].flatten(1)
    luma = torch.mm(_LUMA.to(rgb.device), rgb.flatten(1)).add_(16)
    chroma = torch.mm(_CHROMA.to(rgb.device), quarter).add_(128)
    planes = torch.cat((luma.flatten(), chroma.flatten())).round_().to(torch.uint8)
    return planes.reshape(height * 3 // 2, width).cpu().numpy()


def rgb24(frame: torch.Tensor) -> Bytes:
    """Convert a frame to 8-bit RGB.

    Args:
        frame: (3, h, w) RGB float in [0, 1], on any device. What lies outside is clipped.

    Returns:
        (h, w, 3) uint8, contiguous.
    """
    levels = (frame.detach().float() * 255).round_().clamp_(0, 255).to(torch.uint8)
    return levels.permute(1, 2, 0).contiguous().cpu().numpy()
