"""Every file says that it is synthetic and with what it was made, unless asked not to."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from xml.etree import ElementTree

import av
import pytest
import torch
from PIL import Image

import sonic_core
from sonic_core import Clip, open_clip
from sonic_core.media.formats import FORMATS, available_formats
from sonic_core.media.mark import Mark, read_mark

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
MARK, DUBBED = Mark("sonic-preview"), Mark("sonic-preview", dubbed=True)
TEXTS = {"workflow": '{"nodes": []}', "prompt": '{"1": {}}'}


def clip(mark=MARK):
    frames = torch.linspace(0, 1, 4 * 3 * 64 * 64).reshape(4, 3, 64, 64)
    return Clip(lambda: iter([frames]), Fraction(25), 4, (64, 64), None, mark=mark)


def packet(content):
    (found,) = re.findall(rb"<x:xmpmeta.*?</x:xmpmeta>", content, re.DOTALL)
    (described,) = ElementTree.fromstring(found).iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")  # noqa: S314
    return {name.rpartition("}")[2]: value for name, value in described.attrib.items()}


@pytest.mark.parametrize("name", [name for name in available_formats() if FORMATS[name].movie])
def test_a_movie_says_it_in_texts_and_is_read_again(tmp_path, name):
    path = clip().export(tmp_path / f"made{FORMATS[name].suffix}", format=name, metadata=TEXTS)
    with av.open(str(path)) as container:
        told = {word.lower(): text for word, text in container.metadata.items()}
    assert told["digital_source_type"] == f"{IPTC}trainedAlgorithmicMedia"
    assert told["software"] == f"Sonic {sonic_core.__version__} (sonic-preview)"
    assert "Synthetic video" in told["comment"]
    assert {name: told[name] for name in TEXTS} == TEXTS, "the canvas finds its workflow"
    assert open_clip(path).mark == MARK
    again = replace(open_clip(path), audio=None).export(tmp_path / f"again{FORMATS[name].suffix}", format=name)
    assert open_clip(again).mark == MARK, "what is repaired stays marked"


@pytest.mark.parametrize("ending", ["mp4", "mov", "gif", "webp"])
def test_xmp_says_it_in_the_fields_own_terms(tmp_path, ending):
    content = clip(DUBBED).export(tmp_path / f"made.{ending}").read_bytes()
    assert packet(content) == {
        "about": "",
        "CreatorTool": f"Sonic {sonic_core.__version__} (sonic-preview)",
        "DigitalSourceType": f"{IPTC}compositeWithTrainedAlgorithmicMedia",
        "AISystemUsed": "Sonic (sonic-preview)",
        "AISystemVersionUsed": sonic_core.__version__,
    }


def test_the_box_of_an_mp4_ends_the_file_and_leaves_the_others_as_they_were(tmp_path):
    marked = clip().export(tmp_path / "marked.mp4", metadata=MARK.texts()).read_bytes()
    plain = clip(None).export(tmp_path / "plain.mp4", metadata=MARK.texts()).read_bytes()
    box = marked[len(plain) :]
    assert marked.startswith(plain)
    assert int.from_bytes(box[:4], "big") == len(box) and box[4:8] == b"uuid"


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_moving_pictures_still_play(tmp_path, ending):
    content = clip().export(tmp_path / f"made.{ending}", metadata=TEXTS).read_bytes()
    with Image.open(BytesIO(content)) as image:
        assert image.n_frames == 4
        image.seek(3)
        image.load()


def test_each_picture_of_a_sequence_says_it(tmp_path):
    folder = clip().export(tmp_path / "pictures", format="png16", metadata=TEXTS)
    for number in (1, 4):
        with Image.open(folder / f"{number:05}.png") as image:
            image.load()
            assert packet(image.info["XML:com.adobe.xmp"].encode())["CreatorTool"].startswith("Sonic ")
            assert ("workflow" in image.text, "software" in image.text) == (number == 1,) * 2


@pytest.mark.parametrize("name", available_formats())
def test_nothing_is_said_where_that_is_asked_or_nobody_made_it(tmp_path, name):
    for number, (made, wanted) in enumerate(((clip(), False), (clip(None), True))):
        path = made.export(tmp_path / f"made{number}{FORMATS[name].suffix}", format=name, mark=wanted)
        files = [path] if path.is_file() else list(path.iterdir())
        assert not any(
            re.search(rb"digitalsourcetype|synthetic|sonic-preview", one.read_bytes(), re.I) for one in files
        )


@pytest.mark.parametrize("name", ["mp4-h264", "mov-prores", "gif", "webp", "png16"])  # others hold numbers of chance
def test_the_same_clip_gives_the_same_bytes(tmp_path, name):
    one, other = (
        clip().export(tmp_path / f"{place}{FORMATS[name].suffix}", format=name, metadata=TEXTS) for place in "ab"
    )
    files = [(one, other)] if one.is_file() else zip(sorted(one.iterdir()), sorted(other.iterdir()), strict=True)
    assert all(first.read_bytes() == second.read_bytes() for first, second in files)


def test_a_stream_says_it_from_its_beginning():
    stream, silent = BytesIO(), BytesIO()
    clip().stream(stream)
    clip().stream(silent, mark=False)
    assert stream.getvalue().index(b"trainedAlgorithmicMedia") < stream.getvalue().index(b"mdat")
    assert b"trainedAlgorithmicMedia" not in silent.getvalue()


def test_texts_of_ones_own_are_kept_and_others_are_no_mark(tmp_path):
    path = clip().export(tmp_path / "made.mp4", metadata={"comment": "mine"})
    with av.open(str(path)) as container:
        assert container.metadata["comment"] == "mine"
    assert open_clip(path).mark == MARK
    for texts in ({}, {"software": "Sonic"}, {**MARK.texts(), "digital_source_type": f"{IPTC}digitalCapture"}):
        assert read_mark(texts) is None
    assert read_mark({**MARK.texts(), "software": "Sonic (sonic-preview)"}) == MARK, "a copy that knows no version"
    assert read_mark({name.upper(): text for name, text in DUBBED.texts().items()}) == DUBBED
