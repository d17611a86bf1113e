"""Students beside the UNet: which is taken, and what its header says."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sonic_core.errors import CheckpointError
from sonic_core.weights.student import UNTOLD_STEPS, Student, find_student, read_student

WHOLE = {"conv_in.weight": torch.zeros(2, 2)}
LORA = {"conv_in.lora_A.weight": torch.zeros(1, 2), "conv_in.lora_B.weight": torch.zeros(2, 1)}


def written(path: Path, tensors: dict[str, torch.Tensor], **header: str) -> Path:
    save_file(tensors, path, header or None)
    return path


def test_the_whole_student_comes_before_a_lora_and_both_before_none(tmp_path):
    unet = tmp_path / "unet.pth"
    assert find_student(unet) is None
    lora = written(tmp_path / "student_lora.safetensors", LORA, steps="2")
    assert find_student(unet) == Student(lora, "lora", 2, distilled=False)
    whole = written(tmp_path / "unet_student.safetensors", WHOLE, steps="8", guidance="distilled")
    assert find_student(unet) == Student(whole, "unet", 8, distilled=True)


def test_the_kind_is_told_by_the_tensors(tmp_path):
    assert read_student(written(tmp_path / "unet_student.safetensors", LORA)).kind == "lora"


def test_a_header_tells_the_schedule(tmp_path):
    path = written(tmp_path / "a.safetensors", LORA, steps="3", schedule="700, 4.5,0.1")
    assert read_student(path).sigmas == (700.0, 4.5, 0.1)
    untold = read_student(written(tmp_path / "b.safetensors", LORA, schedule="700,0.5"))
    assert (untold.steps, untold.distilled) == (2, False)


def test_a_file_that_says_nothing_has_four_steps_and_its_guidance_outside(tmp_path):
    said = read_student(written(tmp_path / "a.safetensors", WHOLE))
    assert (said.steps, said.distilled, said.sigmas) == (UNTOLD_STEPS, False, ())
    torch.save(WHOLE, tmp_path / "a.pth")
    assert read_student(tmp_path / "a.pth").steps == UNTOLD_STEPS


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"steps": "few"}, "'few' steps"),
        ({"steps": "0"}, "'0' steps"),
        ({"steps": "³"}, "whole number"),
        ({"steps": "3", "schedule": "2,1"}, "'3' steps, with 2 noise levels"),
        ({"schedule": "1,2"}, "falling noise levels"),
        ({"schedule": "2,0"}, "falling noise levels"),
        ({"schedule": "karras"}, "falling noise levels"),
        ({"guidance": "some"}, "guidance 'some'"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(tmp_path, header, message):
    path = written(tmp_path / "a.safetensors", WHOLE, **header)
    with pytest.raises(CheckpointError, match=message):
        read_student(path)


def test_a_damaged_student_is_refused(tmp_path):
    (tmp_path / "student_lora.safetensors").write_bytes(b"<html>not found")
    with pytest.raises(CheckpointError, match="web page"):
        find_student(tmp_path / "unet.pth")
