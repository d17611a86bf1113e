"""The weights this version can use, as a table."""

from __future__ import annotations

from dataclasses import dataclass

HUB = "huggingface.co"
SONIC, WHISPER, VIDEO_DIFFUSION = (
    "LeonJoe13/Sonic",
    "openai/whisper-tiny",
    "stabilityai/stable-video-diffusion-img2vid-xt",
)
NON_COMMERCIAL = "CC BY-NC-SA 4.0"


@dataclass(frozen=True)
class File:
    """One file, where it comes from and where it goes."""

    at: str
    """Path below a weight folder, in the command line's layout."""
    path: str
    """Path in its repository."""
    bytes: int
    """About how large it is, or at most."""
    others: tuple[str, ...] = ()
    """Names that do as well, in the same folder; one that stands before ``at``'s in the store's order is taken."""
    sha256: str = ""
    """Of its content, where that is known; else the first download is remembered (``checksums``)."""


@dataclass(frozen=True)
class SingleFile:
    """A file that does as well as a part's whole folder."""

    names: tuple[str, ...]
    """Patterns of its name, the best first."""
    last_names: tuple[str, ...]
    """Patterns of names that are taken only where none of the others is in any folder."""
    lacking: str
    """Pattern of names that fit, of files that lack what is needed."""
    unread: str
    """Pattern of its name, without ending, in forms that are not read."""


@dataclass(frozen=True)
class Part:
    """One of the networks a model is made of."""

    name: str
    purpose: str
    """What it does, after "which"."""
    repository: str
    licence: str
    files: tuple[File, ...]
    folder: str = ""
    """Name of the folder that holds all files of the part; empty: the part is a single file."""
    single: SingleFile | None = None
    """The file that does as well as the folder; named by hand, either may have any name."""
    extras: tuple[File, ...] = ()
    """Files that are fetched with the part, but that it does without."""
    required: bool = True
    gated: bool = False
    """Whether the repository asks for an accepted licence and a token."""
    elsewhere: str = ""
    """Where people find it, if not on the hub; then nothing fetches it."""
    beside: Part | None = None
    """The part in whose folder alone it is looked for."""
    code: bool = False
    """Whether the file is run as it is read, so that it is not looked for in folders that nobody named."""
    revision: str = "main"
    """Of the repository, where what is known of its files was read."""

    @property
    def source(self) -> str:
        """Where people find it."""
        return self.elsewhere or f"{HUB}/{self.repository}"

    @property
    def bytes(self) -> int:
        """About how large all its files are together."""
        return sum(file.bytes for file in (*self.files, *self.extras))


@dataclass(frozen=True)
class Entry:
    """One set of weights."""

    name: str
    purpose: str
    files: tuple[str, ...]
    """Where they may lie below a weight folder, the usual place first. Empty: the weights are part of the program."""
    source: str
    licence: str
    parts: tuple[Part, ...] = ()
    """What it is made of, where it can be fetched."""


YOLOFACE = Part(
    "yoloface",
    "finds faces as the published Sonic does",
    SONIC,
    NON_COMMERCIAL,
    (File("yoloface_v5m.pt", "yoloface_v5m.pt", 90_000_000),),
    required=False,
)

INTERPOLATOR = Part(
    "interpolator",
    "draws the frames in between",
    SONIC,
    "MIT (RIFE)",
    (File("RIFE/flownet.pkl", "RIFE/flownet.pkl", 12_300_000),),
)

TINY_VAE = Part(
    "tiny-vae",
    "turns latents into pixels for a seventeenth of the work, with quality live",
    "",
    "MIT",
    (File("Sonic/taesdv.pth", "taesdv.pth", 11_300_000),),
    required=False,
    elsewhere="github.com/madebyollin/taesdv",
)
"""TAESDV; its repository is not on the hub."""

SYNCNET = Part(
    "syncnet",
    "compares lips with sound as published scores do, for Sync-C and Sync-D",
    "ByteDance/LatentSync-1.6",
    "MIT for its code (Chung and Zisserman); of the weights none is told",
    (
        File(
            "syncnet_v2.model",
            "auxiliary/syncnet_v2.model",
            54_600_000,
            sha256="961e8696f888fce4f3f3a6c3d5b3267cf5b343100b238e79b2659bff2c605442",
        ),
    ),
)

LPIPS = Part(
    "lpips",
    "compares what pictures look like, for LPIPS",
    "blanchon/image-gs-models-utils",
    "BSD-3-Clause (AlexNet of torchvision)",
    (
        File(
            "alexnet-owt-7be5be79.pth",
            "torch/checkpoints/alexnet-owt-7be5be79.pth",
            244_400_000,
            sha256="7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        ),
    ),
)

FID = Part(
    "fid",
    "compares frames of many videos, for FID",
    "RaphaelLiu/EvalCrafter-Models",
    "Apache-2.0 (Inception-v3 of TensorFlow)",
    (
        File(
            "pt_inception-2015-12-05-6726825d.pth",
            "pt_inception-2015-12-05-6726825d.pth",
            95_600_000,
            sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        ),
    ),
    revision="6040b4d40fdcde446a0cf753b0527585b6b77c54",
)

FVD = Part(
    "fvd",
    "compares pieces of many videos, for FVD",
    "ByteDance/LatentSync-1.6",
    "Apache-2.0 (I3D of DeepMind)",
    (File("i3d_torchscript.pt", "auxiliary/i3d_torchscript.pt", 51_300_000),),
    code=True,
)

UNET = Part(
    "unet",
    "draws the frames",
    SONIC,
    NON_COMMERCIAL,
    (File("Sonic/unet.pth", "Sonic/unet.pth", 6_310_000_000),),
)

STUDENT = Part(
    "student",
    "draws the frames in few steps, with quality live",
    "",
    f"{NON_COMMERCIAL}, as the unet it was taught by",
    (
        File(
            "Sonic/unet_student.safetensors",
            "unet_student.safetensors",
            6_310_000_000,
            ("student_lora.safetensors",),
        ),
    ),
    required=False,
    elsewhere="python -m sonic_core learn distil, none is published",
    beside=UNET,
)
"""A whole UNet, or a LoRA, a fiftieth of it, that is merged into the unet beside it; the whole one is taken first."""

BASE_PARTS = (
    UNET,
    Part(
        "audio2token",
        "turns speech into what the mouth follows",
        SONIC,
        NON_COMMERCIAL,
        (File("Sonic/audio2token.pth", "Sonic/audio2token.pth", 217_300_000),),
    ),
    Part(
        "audio2bucket",
        "tells from speech how much the head and the face move",
        SONIC,
        NON_COMMERCIAL,
        (File("Sonic/audio2bucket.pth", "Sonic/audio2bucket.pth", 87_300_000),),
    ),
    Part(
        "whisper",
        "hears the speech",
        WHISPER,
        "Apache-2.0",
        (
            File("whisper-tiny/config.json", "config.json", 2_000),
            File("whisper-tiny/model.safetensors", "model.safetensors", 151_100_000, ("pytorch_model.bin",)),
        ),
        folder="whisper-tiny",
        extras=(File("whisper-tiny/preprocessor_config.json", "preprocessor_config.json", 185_000),),
    ),
    INTERPOLATOR,
    Part(
        "svd",
        "sees the portrait and turns latents into pixels",
        VIDEO_DIFFUSION,
        "Stability AI licence",
        tuple(
            File(f"stable-video-diffusion-img2vid-xt/{path}", path, size, others)
            for path, size, others in (
                ("vae/config.json", 1_000, ()),
                (
                    "vae/diffusion_pytorch_model.fp16.safetensors",
                    195_600_000,
                    ("diffusion_pytorch_model.safetensors",),
                ),
                ("image_encoder/config.json", 1_000, ()),
                ("image_encoder/model.fp16.safetensors", 1_264_300_000, ("model.safetensors",)),
            )
        ),
        folder="stable-video-diffusion-img2vid-xt",
        single=SingleFile(
            names=("svd_xt.safetensors", "svd_xt_1_1.safetensors", "svd_xt*.safetensors"),
            last_names=("svd.safetensors",),  # for 14 frames: another UNet, the same VAE and image encoder
            lacking="*image_decoder*",  # its decoder has no temporal blocks
            unread="svd*",
        ),
        gated=True,
    ),
    YOLOFACE,
    TINY_VAE,
    STUDENT,
)
"""What sonic-base is made of."""

SCORING = (SYNCNET, LPIPS, FID, FVD)
"""What ``evaluate`` measures with, where it is there."""

PREVIEW = Entry("sonic-preview", "animates a portrait, on any CPU", (), "part of this project", "MIT")
BASE = Entry(
    "sonic-base",
    "animates a portrait as the published diffusion model does",
    tuple(part.folder or part.files[0].at for part in BASE_PARTS),
    ", ".join(f"{HUB}/{repository}" for repository in (SONIC, WHISPER, VIDEO_DIFFUSION)),
    f"{NON_COMMERCIAL}, Apache-2.0, MIT, Stability AI licence",
    BASE_PARTS,
)

CATALOG = (
    PREVIEW,
    BASE,
    Entry(
        "embedded",
        "finds and reads faces, always there",
        (),
        "part of this project; networks of MediaPipe: face detection, face mesh, iris, selfie segmentation",
        "MIT, Apache-2.0",
    ),
    Entry(
        "voice",
        "hears where somebody speaks, and who, always there",
        (),
        "part of this project; networks of Silero VAD and Resemblyzer",
        "MIT, Apache-2.0",
    ),
    Entry(
        "insightface",
        "finds faces, also turned and small ones",
        (
            "insightface/models/buffalo_l/det_10g.onnx",
            "models/buffalo_l/det_10g.onnx",
            "buffalo_l/det_10g.onnx",
        ),
        "github.com/deepinsight/insightface, model pack buffalo_l",
        "non-commercial research only",
    ),
    Entry(
        "yoloface",
        YOLOFACE.purpose,
        ("yoloface_v5m.pt",),
        YOLOFACE.source,
        YOLOFACE.licence,
        (YOLOFACE,),
    ),
    *(Entry(one.name, one.purpose, (one.files[0].at,), one.source, one.licence, (one,)) for one in SCORING),
    Entry(
        "csim",
        "tells whether two faces are one person's, for CSIM",
        ("insightface/models/buffalo_l/w600k_r50.onnx",),
        "github.com/deepinsight/insightface, model pack buffalo_l",
        "non-commercial research only",
    ),
)


def size_in_words(size: int) -> str:
    """Write a number of bytes for people.

    >>> size_in_words(6_310_000_000), size_in_words(12_300_000), size_in_words(185_000), size_in_words(90)
    ('6.3 GB', '12 MB', '185 kB', '90 bytes')
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}" if unit == "GB" else f"{size / scale:.0f} {unit}"
    return f"{size} bytes"
