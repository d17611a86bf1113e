"""Formats that people add are data: what they may say is said, everything else is refused in a sentence."""

import json

import pytest

from sonic_core.clip import open_clip
from sonic_core.media import formats
from sonic_core.media.rows import MOST_ROWS, read_rows
from tests.unit.media.written import clip_of, smooth, tone

SMALL = {
    "name": "mp4-small",
    "like": "mp4-h264",
    "crf": 30,
    "options": {"preset": "slow", "bf": 2},
    "about": "for mail",
}
LOOP = {"name": "webp-rough", "like": "webp", "crf": 70}


@pytest.fixture
def rows(tmp_path):
    def written(*given):
        path = tmp_path / "formats.json"
        path.write_text(json.dumps(given), encoding="utf-8")
        return read_rows(path)

    yield written
    formats.offer_besides({})


def test_a_row_is_offered_and_written(rows, tmp_path):
    made, faults = rows(SMALL, LOOP)
    assert faults == []
    assert "mp4-small" not in formats.available_formats()
    formats.offer_besides(made)
    assert formats.available_formats()[-2:] == ("mp4-small", "webp-rough")
    small = formats.find_format("mp4-small")
    assert (small.crf, small.suffix, small.encoder.options["preset"]) == (30, ".mp4", "slow")
    clip = clip_of(smooth(12), tone(0.48))
    sizes = [clip.export(tmp_path / "x.mp4", format=name).stat().st_size for name in ("mp4-h264", "mp4-small")]
    assert sizes[1] < sizes[0]
    assert open_clip(tmp_path / "x.mp4").length == 12
    clip = clip_of(smooth(12))
    sizes = [clip.export(tmp_path / "x.webp", format=name).stat().st_size for name in ("webp", "webp-rough")]
    assert sizes[1] < sizes[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "mp4-h264"}, "name must be new, of a to z, 0 to 9 and -; got 'mp4-h264'."),
        ({"name": "../x"}, "name must be new"),
        (
            {"like": "avi"},
            "like must be one of mp4-h264, mp4-h265, mp4-av1, webm-vp9, mov-prores, webp, gif; got 'avi'.",
        ),
        ({"like": "png16"}, "like must be one of"),
        ({"crf": 99}, "crf must be from 0 (best) to 51 for mp4-h264, got 99."),
        ({"crf": float("nan")}, "crf must be from 0"),
        ({"crf": "18"}, "crf has a value of another kind, '18'."),
        ({"crf": True}, "crf has a value of another kind"),
        ({"suffix": ".exe"}, "expected name, like, about, crf, options; got 'suffix'."),
        ({"options": {"x264-params": "stats=/etc/x"}}, "options may be bf, cpu-used, deadline, "),
        (
            {"options": {"preset": "/etc/passwd"}},
            "options have numbers or names as values; got '/etc/passwd' for preset.",
        ),
        ({"options": {"preset": ["slow"]}}, "options have numbers or names"),
        ({"about": "two\nlines"}, "about must be one line of up to 200 characters."),
    ],
)
def test_a_bad_row_is_left_out_and_said(rows, change, words):
    made, (fault,) = rows(LOOP, SMALL | change)
    assert list(made) == ["webp-rough"]
    assert fault.startswith("Format 2 in ")
    assert words in fault


def test_a_file_that_is_no_list_is_said(rows, tmp_path):
    assert "a second time" in rows(SMALL, SMALL)[1][0]
    assert "expected an object, got 3." in rows(3)[1][0]
    assert f"up to {MOST_ROWS} formats" in rows(*[SMALL] * (MOST_ROWS + 1))[1][0]
    path = tmp_path / "formats.json"
    for text, words in [("{}", "Expected a JSON list"), ("[", "cannot be read"), ("\x00", "cannot be read")]:
        path.write_text(text, encoding="utf-8")
        assert words in read_rows(path)[1][0]
    path.write_bytes(b"\xff\xfe[")
    assert "cannot be read" in read_rows(path)[1][0]
