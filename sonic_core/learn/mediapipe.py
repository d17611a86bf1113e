"""``python -m sonic_core learn landmarks FOLDER [PICTURE ...]``: MediaPipe's networks become the package's weights.

FOLDER is an unpacked wheel of mediapipe 0.10.21 (its folder ``mediapipe/modules``). The packages tflite and flatbuffers
read its files. Keras numbered the layers of each kind in the order in which they were made, which is the order in which
``faces.networks`` makes them; shapes are checked one by one. Of pictures, of which there should be dozens, the average
face is measured anew, and which points a mirror exchanges.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from scipy.optimize import linear_sum_assignment
from torch import nn

from ..errors import CheckpointError, SettingsError, SonicError
from ..faces.geometry import CHIN, EYE_ENDS, FOREHEAD_TOP, align
from ..faces.landmarks import find_readings
from ..faces.networks import NETWORKS, WEIGHTS
from ..media.image import read_image
from ..media.pixels import as_bytes

FILES = {
    "detector": "face_detection/face_detection_short_range.tflite",
    "mesh": "face_landmark/face_landmark.tflite",
    "iris": "iris_landmark/iris_landmark.tflite",
    "person": "selfie_segmentation/selfie_segmentation.tflite",
}
"""Where each network's file lies."""
NOTES = {
    "source": "MediaPipe 0.10.21, https://github.com/google-ai-edge/mediapipe",
    "license": "Apache-2.0",
    "changes": "from TFLite to safetensors in half precision, layers renamed",
}
HEADS = ("conv2d", "classificator", "regressor", "conv_eyes_contours_and_brows", "conv_iris")
"""Names of plain convolutions, in the order in which a network makes them."""
MOST_CROOKED = 0.1
"""Distance, in eye distances, of an average face's points from their mirror images; of 98 faces it is 0.02."""
TYPES = {0: np.float32, 1: np.float16}
Tensors = dict[str, NDArray[np.floating]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert all networks; the status is 0, or 2 with one sentence on what is missing."""
    parser = argparse.ArgumentParser(prog="python -m sonic_core learn landmarks", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="mediapipe/modules of an unpacked wheel")
    parser.add_argument("pictures", type=Path, nargs="*", metavar="PICTURE", help="measure the average face anew")
    options = parser.parse_args(arguments)
    try:
        convert(options.folder, WEIGHTS)
        if options.pictures:
            pictures = [as_bytes(read_image(path)) for path in options.pictures]
            faces = [reading.points for picture in pictures for reading in find_readings(picture)[:1]]
            _write({**_tables(WEIGHTS, "networks"), **measure_shape(faces)}, WEIGHTS)
    except SonicError as error:
        sys.stderr.write(f"sonic: {error}\n")
        return 2
    return 0


def convert(folder: Path, target: Path) -> None:
    """Write the weights of all networks into one file, in half precision.

    Raises:
        CheckpointError: A file is missing or holds another network, or the package that reads it is missing.
    """
    weights = _tables(target, "shape")
    for name, kind in NETWORKS.items():
        network = kind()
        fill(network, read_tensors(folder / FILES[name]))
        weights |= {f"{name}.{key}": value.half().contiguous() for key, value in network.state_dict().items()}
    _write(weights, target)


def _tables(path: Path, kind: str) -> dict[str, torch.Tensor]:
    """Return what a file of weights holds of the "shape" of faces, or of the "networks"."""
    tables = load_file(path) if path.is_file() else {}
    return {key: value for key, value in tables.items() if key.startswith("shape.") == (kind == "shape")}


def _write(tables: dict[str, torch.Tensor], path: Path) -> None:
    save_file(tables, path, metadata=NOTES)
    path.chmod(0o644)


def measure_shape(faces: Sequence[NDArray[np.floating]]) -> dict[str, torch.Tensor]:
    """Compute the average of faces (468, 3), and for each point the one that a mirror exchanges it with.

    Returns:
        "shape.average": (468, 3), symmetric, with the mean nod of the faces; the middle of the eyes is the origin,
            their distance the unit.
        "shape.mirror": (468,).
    """
    shape, every = _upright(np.asarray(faces[0], np.float64)), range(len(faces[0]))
    for _ in range(10):
        shape = _upright(np.mean([align(face, every, shape).unplace(face) for face in faces], 0))
    turned = shape * (-1, 1, 1)
    _, mirror = linear_sum_assignment(((turned[:, None] - shape[None]) ** 2).sum(2))
    if np.abs(turned - shape[mirror]).max() > MOST_CROOKED:
        raise SettingsError(f"Expected dozens of different faces, got {len(faces)} that are not symmetric enough.")
    shape = _upright((shape + turned[mirror]) / 2)
    _, down, ahead = np.mean([align(face, every, shape).turn[:, 2] for face in faces], 0)
    nod = math.atan2(down, ahead)
    cosine, sine = math.cos(nod), math.sin(nod)
    shape = shape @ np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    return {"shape.average": torch.from_numpy(shape).half(), "shape.mirror": torch.from_numpy(mirror.astype(np.int16))}


def _upright(shape: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn a face so that its eyes lie level and forehead and chin are equally near; scale it to its eye distance."""
    eyes = [shape[list(ends)].mean(0) for ends in EYE_ENDS]
    across, down = eyes[1] - eyes[0], shape[CHIN] - shape[FOREHEAD_TOP]
    unit = float(np.linalg.norm(across))
    across = across / unit
    down = down - across * (down @ across)
    down /= np.linalg.norm(down)
    return (shape - (eyes[0] + eyes[1]) / 2) @ np.stack([across, down, np.cross(across, down)]).T / unit


def read_tensors(path: Path) -> Tensors:
    """Read the constant tensors of a TFLite file by name.

    Raises:
        CheckpointError: The file is missing, or the package tflite is.
    """
    try:
        tflite: Any = import_module("tflite")  # only this needs it
    except ImportError as error:
        raise CheckpointError("Reading TFLite files needs the package tflite: pip install tflite.") from error
    if not path.is_file():
        raise CheckpointError(f"{path} was not found; give the folder mediapipe/modules of an unpacked wheel.")
    model = tflite.Model.GetRootAsModel(path.read_bytes(), 0)
    graph = model.Subgraphs(0)
    found: Tensors = {}
    for number in range(graph.TensorsLength()):
        tensor = graph.Tensors(number)
        data = model.Buffers(tensor.Buffer())
        if data.DataLength() and tensor.Type() in TYPES:
            values = data.DataAsNumpy().view(TYPES[tensor.Type()]).reshape(tensor.ShapeAsNumpy())
            found[tensor.Name().decode()] = values.astype(np.float32)
    return found


def fill(network: nn.Module, tensors: Tensors) -> None:
    """Put a file's tensors into the layers of a network.

    Raises:
        CheckpointError: Their numbers or shapes differ.
    """
    for kind, names in (("dense", HEADS), ("depthwise", ("depthwise_conv2d",)), ("slope", ("p_re_lu",))):
        _fill_kind(network, kind, tensors, names)
    for layer in network.modules():
        if isinstance(layer, nn.ConvTranspose2d):
            _put(layer.weight, tensors["segment/Kernel"].transpose(3, 0, 1, 2))
            _put(layer.bias, tensors["segment/Bias"])


def _fill_kind(network: nn.Module, kind: str, tensors: Tensors, names: Sequence[str]) -> None:
    layers = [layer for layer in network.modules() if _kind(layer) == kind]
    stems = {name.rsplit("/", 1)[0] for name in tensors}
    ranked = sorted((names.index(word), number, stem) for stem in stems for word, number in _parts(stem, names))
    if len(ranked) != len(layers):
        raise CheckpointError(f"Expected {len(layers)} {kind} layers in the file, found {len(ranked)}.")
    for layer, (_, _, stem) in zip(layers, ranked, strict=True):
        if isinstance(layer, nn.PReLU):
            _put(layer.weight, tensors[f"{stem}/Alpha"].reshape(-1))
        elif isinstance(layer, nn.Conv2d):
            order = (3, 0, 1, 2) if kind == "depthwise" else (0, 3, 1, 2)
            _put(layer.weight, tensors[f"{stem}/Kernel"].transpose(order))
            _put(layer.bias, tensors[f"{stem}/Bias"])


def _kind(layer: nn.Module) -> str:
    if isinstance(layer, nn.PReLU):
        return "slope"
    if isinstance(layer, nn.Conv2d):
        return "depthwise" if layer.groups > 1 else "dense"
    return ""


def _parts(stem: str, names: Sequence[str]) -> list[tuple[str, int]]:
    """Split "conv2d_7" into ("conv2d", 7) where the word is one of ``names``."""
    match = re.fullmatch(r"(.+?)(?:_(\d+))?", stem)
    return [(match[1], int(match[2] or 0))] if match and match[1] in names else []


def _put(parameter: torch.Tensor | None, values: NDArray[np.floating]) -> None:
    if parameter is None or tuple(parameter.shape) != values.shape:
        shape = None if parameter is None else tuple(parameter.shape)
        raise CheckpointError(f"Expected a tensor of shape {shape}, found {values.shape}.")
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.ascontiguousarray(values)))
