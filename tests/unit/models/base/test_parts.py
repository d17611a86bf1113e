"""The mask at every level, the two small networks, the sizes, and files that do not fit."""

from __future__ import annotations

import shutil

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

import sonic_core as sonic
from sonic_core.errors import CheckpointError, SettingsError, SonicWarning
from sonic_core.models.base.config import BaseConfig
from sonic_core.models.base.latent_preview import latents_to_rgb
from sonic_core.models.base.networks import empty_audio2bucket, empty_audio2token, empty_unet
from sonic_core.models.base.tokens import AudioToBuckets, AudioToTokens
from sonic_core.models.base.unet.attention import AudioTokens, FaceMask
from tests.parity.make_weights import TINY

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("size", "grids"),
    [((64, 64), [(64, 64), (32, 32), (16, 16), (8, 8)]), ((24, 20), [(24, 20), (12, 10), (6, 5), (3, 3)])],
)
def test_the_mask_has_a_grid_for_every_level(size, grids):
    whole = torch.zeros(1, size[0] * 8, size[1] * 8)
    whole[:, 30:90, 20:77] = 1
    mask = FaceMask(whole, size, 4)
    for height, width in grids:
        expected = functional.interpolate(whole[None], (height, width), mode="bicubic").reshape(1, height * width, 1)
        assert torch.equal(mask(height * width), expected)
    assert FaceMask(whole.half(), size, 4)(grids[-1][0] * grids[-1][1]).dtype == torch.float16


class NoBicubic(TorchDispatchMode):
    """A device that cannot resize bicubically, as Apple's chips under torch 2.4 and 2.5."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is torch.ops.aten.upsample_bicubic2d.default and args[0].device.type != "cpu":
            raise NotImplementedError("aten::upsample_bicubic2d.out is not implemented for this device")
        return function(*args, **(kwargs or {}))


def test_the_mask_is_made_on_devices_that_cannot_resize():
    device = torch.device("xpu:0")
    with FakeTensorMode(), NoBicubic():
        mask = FaceMask(torch.ones(1, 64, 64, dtype=torch.float16, device=device), (8, 8), 2)
        for pixels in (64, 16):
            given = mask(pixels)
            assert (given.device, given.dtype, given.shape) == (device, torch.float16, (1, pixels, 1))


def test_tokens_have_the_published_shapes():
    network = AudioToTokens(seq_len=10, blocks=5, channels=6, intermediate_dim=7, output_dim=8, context_tokens=9)
    tokens = network(torch.randn(3, 10, 5, 6))
    assert tokens.shape == (3, 9, 8)
    shift, scale = network.norm.bias, network.norm.weight
    assert torch.allclose(((tokens - shift) / scale).mean(-1), torch.zeros(3, 9), atol=1e-5)
    assert (network.context_shape, network.token_shape) == ((10, 5, 6), (9, 8))
    buckets = AudioToBuckets(
        seq_len=50, blocks=1, channels=6, clip_channels=4, intermediate_dim=7, output_dim=1, context_tokens=2
    )
    given = torch.randn(3, 50, 1, 6)
    assert buckets(given, torch.randn(1, 4)).shape == (3, 2)
    with torch.no_grad():
        for parameter in buckets.proj3.parameters():
            parameter.zero_()
        assert torch.equal(buckets(given, torch.randn(1, 4)), torch.full((3, 2), 16.0))


def test_published_sizes_give_published_shapes():
    config = BaseConfig()
    assert {name: tuple(t.shape) for name, t in empty_audio2token(config).state_dict().items()} == {
        "proj1.weight": (1024, 19200), "proj1.bias": (1024,), "proj2.weight": (1024, 1024), "proj2.bias": (1024,),
        "proj3.weight": (32768, 1024), "proj3.bias": (32768,), "norm.weight": (1024,), "norm.bias": (1024,),
    }  # fmt: skip
    assert empty_audio2bucket(config).proj1.weight.shape == (1024, 20224)
    names = empty_unet(config).state_dict()
    assert len(names) == 1492
    assert sum(tensor.numel() for tensor in names.values()) == pytest.approx(1.576e9, rel=1e-3)


def test_sizes_are_read(tmp_path):
    assert BaseConfig.read(None) == BaseConfig()
    tiny = BaseConfig.read(TINY)
    assert tiny.unet["block_out_channels"] == [32, 64, 64, 64]
    assert tiny.scheduler == BaseConfig().scheduler
    path = tmp_path / "sonic-base.json"
    path.write_text('{"scheduler": {"sigma_min": 0.1, "sigma_max": 80.0}, "remark": 3}')
    assert BaseConfig.read(path).scheduler["sigma_max"] == 80
    for content, said in (("[1]", "one JSON object; got list"), ("{", "as JSON, but cannot be read")):
        path.write_text(content)
        with pytest.raises(CheckpointError, match=said):
            BaseConfig.read(path)
    with pytest.raises(CheckpointError, match="cannot be read"):
        BaseConfig.read(tmp_path / "nothing.json")


def test_a_sound_stays_where_it_is():
    tokens = torch.randn(6, 3, 4)
    audio = AudioTokens(tokens, CPU, torch.float32, cache=False)
    assert audio.on_device().data_ptr() == tokens.data_ptr()
    assert torch.equal(audio.on_device(torch.tensor([5, 0, 5])), tokens[[5, 0, 5]])


def test_a_picture_of_latents_is_a_picture():
    picture = latents_to_rgb(torch.randn(4, 6, 5) * 10)
    assert picture.shape == (3, 6, 5)
    assert float(picture.min()) >= 0
    assert float(picture.max()) <= 1


def foreign(folder):
    torch.save({"conv_in.weight": torch.zeros(32, 8, 3, 3), "conv_in.bias": torch.zeros(32)}, folder / "unet.pth")


def truncated(folder):
    path = folder / "unet.pth"
    path.write_bytes(path.read_bytes()[:-5000])


def other_sizes(folder):
    state = torch.load(folder / "unet.pth", weights_only=True)
    state["conv_in.weight"] = torch.zeros(64, 8, 3, 3)
    torch.save(state, folder / "unet.pth")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [(foreign, r"unet\.pth is of another network: \S+ is missing"), (truncated, r"unet\.pth is damaged or cut short"),
     (other_sizes, r"unet\.pth is of another network: conv_in\.weight has the shape \(64, 8, 3, 3\)")],
)  # fmt: skip
def test_a_unet_that_does_not_fit_is_named(tiny_set, tmp_path, settings, spoil, said):
    shutil.copytree(tiny_set, tmp_path / "set")
    spoil(tmp_path / "set" / "Sonic")
    with pytest.warns(SonicWarning, match="processor"):
        model = sonic.load_model("sonic-base", weights=tmp_path / "set")
    grain = torch.rand(3, 360, 360, generator=torch.Generator().manual_seed(0))
    chosen = settings(face=(60, 60, 260, 280), inference_steps=1)
    with pytest.warns(SonicWarning, match="hardly looks like a human face"), pytest.raises(CheckpointError, match=said):
        model.generate(sonic.Audio(torch.rand(1, 4000) - 0.5, 16000), grain, settings=chosen)


def test_auto_takes_base_where_it_is(tiny_set, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SONIC_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    assert sonic.load_model("auto").name == "sonic-preview"
    with pytest.warns(SonicWarning, match="processor"):
        assert sonic.load_model("auto", weights=tiny_set).name == "sonic-base"
    monkeypatch.setenv("SONIC_HOME", str(tiny_set))
    with pytest.warns(SonicWarning, match="processor"):
        assert sonic.load_model().name == "sonic-base"


def test_what_is_missing_is_listed(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SONIC_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError) as failure:
        sonic.load_model("sonic-base")
    for name in ("unet.pth", "audio2token.pth", "audio2bucket.pth", "whisper-tiny", "flownet.pkl", "svd_xt"):
        assert name in str(failure.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"device": "tpu9"}, "device must be auto or one that is here"), ({"precision": "int8"}, "precision must be"),
     ({"device": "cuda:99"}, "device must be")],
)  # fmt: skip
def test_devices_and_number_types_have_names(tiny_set, options, said):
    with pytest.raises(SettingsError, match=said):
        sonic.load_model("sonic-base", weights=tiny_set, **options)


def test_number_types_reach_the_networks(tiny_set):
    with pytest.warns(SonicWarning, match="processor"):
        networks = sonic.load_model("sonic-base", weights=tiny_set, device="cpu", precision="bf16").model.networks
    assert next(networks.unet.parameters()).dtype == torch.bfloat16
    assert next(networks.vae.decoder.parameters()).dtype == torch.float16
    assert {next(part.parameters()).dtype for part in (networks.vae.encoder, networks.whisper)} == {torch.float32}


def test_a_clips_tokens_travel_to_the_device_once(monkeypatch):
    unet = empty_unet(BaseConfig.read(TINY)).to_empty(device="cpu")
    audio, journeys = AudioTokens(torch.zeros(5, 6, 32), CPU, torch.float32, cache=True), []
    travel = audio.on_device
    monkeypatch.setattr(audio, "on_device", lambda *frames: journeys.append(1) or travel(*frames))
    with torch.inference_mode():
        for processor in unet.attn_processors.values():
            if hasattr(processor, "to_k_ip"):
                audio.cached(processor)
    assert journeys == [1]
