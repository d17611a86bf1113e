from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sonic_core import CheckpointError
from sonic_core.models.base.files import find_base
from sonic_core.weights import store
from sonic_core.weights.catalog import BASE_PARTS, STUDENT, size_in_words
from sonic_core.weights.search import SearchPath, folders, locate
from sonic_core.weights.store import find_part, has_parts


def laid(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"weights")
    return path


def test_the_order_is_given_then_home_then_the_hosts_then_the_rest(tmp_path, monkeypatch):
    given, home, host = tmp_path / "given", tmp_path / "sonic_home", tmp_path / "host"
    for folder in (given, home, host):
        laid(folder, "a.pt")
    monkeypatch.setenv("SONIC_HOME", str(home))
    given_too = SearchPath((given,), (host,))
    assert folders(given_too)[:3] == [given, home, host]
    assert folders(given)[:2] == folders(str(given))[:2] == folders([given])[:2] == [given, home]
    assert locate("a.pt", given_too) == given / "a.pt"
    assert locate("a.pt") == home / "a.pt"
    monkeypatch.delenv("SONIC_HOME")
    assert locate("a.pt", SearchPath(host=(tmp_path / "not there", host))) == host / "a.pt"


@pytest.mark.parametrize("nested", ["", "sonic", "Sonic"])
def test_both_published_layouts_are_found(tmp_path, nested):
    path = laid(tmp_path / "models" / nested, "yoloface_v5m.pt")
    assert locate("yoloface_v5m.pt", [tmp_path / "models"]) == path


def test_what_is_nowhere_is_none():
    assert locate("nothing.pt") is None


def test_a_folder_that_was_asked_for_must_exist(tmp_path):
    with pytest.raises(CheckpointError, match="no_such"):
        folders([tmp_path / "no_such"])


FLAT = ["unet.pth", "audio2token.pth", "audio2bucket.pth", "RIFE/flownet.pkl"]
WHISPER = ["whisper-tiny/config.json", "whisper-tiny/model.safetensors"]
SVD = "stable-video-diffusion-img2vid-xt"
DIFFUSERS = [
    f"{SVD}/{name}"
    for name in (
        "vae/config.json",
        "vae/diffusion_pytorch_model.fp16.safetensors",
        "image_encoder/config.json",
        "image_encoder/model.fp16.safetensors",
    )
]


def lay_host(models: Path) -> None:
    """The host's layout."""
    for name in [*FLAT, *WHISPER]:
        laid(models / "sonic", name)
    laid(models / "checkpoints", "svd_xt.safetensors")


def lay_command_line(checkpoints: Path) -> None:
    """The command line's layout."""
    for name in [*FLAT[:3]]:
        laid(checkpoints / "Sonic", name)
    for name in [FLAT[3], *WHISPER, *DIFFUSERS]:
        laid(checkpoints, name)


@pytest.mark.parametrize("given", ["", "sonic"])
def test_the_hosts_layout_is_found_from_either_folder(tmp_path, given):
    models = tmp_path / "models"
    lay_host(models)
    base = find_base([models / given])
    assert base.unet == models / "sonic" / "unet.pth"
    assert base.interpolator == models / "sonic" / "RIFE" / "flownet.pkl"
    assert base.whisper == models / "sonic" / "whisper-tiny"
    assert base.svd.name == "svd_xt.safetensors"
    assert base.svd.samefile(models / "checkpoints" / "svd_xt.safetensors")
    assert has_parts(BASE_PARTS, [models / given])


@pytest.mark.parametrize("given", ["", "checkpoints", "checkpoints/Sonic"])
def test_the_command_lines_layout_is_found_from_any_folder(tmp_path, given):
    lay_command_line(tmp_path / "checkpoints")
    base = find_base([tmp_path / given])
    assert base.unet == tmp_path / "checkpoints" / "Sonic" / "unet.pth"
    assert base.svd == tmp_path / "checkpoints" / SVD


def test_folders_of_the_host_and_of_the_place_are_enough(tmp_path):
    lay_host(tmp_path / "models")
    assert not has_parts(BASE_PARTS)
    models = tmp_path / "models"
    assert has_parts(BASE_PARTS, SearchPath(host=(models / "sonic", models / "checkpoints")))


def test_a_converted_file_goes_before_its_original(tmp_path):
    lay_command_line(tmp_path)
    assert find_base([tmp_path]).unet.name == "unet.pth"
    laid(tmp_path, "Sonic/unet.safetensors")
    assert find_base([tmp_path]).unet.name == "unet.safetensors"
    (tmp_path / "Sonic" / "unet.pth").unlink()
    assert find_base([tmp_path]).unet.name == "unet.safetensors"


def test_sizes_of_another_model_lie_beside_its_unet(tmp_path):
    lay_command_line(tmp_path)
    assert find_base([tmp_path]).sizes is None
    sizes = laid(tmp_path, "Sonic/sonic-base.json")
    assert find_base([tmp_path]).sizes == sizes


def test_what_quality_live_wants_is_found_but_never_missed(tmp_path):
    lay_command_line(tmp_path)
    base = find_base([tmp_path])
    assert (base.tiny_vae, base.student) == (None, None)
    laid(tmp_path, "Sonic/taesdv.pth")
    base = find_base([tmp_path])
    assert base.tiny_vae == tmp_path / "Sonic" / "taesdv.pth"
    tiny, lora = laid(tmp_path, "Sonic/taesdv.safetensors"), laid(tmp_path, "Sonic/student_lora.safetensors")
    base = find_base([tmp_path])
    assert (base.tiny_vae, base.student) == (tiny, lora)
    whole = laid(tmp_path, "Sonic/unet_student.safetensors")
    assert find_base([tmp_path]).student == whole


def test_a_student_belongs_to_the_unet_beside_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SONIC_HOME", str(tmp_path / "home"))
    lay_command_line(tmp_path / "weights")
    laid(tmp_path / "weights", "student_lora.safetensors")
    laid(tmp_path / "home", "student_lora.safetensors")
    assert find_base([tmp_path / "weights"]).student is None
    ((_, place),) = store.missing_files(STUDENT, [tmp_path / "weights"])
    assert place == tmp_path / "weights" / "Sonic" / "unet_student.safetensors"
    ((_, place),) = store.missing_files(STUDENT, [])
    assert place == tmp_path / "home" / "Sonic" / "unet_student.safetensors"


def test_everything_that_is_missing_is_listed(tmp_path, monkeypatch):
    monkeypatch.setenv("SONIC_HOME", str(tmp_path / "mine"))
    with pytest.raises(CheckpointError) as caught:
        find_base()
    lines = str(caught.value).splitlines()
    assert len([line for line in lines if line.startswith("- ")]) == 10
    (unet,) = [line for line in lines if "unet.pth" in line]
    for said in ("draws the frames", str(tmp_path / "mine" / "Sonic"), "huggingface.co/LeonJoe13/Sonic", "6.3 GB"):
        assert said in unet
    assert lines[-1].endswith("python -m sonic_core download sonic-base")


def test_places_are_named_in_order(tmp_path, monkeypatch):
    unet, vae = BASE_PARTS[0].files[0], BASE_PARTS[5].files[0]
    assert store.place_for(unet) == tmp_path / "home" / ".cache" / "sonic" / "Sonic" / "unet.pth"
    host = SearchPath(host=(tmp_path / "models" / "sonic", tmp_path / "models" / "checkpoints"))
    assert store.place_for(unet, host) == tmp_path / "models" / "sonic" / "unet.pth"
    assert store.place_for(vae, host) == tmp_path / "models" / "checkpoints" / SVD / "vae" / "config.json"
    monkeypatch.setenv("SONIC_HOME", str(tmp_path / "mine"))
    assert store.place_for(unet, host) == tmp_path / "mine" / "Sonic" / "unet.pth"
    assert store.place_for(unet, [tmp_path / "given"]) == tmp_path / "given" / "Sonic" / "unet.pth"


@pytest.mark.parametrize("gone", ["Sonic/audio2token.pth", *WHISPER, "RIFE/flownet.pkl", *DIFFUSERS])
def test_a_half_layout_lists_exactly_what_it_lacks(tmp_path, gone):
    lay_command_line(tmp_path)
    (tmp_path / gone).unlink()
    assert not has_parts(BASE_PARTS, [tmp_path])
    with pytest.raises(CheckpointError) as caught:
        find_base([tmp_path])
    listed = [line for line in str(caught.value).splitlines() if line.startswith("- ")]
    assert len(listed) == 1
    assert listed[0].startswith(f"- {Path(gone).name}, which ")
    assert str((tmp_path / gone).parent) in listed[0]


@pytest.mark.parametrize("name", ["Sonic/unet.pth", "whisper-tiny/model.safetensors", DIFFUSERS[1]])
def test_unfinished_and_empty_files_never_count(tmp_path, name):
    lay_command_line(tmp_path)
    path = tmp_path / name
    path.rename(path.with_name(path.name + ".1234.incomplete"))
    assert not has_parts(BASE_PARTS, [tmp_path])
    path.write_bytes(b"")
    assert not has_parts(BASE_PARTS, [tmp_path])


@pytest.mark.parametrize(
    ("usual", "other"),
    [
        ("whisper-tiny/model.safetensors", "whisper-tiny/pytorch_model.bin"),
        (DIFFUSERS[1], f"{SVD}/vae/diffusion_pytorch_model.safetensors"),
        (DIFFUSERS[3], f"{SVD}/image_encoder/model.safetensors"),
    ],
)
def test_other_names_do_as_well(tmp_path, usual, other):
    lay_command_line(tmp_path)
    (tmp_path / usual).rename(tmp_path / other)
    assert has_parts(BASE_PARTS, [tmp_path])


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("svd_xt_1_1.safetensors", True),
        ("svd_xt_fp16.safetensors", True),
        ("checkpoints/video/svd_xt.safetensors", True),
        ("svd.safetensors", True),
        ("checkpoints/video/svd.safetensors", True),
        ("svd_image_decoder.safetensors", False),
        ("svd_xt.ckpt", False),
        ("svd_xt.safetensors.incomplete", False),
        ("svd_xt_image_decoder.safetensors", False),
    ],
)
def test_single_svd_files(tmp_path, name, counts):
    lay_command_line(tmp_path)
    shutil.rmtree(tmp_path / SVD)
    laid(tmp_path, name)
    assert has_parts(BASE_PARTS, [tmp_path]) is counts


def test_the_longer_svd_is_taken_before_the_shorter(tmp_path):
    first, second = laid(tmp_path / "a", "svd.safetensors"), laid(tmp_path / "b", "svd_xt_1_1.safetensors")
    part = next(part for part in BASE_PARTS if part.name == "svd")
    assert store.find_part(part, [tmp_path / "a", tmp_path / "b"]) == second
    assert store.find_part(part, [tmp_path / "a"]) == first


@pytest.mark.parametrize("name", ["svd_xt.ckpt", "checkpoints/video/svd.pth"])
def test_svd_in_a_form_that_is_not_read_is_not_called_missing(tmp_path, name):
    lay_command_line(tmp_path)
    shutil.rmtree(tmp_path / SVD)
    path = laid(tmp_path, name)
    with pytest.raises(CheckpointError) as caught:
        find_base(SearchPath((tmp_path,), (path.parent,)))
    (line,) = [line for line in str(caught.value).splitlines() if str(path) in line]
    assert "is there, but is a pickle" in line
    assert f"take {path.stem}.safetensors from huggingface.co/stabilityai/stable-video-diffusion" in line
    with pytest.raises(CheckpointError, match=r"svd.*is a pickle.*of the part svd a \.safetensors file or .* folder\."):
        find_base([tmp_path, path])


def test_a_part_can_be_named(tmp_path):
    weights = tmp_path / "weights"
    lay_command_line(weights)
    own = laid(tmp_path, "elsewhere/my_svd.safetensors")
    assert find_base([weights, own]).svd == find_base([own, weights]).svd == own
    unet, tiny = laid(tmp_path, "elsewhere/unet.safetensors"), laid(tmp_path, "elsewhere/taesdv.pth")
    found = find_base([weights, unet, tiny])
    assert (found.unet, found.tiny_vae, found.svd) == (unet, tiny, weights / SVD)
    assert find_base(weights).tiny_vae is None
    whisper = tmp_path / "elsewhere" / "whisper-tiny"
    for name in WHISPER:
        laid(tmp_path / "elsewhere", name)
    assert find_base([weights, whisper]).whisper == whisper
    detector = laid(tmp_path, "elsewhere/yoloface_v5m.pt")
    assert locate("yoloface_v5m.pt", detector) == detector


def test_a_named_folder_is_stable_video_diffusion_when_it_holds_its_files(tmp_path):
    weights, renamed = tmp_path / "weights", tmp_path / "mine"
    lay_command_line(weights)
    (weights / SVD).rename(renamed)
    assert not has_parts(BASE_PARTS, weights)
    assert find_base([weights, renamed]).svd == renamed
    (renamed / "image_encoder/config.json").unlink()
    with pytest.raises(CheckpointError) as caught:
        find_base([weights, renamed])
    (line,) = [line for line in str(caught.value).splitlines() if line.startswith("- ")]
    assert line.startswith("- config.json, which ") and f"put it into {renamed / 'image_encoder'}, " in line


def test_a_part_can_be_named_by_its_place_below_the_folders(tmp_path):
    lay_command_line(tmp_path)
    other = laid(tmp_path, "checkpoints/other.safetensors")
    search = SearchPath.of(tmp_path)
    assert find_base(search.naming("other.safetensors")).svd == other
    assert find_base(search.naming(SVD)).svd == tmp_path / SVD
    with pytest.raises(CheckpointError, match=r"got nowhere, which is not there"):
        find_base(search.naming("nowhere"))


def test_a_file_that_is_no_part_is_refused(tmp_path):
    lay_command_line(tmp_path)
    with pytest.raises(CheckpointError, match=r"notes\.txt, named among the weights, is no part's file"):
        has_parts(BASE_PARTS, [tmp_path, laid(tmp_path, "notes.txt")])


def test_a_folder_that_does_not_exist_is_no_answer(tmp_path):
    with pytest.raises(CheckpointError, match="no_such"):
        has_parts(BASE_PARTS, [tmp_path / "no_such"])


@pytest.mark.parametrize(
    ("size", "words"), [(6_310_000_000, "6.3 GB"), (12_300_000, "12 MB"), (185_000, "185 kB"), (90, "90 bytes")]
)
def test_sizes_are_written_for_people(size, words):
    assert size_in_words(size) == words


def test_a_folder_that_is_named_is_whisper_by_its_name_alone(tmp_path):
    """Other networks have files of the same names."""
    whisper = next(part for part in BASE_PARTS if part.name == "whisper")
    for name, taken in (("another", False), ("whisper-tiny", True)):
        folder = tmp_path / name
        folder.mkdir()
        for file in whisper.files:
            (folder / file.path).write_bytes(b"x")
        assert find_part(whisper, [folder]) == (folder if taken else None)
