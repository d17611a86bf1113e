"""A file's mark is signed: what is signed is read back, what was changed is found out, and what cannot be is told."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from io import BytesIO

import pytest

import sonic_core
from sonic_core import Job, SettingsError, Signer, run
from sonic_core.cli.main import main
from sonic_core.media.credentials import TYPES
from sonic_core.media.mark import Mark
from tests.unit.media.test_mark import DUBBED, IPTC, MARK, clip

c2pa = pytest.importorskip("c2pa", reason="Content Credentials are made by c2pa-python, which is not installed here")

EXTENSIONS = """keyUsage=critical,digitalSignature
extendedKeyUsage=critical,emailProtection
basicConstraints=critical,CA:FALSE
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
"""
AUTHORITY = ("keyUsage=critical,keyCertSign", "basicConstraints=critical,CA:TRUE")


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    """Somebody with a certificate of an authority that nobody trusts."""
    if shutil.which("openssl") is None:
        pytest.skip("certificates for this are made by openssl, which is not installed here")
    folder = tmp_path_factory.mktemp("signer")
    (folder / "extensions").write_text(EXTENSIONS)
    for name in ("authority", "own"):
        openssl(folder, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{name}.key")
    added = [part for text in AUTHORITY for part in ("-addext", text)]
    subject = ["-subj", "/CN=Authority/O=Test/C=DE", "-days", "30"]
    openssl(folder, "req", "-x509", "-new", "-key", "authority.key", *subject, *added, "-out", "authority.pem")
    openssl(folder, "req", "-new", "-key", "own.key", "-subj", "/CN=Signer/O=Test/C=DE", "-out", "own.csr")
    vouched = ["-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial", "-days", "30"]
    openssl(folder, "x509", "-req", "-in", "own.csr", *vouched, "-extfile", "extensions", "-out", "own.pem")
    chain = (folder / "own.pem").read_bytes() + (folder / "authority.pem").read_bytes()
    (folder / "chain.pem").write_bytes(chain)
    return Signer(folder / "chain.pem", folder / "own.key")


def read(content, kind):
    """Return what the reader says of a file, and the codes of what is wrong besides that nobody knows the signer."""
    with c2pa.Reader(kind, BytesIO(content)) as reader:
        told = json.loads(reader.json())
    wrong = {fault["code"] for fault in told.get("validation_status", ())} - {"signingCredential.untrusted"}
    return told["manifests"][told["active_manifest"]], wrong


@pytest.mark.parametrize("ending", TYPES)
@pytest.mark.parametrize("mark", [MARK, DUBBED])
def test_what_is_signed_is_read_back(tmp_path, signer, ending, mark):
    path = clip(mark).export(tmp_path / f"made{ending}", mark=signer)
    manifest, wrong = read(path.read_bytes(), TYPES[ending])
    assert wrong == set()
    assert manifest["claim_generator_info"][0]["name"] == "Sonic"
    (actions,) = [one["data"]["actions"] for one in manifest["assertions"] if one["label"] == "c2pa.actions.v2"]
    assert actions[0]["action"] == "c2pa.created"
    assert actions[0]["digitalSourceType"] == mark.source_type
    assert mark.source_type.startswith(IPTC)
    assert actions[0]["softwareAgent"]["name"] == "Sonic (sonic-preview)"
    assert manifest["signature_info"]["issuer"] == "Test"
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    if ending == ".mp4":
        again = sonic_core.open_clip(path)
        assert (again.mark, again.length) == (mark, 4)


def test_whoever_changes_a_signed_file_is_found_out(tmp_path, signer):
    content = bytearray(clip().export(tmp_path / "made.mp4", mark=signer).read_bytes())
    place = content.rindex(b"mdat") + 200
    content[place] ^= 1
    _, wrong = read(bytes(content), "video/mp4")
    assert "assertion.bmffHash.mismatch" in wrong


@pytest.mark.parametrize("name", ["made.webm", "frames"])
def test_what_holds_no_signature_is_refused_before_anything_is_made(tmp_path, signer, name):
    target, chosen = tmp_path / name, None if "." in name else "png16"
    job = Job(None, None, model="nobody asks for it", output=target, format=chosen, mark=signer)
    with pytest.raises(SettingsError, match="held by mp4, mov, gif, webp alone"):
        run(job)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SettingsError, match="A stream cannot be signed"):
        run(replace(job, output=BytesIO(), format=None))


def test_a_video_that_is_nobodys_work_is_not_signed(tmp_path, signer):
    with pytest.raises(SettingsError, match="this video is none of that"):
        clip(None).export(tmp_path / "made.mp4", mark=signer)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("swapped", [False, True])
def test_a_key_that_is_none_is_refused_with_both_names(tmp_path, signer, swapped):
    bad = Signer(signer.key, signer.certificates) if swapped else Signer(signer.certificates, tmp_path / "none.pem")
    with pytest.raises(SettingsError, match=r"cannot sign .*expected PEM files") as told:
        bad.check(".mp4", Mark("sonic-preview"))
    assert "\n" not in str(told.value)
    assert str(bad.key) in str(told.value)


def test_the_command_line_signs(tmp_path, signer, capsys):
    flags = ["--model", "sonic-preview", "--duration", "0.2", "--min-resolution", "384", "--paste-back"]
    given = ["generate", "--image", "assets/portrait.png", "--audio", "assets/speech.wav", *flags]
    chain = [str(signer.certificates), str(signer.key)]
    target = tmp_path / "made.mp4"
    assert main([*given, "--output", str(target), "--sign", *chain]) == 0
    assert read(target.read_bytes(), "video/mp4")[1] == set()
    assert main([*given, "--output", str(target), "--sign", *chain, "--no-mark"]) == 2
    assert "--sign signs what --no-mark leaves out" in capsys.readouterr().err
