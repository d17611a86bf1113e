"""The detectors that need files, run on files made here."""

import warnings

import numpy as np
import pytest
import torch

from sonic_core.errors import CheckpointError
from sonic_core.faces import InsightFaceFinder, YoloFaceFinder, face_finder
from sonic_core.faces.insightface import locate_pack
from sonic_core.faces.yoloface import cell_grids, detector_size, keep_rows, locate_yoloface


class TinyYolo(torch.nn.Module):
    """Answers four rows in the published layout: a face, its double, a doubtful one, and a small face."""

    def forward(self, image: torch.Tensor, grids: list[torch.Tensor]) -> torch.Tensor:
        rows = torch.zeros(1, 4, 16)
        across, down = float(image.shape[3]), float(image.shape[2])
        rows[0, 0, :5] = torch.tensor([across / 2, down / 2, across / 4, down / 4, 0.95])
        rows[0, 1, :5] = torch.tensor([across / 2 + 4, down / 2, across / 4, down / 4, 0.8])
        rows[0, 2, :5] = torch.tensor([across / 8, down / 8, across / 8, down / 8, 0.6])
        rows[0, 3, :5] = torch.tensor([across * 7 / 8, down / 8, across / 10, down / 10, 0.9])
        rows[0, :, 15] = torch.tensor([0.98, 0.98, 0.7, 0.9])
        for number in range(4):
            for point in range(5):
                rows[0, number, 5 + 2 * point] = rows[0, number, 0] + point
                rows[0, number, 6 + 2 * point] = rows[0, number, 1] - point
        assert len(grids) == 3
        assert grids[0].shape[2] * 8 == image.shape[2] and grids[2].shape[3] * 32 == image.shape[3]
        return rows


@pytest.fixture
def yolo_file(tmp_path):
    path = tmp_path / "yoloface_v5m.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(TinyYolo()).save(str(path))
    return path


def test_yoloface_decodes_scales_back_and_suppresses(yolo_file):
    faces = YoloFaceFinder(yolo_file).find(torch.rand(3, 200, 180))
    assert len(faces) == 2
    assert faces[0].box == pytest.approx((67.5, 75, 112.5, 125))
    assert faces[0].score == pytest.approx(0.95 * 0.98)
    high, wide = detector_size((200, 180))
    assert faces[0].points[1] == pytest.approx(((wide / 2 + 1) * 180 / wide, (high / 2 - 1) * 200 / high))
    assert faces[0].area > faces[1].area


def test_yoloface_is_chosen_when_its_file_is_there(yolo_file, monkeypatch):
    monkeypatch.setenv("HOME", str(yolo_file.parent / "home"))
    monkeypatch.chdir(yolo_file.parent)
    assert locate_yoloface([yolo_file.parent]) == yolo_file
    assert face_finder("auto", [yolo_file.parent]).name == "yoloface"
    assert face_finder("yoloface", [yolo_file.parent]).name == "yoloface"


@pytest.mark.parametrize("folder", ["checkpoints", "models", "models/sonic", "checkpoints/Sonic"])
def test_code_in_the_folder_one_works_in_is_not_run(yolo_file, tmp_path, monkeypatch, folder):
    place = tmp_path / "somebody's" / folder
    place.mkdir(parents=True)
    yolo_file.rename(place / yolo_file.name)
    monkeypatch.chdir(tmp_path / "somebody's")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SONIC_HOME", raising=False)
    assert face_finder("auto").name == "embedded"
    with pytest.raises(CheckpointError, match="was not found"):
        face_finder("yoloface")
    assert face_finder("auto", folder).name == "yoloface"  # now it was named


def test_detector_size_and_grids():
    assert detector_size((416, 416)) == (416, 416)
    assert detector_size((1080, 1920)) == (416, 768)
    grids = cell_grids((64, 96))
    assert [tuple(grid.shape) for grid in grids] == [(1, 1, 8, 12, 2), (1, 1, 4, 6, 2), (1, 1, 2, 3, 2)]
    assert grids[0][0, 0, 3, 5].tolist() == [5, 3]


def test_no_rows_are_no_faces():
    assert keep_rows(np.zeros((0, 16))).shape == (0, 16)


def test_missing_and_damaged_files_are_said_plainly(tmp_path):
    damaged = tmp_path / "yoloface_v5m.pt"
    damaged.write_bytes(b"not a network")
    with pytest.raises(CheckpointError, match="not a TorchScript"):
        YoloFaceFinder(damaged)
    with pytest.raises(CheckpointError, match="was not found"):
        YoloFaceFinder(None)
    with pytest.raises(CheckpointError, match="No InsightFace detector"):
        InsightFaceFinder(None)


def test_packs_are_located_in_every_layout(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    assert locate_pack([tmp_path / "weights"]) is None
    for folder in (
        "home/.insightface/models/buffalo_s",
        "weights/insightface/models/own",
        "weights/insightface/models/buffalo_l",
    ):
        path = tmp_path / folder / "det_10g.onnx"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
        found = locate_pack([tmp_path / "weights"])
        assert found == path


def _detector_file(path) -> None:
    """Write a detector of SCRFD's interface that sees one face in the cell at (5, 4) of stride 32."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    side, nodes, outputs, constants = 640, [], [], []
    counts = {stride: 2 * (side // stride) ** 2 for stride in (8, 16, 32)}
    for kind, width in (("score", 1), ("box", 4), ("points", 10)):
        for stride, count in counts.items():
            values = np.zeros((count, width), np.float32)
            if stride == 32:
                at = 2 * (4 * (side // 32) + 5)
                values[at] = {"score": [0.9], "box": [2, 1, 2, 3], "points": [-1, 0, 1, 0, 0, 1, -1, 2, 1, 2]}[kind]
            name = f"{kind}{stride}"
            constants.append(numpy_helper.from_array(values, name + "_values"))
            nodes.append(helper.make_node("Add", [name + "_values", "nothing"], [name]))
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [count, width]))
    constants.append(numpy_helper.from_array(np.zeros((), np.float32), "zero"))
    nodes.insert(0, helper.make_node("ReduceMean", ["input"], ["mean"], keepdims=0))
    nodes.insert(1, helper.make_node("Mul", ["mean", "zero"], ["nothing"]))
    shape = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, side, side])
    graph = helper.make_graph(nodes, "detector", [shape], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(path))


@pytest.mark.filterwarnings("ignore")
def test_insightface_finds_with_its_own_class_and_never_downloads(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    pack = tmp_path / "insightface" / "models" / "buffalo_l"
    pack.mkdir(parents=True)
    _detector_file(pack / "det_10g.onnx")
    finder = face_finder("auto", [tmp_path])
    assert finder.name == "insightface"
    faces = finder.find(torch.rand(3, 320, 320))
    assert len(faces) == 1
    assert faces[0].box == pytest.approx((48, 48, 112, 112), abs=1)
    assert faces[0].points[0] == pytest.approx((64, 64), abs=1)
    assert faces[0].points[4] == pytest.approx((96, 96), abs=1)
    assert not (tmp_path / "home").exists()
    (pack / "det_10g.onnx").write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="cannot be read"):
        face_finder("insightface", [tmp_path])
