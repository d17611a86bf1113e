"""What an installation weighs, and what of it nothing needs that runs."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest
from packaging.requirements import Requirement

from benchmarks.install import Package, added, brought, gather, read_requirements, weigh
from tests.nodes.conftest import ROOT

BROUGHT = (
    "numba llvmlite sklearn skimage onnx onnxruntime soundfile pooch joblib msgpack librosa insightface imageio"
    " tifffile importlib_metadata zipp narwhals lazy_loader decorator platformdirs threadpoolctl ml_dtypes"
    " flatbuffers cffi"
)
"""Modules that come with librosa, insightface and diffusers, these two and their finder's runtime included."""
LEAN = f"""
import sys
from importlib.machinery import PathFinder

class Lean(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {BROUGHT.split()} else super().find_spec(name, path, target)

    @classmethod
    def find_distributions(cls, *context):
        for found in super().find_distributions(*context):
            if found.metadata["Name"].replace("-", "_").lower() not in {BROUGHT.split()}:
                yield found

sys.meta_path[sys.meta_path.index(PathFinder)] = Lean
import warnings
import sonic_core as sonic
from sonic_core.models.base.networks import import_classes

import_classes()
warnings.simplefilter("ignore", sonic.SonicWarning)
speech, portrait = "assets/speech.wav", "assets/portrait.png"
made = sonic.load_model("sonic-preview").generate(speech, portrait, duration=0.2, min_resolution=128)
made.export(sys.argv[1])
print(sonic.face_finder("auto").name, sonic.open_clip(sys.argv[1]).length)
"""


def test_everything_but_one_finder_does_without_what_packages_bring_along(tmp_path):
    """So that ``pip install --no-deps`` will do; sonic-base's classes are imported too."""
    done = subprocess.run(
        [sys.executable, "-c", LEAN, str(tmp_path / "made.mp4")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["embedded", "5"], done.stderr


def test_a_finder_without_what_its_package_imports_is_not_taken(tmp_path):
    """Another pack may have brought the runtime; the detector alone makes no finder."""
    (tmp_path / "det_10g.onnx").touch()
    script = LEAN.partition("import warnings")[0].replace(" onnxruntime", "").replace("'onnxruntime', ", "")
    script = script.replace("'insightface', ", "")
    asked = "import sonic_core; print(sonic_core.face_finder('auto', sys.argv[1]).name)"
    done = subprocess.run(
        [sys.executable, "-c", script + asked, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["embedded"], done.stderr


def test_what_a_package_brings_along_is_found_with_who_asks_for_it():
    found = gather([Requirement("librosa")])
    assert found["librosa"] == "" and found["numba"] == "librosa" and found["llvmlite"] == "numba"
    assert "pytest" not in found
    with pytest.raises(PackageNotFoundError):
        gather([Requirement("no-such-package-of-anybody")])


def test_what_the_host_has_is_not_counted(tmp_path):
    listed = tmp_path / "requirements.txt"
    listed.write_text("# as a host has them\n\nnumpy>=1.25\nscipy  # and why\n", encoding="utf-8")
    host = read_requirements(listed)
    new = added(host, [Requirement("librosa>=0.10"), Requirement("numpy")])
    names = [one.name for one in new]
    assert "librosa" in names and not {"numpy", "scipy"} & set(names)
    assert [one.megabytes for one in new] == sorted((one.megabytes for one in new), reverse=True)
    assert sum(brought(new).values()) == pytest.approx(sum(one.megabytes for one in new))


def test_the_weight_is_that_of_the_files():
    from importlib.metadata import distribution

    sizes = [file.locate().stat().st_size for file in distribution("soxr").files if file.locate().is_file()]
    assert weigh("soxr") == pytest.approx(sum(sizes) / 1e6)
    assert weigh("soxr") > 0.1


def test_what_comes_through_another_is_counted_with_the_one_that_is_named():
    packages = [Package("a", "1", 1.0, ""), Package("b", "1", 2.0, "a"), Package("c", "1", 4.0, "b"),
                Package("d", "1", 8.0, "elsewhere")]  # fmt: skip
    assert brought(packages) == {"d": 8.0, "a": 7.0}
