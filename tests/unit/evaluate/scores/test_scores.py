"""Measures with networks of others: found where weights are, said where they are not, strict about their files."""

from __future__ import annotations

import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from sonic_core import CheckpointError, Clip, InputError, evaluate_clip
from sonic_core.evaluate.figures import describe_reports, list_figures
from sonic_core.evaluate.page import page
from sonic_core.evaluate.portrait import Still
from sonic_core.evaluate.scores.embedding import PLACES, EmbeddingScorer, similarity
from sonic_core.evaluate.scores.finding import MEASURED, PARTS, SCORED, UNASKED, find_scores
from sonic_core.evaluate.scores.frechet import FeatureStatistics, frechet_distance
from sonic_core.evaluate.scores.inception import Inception
from sonic_core.evaluate.scores.perceptual import AlexNet, PerceptualScorer
from sonic_core.evaluate.scores.sets import FrameFeatures, compare_sets
from sonic_core.learn.perceptual import convert_perceptual
from sonic_core.media.image import read_image
from sonic_core.media.pixels import as_bytes
from sonic_core.types import ignore_progress
from sonic_core.weights.download import fetch, plan_download
from sonic_core.weights.store import find_part

ASSETS = Path(__file__).resolve().parents[4] / "assets"
CPU = torch.device("cpu")
SIDE = 128


@pytest.fixture(scope="module")
def pictures():
    """Forty pictures of the portrait, a little brighter from one to the next."""
    image = torch.nn.functional.interpolate(read_image(ASSETS / "portrait.png")[None], (SIDE, SIDE), mode="area")[0]
    return [(image * (0.8 + 0.005 * number)).clamp(0, 1) for number in range(40)]


def clip_of(pictures):
    height, width = pictures[0].shape[1:]
    return Clip(
        read=lambda: (one[None] for one in pictures),
        length=len(pictures),
        fps=Fraction(25),
        size=(height, width),
        audio=None,
    )


def test_what_is_not_here_says_how_it_comes(empty_place, pictures):
    found = find_scores(wanted=None)
    assert not found.scorers and not found.features
    assert set(found.missing) == {name for names in MEASURED.values() for name in names}
    report = evaluate_clip(clip_of(pictures[:3]))
    told = describe_reports([report])
    assert "– Sync-C, Sync-D: the weights are not here (python -m sonic_core download syncnet)." in told.splitlines()
    assert report.missing["lpips"] == "the weights are not here (python -m sonic_core download lpips)"
    with pytest.raises(
        CheckpointError, match=r"^syncnet cannot score: the weights are not here \(python -m sonic_core download sync"
    ):
        find_scores(wanted=["syncnet"])
    with pytest.raises(InputError, match="Expected scores among syncnet, lpips, csim, fid, fvd, got 'sync'"):
        find_scores(wanted=["sync"])


def test_only_what_is_asked_for_is_loaded(empty_place, score_files):
    found = find_scores(score_files, ["lpips"])
    assert len(found.scorers) == 1 and not found.features
    assert found.missing["sync_c"] == found.missing["fvd"] == UNASKED


@pytest.mark.parametrize("name", ["syncnet", "lpips", "fid", "fvd", "csim"])
@pytest.mark.parametrize("damage", ["cut", "page", "text", "another"])
def test_a_damaged_file_is_one_sentence_and_costs_only_its_own_measure(
    empty_place, score_files, tmp_path, name, damage
):
    file = "w600k_r50.onnx" if name == "csim" else PARTS[name].files[0].at
    whole = (score_files / ("syncnet_v2.model" if name == "fid" else file)).read_bytes()
    other = (score_files / ("syncnet_v2.model" if name == "lpips" else "alexnet-owt-7be5be79.pth")).read_bytes()
    content = {"cut": whole[:3000], "page": b"<!doctype html>", "text": b"x" * 9000, "another": other}[damage]
    (tmp_path / file).write_bytes(content)
    shutil.copyfile(
        score_files / "alexnet-owt-7be5be79.pth", tmp_path / "alexnet-owt-7be5be79.pth"
    ) if name != "lpips" else None
    found = find_scores(tmp_path)
    why = found.missing[MEASURED[name][0]]
    assert str(tmp_path / file) in why and why.endswith(".") and "\n" not in why
    assert len(found.scorers) == (name != "lpips"), "the others are measured"
    with pytest.raises(CheckpointError, match=rf"^{name} cannot score: "):
        find_scores(tmp_path, [name])


def test_a_pickle_with_code_is_not_run(empty_place, tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"features.0.weight": Trap()}, tmp_path / "alexnet-owt-7be5be79.pth")
    assert "it was not opened" in find_scores(tmp_path).missing["lpips"]
    assert not (tmp_path / "sprung").exists()


def test_code_is_not_taken_from_the_folder_one_works_in(empty_place, score_files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(score_files, tmp_path / "models")
    found = find_scores()
    assert len(found.scorers) == 3 and "fvd" not in found.features
    assert "fvd" in find_scores(tmp_path / "models").features


def test_a_file_with_counters_of_batches_is_the_same(empty_place, score_files, tmp_path):
    tensors = torch.load(score_files / "syncnet_v2.model", weights_only=True)
    assert any(name.endswith("num_batches_tracked") for name in tensors)
    fewer = {name: value for name, value in tensors.items() if not name.endswith("num_batches_tracked")}
    torch.save(fewer, tmp_path / "syncnet_v2.model")
    assert len(find_scores(tmp_path, ["syncnet"]).scorers) == 1


@pytest.fixture(scope="module")
def perceptual(score_files):
    return PerceptualScorer.load(score_files / "alexnet-owt-7be5be79.pth", CPU)


def test_the_same_picture_is_no_distance_and_damage_ranks(perceptual, pictures):
    picture = as_bytes(pictures[20])
    noise = np.random.default_rng(0).normal(0, 1, picture.shape)
    apart = [
        perceptual.distance(picture, (picture + strength * noise).clip(0, 255).astype(np.uint8))
        for strength in (0, 4, 12, 40)
    ]
    assert apart[0] == 0 and apart == sorted(set(apart))


def test_lpips_is_as_in_the_package_it_comes_from(perceptual):
    """The distance, written down once more from the paper, over layers of the same network."""
    stream = np.random.default_rng(4)
    one, other = (stream.integers(0, 256, (80, 96, 3), dtype=np.uint8) for _ in range(2))
    taken, wanted = [], 0.0
    hooks = [
        perceptual.network.features[number].register_forward_hook(lambda _, __, seen: taken.append(seen))
        for number in (1, 4, 7, 9, 11)
    ]
    found = perceptual.distance(one, other)
    for hook in hooks:
        hook.remove()
    for seen, counts in zip(taken, perceptual._counts, strict=True):
        unit = torch.nn.functional.normalize(seen.double(), dim=1)
        wanted += float((counts.double() * (unit[0] - unit[1]) ** 2).sum(0).mean())
    assert found == pytest.approx(wanted, rel=1e-4)


def test_the_layers_weights_are_those_of_a_file_of_lpips(tmp_path):
    widths = [64, 192, 384, 256, 256]
    layers = {f"lin{number}.model.1.weight": torch.rand(1, width, 1, 1) for number, width in enumerate(widths)}
    torch.save(layers, tmp_path / "alex.pth")
    convert_perceptual(tmp_path / "alex.pth", tmp_path / "made.safetensors")
    from safetensors.torch import load_file

    made = load_file(tmp_path / "made.safetensors")
    assert [len(made[f"layer{number}"]) for number in range(5)] == widths
    assert torch.equal(made["layer2"], layers["lin2.model.1.weight"].flatten())


def test_five_points_are_brought_to_their_places():
    places = np.array(PLACES)
    turned = (places - 50) @ np.array([[0.8, 0.6], [-0.6, 0.8]]) * 2.5 + (300, 200)
    move = similarity(turned, places)
    assert turned @ move[:, :2].T + move[:, 2] == pytest.approx(places, abs=1e-9)


def test_a_face_is_itself_and_nobody_else(empty_place, score_files, pictures):
    pytest.importorskip("onnxruntime", reason="onnxruntime runs recognisers")
    scorer = EmbeddingScorer(score_files / "w600k_r50.onnx")
    still = Still.of(pictures[20])
    meter = scorer.meter(clip_of(pictures), still, paired=False)
    meter.see(still.pixels, still.landmarks, None)
    assert meter.values()["csim"] == pytest.approx(1)
    meter.see(still.pixels[::-1, ::-1].copy(), still.landmarks, None)
    assert meter.values()["csim"] < 0.95
    assert scorer.meter(clip_of(pictures), None, paired=False).values()["csim"] == "no portrait was given"


def test_a_video_beside_itself_and_beside_damage(empty_place, score_files, pictures):
    """Everything through the one pass, with the real clip's own score beside it."""
    scores = find_scores(score_files, ["lpips", "csim", "fvd"])
    real, pools = scores.new_pool(), [scores.new_pool(), scores.new_pool()]
    noisy = [
        (one + 0.1 * torch.randn(one.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1) for one in pictures
    ]
    portrait, reports = pictures[0], []
    score = evaluate_clip(clip_of(pictures), portrait=portrait, scores=replace(scores, pool=real))
    for videos, pool in zip((pictures, noisy), pools, strict=True):
        reports.append(
            evaluate_clip(
                clip_of(videos),
                portrait=portrait,
                reference=clip_of(pictures),
                reference_report=score,
                scores=replace(scores, pool=pool),
            )
        )
    same, worse = reports
    assert same.lpips == 0 and worse.lpips > 0.01
    assert same.beyond_reference("csim") == 0 and worse.csim < same.csim
    assert score.missing["lpips"] == "no reference was given" and same.missing["sync_c"] == UNASKED
    sets = [compare_sets(pool, real, scores.missing) for pool in pools]
    assert sets[0]["fvd"].value == pytest.approx(0, abs=1e-6) and sets[1]["fvd"].value > 1
    assert sets[0]["fvd"].samples == (2, 2) and sets[0]["fid"].value is None
    told = describe_reports([same], [worse], sets)
    assert "FVD: 2 pieces of 16 frames are few for 400 dimensions: compare it with equally many only." in told
    row = next(line for line in told.splitlines() if line.strip().startswith("FVD")).split()
    assert row[1] == "0.0" and float(row[-1]) == pytest.approx(-sets[1]["fvd"].value, abs=0.1)
    listed = list_figures([same], [worse], None, sets)
    assert listed["against_set"]["fvd"]["value"] == pytest.approx(sets[1]["fvd"].value, rel=1e-5)
    assert listed["set"]["fid"]["note"] == UNASKED
    assert "FVD" in page([same], [worse], sets)


def test_every_score_is_a_measure_of_a_report(pictures):
    report = evaluate_clip(clip_of(pictures[:2]), scores=find_scores(wanted=[]))
    assert set(SCORED) <= set(report.values)
    assert all(report.missing[name] == UNASKED for name in SCORED)


@pytest.mark.slow
def test_frames_of_damaged_pictures_are_farther_by_inception(tmp_path, pictures, seeded):
    """The full network, at random: about a second a frame on two busy cores."""
    torch.save(seeded(Inception()) | {"fc.weight": torch.zeros(1)}, tmp_path / "inception.pth")
    features = FrameFeatures.load(tmp_path / "inception.pth", CPU)
    found = []
    for strength in (0, 10, 80):
        statistics = FeatureStatistics()
        meter = features.collect(statistics)
        stream = np.random.default_rng(0)
        for picture in map(as_bytes, pictures[:2]):
            meter.see(
                (picture + strength * stream.normal(size=picture.shape)).clip(0, 255).astype(np.uint8), None, None
            )
        assert meter.values() == {} and statistics.count == 2 and statistics.dimensions == 2048
        found.append(statistics)
    near, far = (frechet_distance(found[0], other) for other in found[1:])
    assert frechet_distance(found[0], found[0]) < 1e-3 * near < near < far


def test_alexnet_has_the_published_names():
    assert list(AlexNet().state_dict())[:2] == ["features.0.weight", "features.0.bias"]
    assert list(AlexNet().state_dict())[-1] == "features.10.bias"


@pytest.mark.parametrize("name", ["syncnet", "lpips", "fid", "fvd"])
def test_a_download_brings_the_published_file_and_no_other(hub, empty_place, tmp_path, name):
    part = PARTS[name]
    hub.files[f"{part.repository}/{part.files[0].path}"] = bytes(2000)
    hub.commit = hub.commit if part.revision == "main" else part.revision
    plan = plan_download(name, tmp_path)
    assert [(wanted.file, wanted.part.licence) for wanted in plan.wanted] == [(part.files[0], part.licence)]
    if part.files[0].sha256:
        with pytest.raises(CheckpointError, match="is not what was published: its SHA-256"):
            fetch(plan, ignore_progress)
        assert find_part(part, tmp_path) is None
    else:
        assert fetch(plan, ignore_progress) == [tmp_path / part.files[0].at] == [find_part(part, tmp_path)]
