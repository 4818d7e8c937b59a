from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from nsledger.ledger.checkpoint import Checkpoint
from nsledger.ledger.checkpoint_key import (
    BadSignatureError,
    KeyExistsError,
    KeyUnusableError,
    SigningKey,
    VerifyingKey,
    generate,
)
from nsledger.ledger.line import Head
from tests import checkpoints

HEAD = Head(seq=7, digest="ab" * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    generate(str(tmp_path / "key"))
    return tmp_path / "key"


def signed_by(path: Path) -> Checkpoint:
    return checkpoints.checkpoint(HEAD, SigningKey.load(str(path)))


def public(path: Path) -> VerifyingKey:
    return VerifyingKey.load(f"{path}.pub")


def test_the_private_key_is_for_its_owner_only_and_both_halves_have_one_id(tmp_path: Path) -> None:
    key_id = generate(str(tmp_path / "etc" / "key"))

    path = tmp_path / "etc" / "key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(Path(f"{path}.pub").stat().st_mode) == 0o644
    assert SigningKey.load(str(path)).key_id == public(path).key_id == key_id


def test_the_mode_is_private_under_any_umask(tmp_path: Path) -> None:
    script = (
        "import os, sys; os.umask(0); from nsledger.ledger.checkpoint_key import generate;"
        "generate(sys.argv[1])"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "key")],
        env={"PYTHONPATH": "shim"},
        cwd=Path(__file__).parents[3],
        check=True,
    )

    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_what_a_key_signed_its_public_half_accepts(path: Path) -> None:
    public(path).check(signed_by(path))


@pytest.mark.parametrize(
    "change",
    [
        {"ledger_id": "00" * 16},
        {"head": Head(seq=8, digest="ab" * 32)},
        {"head": Head(seq=7, digest="ac" * 32)},
        {"time": "2026-11-24T00:03:50.123456788Z"},
        {"key_id": "0" * 16},
        {"signature": bytes(64)},
    ],
)
def test_a_changed_checkpoint_is_refused(path: Path, change: dict[str, object]) -> None:
    changed = msgspec.structs.replace(signed_by(path), **change)

    with pytest.raises(BadSignatureError, match="checkpoint of entry"):
        public(path).check(changed)


def test_another_key_is_told_by_its_id(path: Path, tmp_path: Path) -> None:
    other = generate(str(tmp_path / "other"))

    with pytest.raises(BadSignatureError, match=f"needed one that key {other} signed") as caught:
        public(tmp_path / "other").check(signed_by(path))

    assert f"it names key {public(path).key_id}" in str(caught.value)


@pytest.mark.parametrize("existing", ["key", "key.pub"])
def test_no_key_is_overwritten_unless_forced(tmp_path: Path, existing: str) -> None:
    (tmp_path / existing).write_text("precious")

    with pytest.raises(KeyExistsError):
        generate(str(tmp_path / "key"))
    assert (tmp_path / existing).read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 1

    forced = generate(str(tmp_path / "key"), force=True)
    assert public(tmp_path / "key").key_id == forced
    assert sorted(one.name for one in tmp_path.iterdir()) == ["key", "key.pub"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_private_key_that_others_may_read_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)

    with pytest.raises(KeyUnusableError, match=f"found mode {mode:04o}, needed mode 0600"):
        SigningKey.load(str(path))


def test_a_file_that_is_no_key_is_told_without_quoting_it(path: Path) -> None:
    path.write_text("hunter2")
    with pytest.raises(KeyUnusableError, match="found no private key") as caught:
        SigningKey.load(str(path))
    assert "hunter2" not in str(caught.value)

    Path(f"{path}.pub").write_text("hunter2")
    with pytest.raises(KeyUnusableError, match="found no public key"):
        public(path)


def test_keys_of_another_kind_are_refused(tmp_path: Path) -> None:
    for command in ("genpkey -algorithm X25519 -out k", "pkey -in k -pubout -out k.pub"):
        subprocess.run(["openssl", *command.split()], cwd=tmp_path, check=True)
    (tmp_path / "k").chmod(0o600)

    for load in (SigningKey.load, lambda path: VerifyingKey.load(f"{path}.pub")):
        with pytest.raises(KeyUnusableError, match="a key of another kind"):
            load(str(tmp_path / "k"))


def test_the_private_half_where_the_public_one_belongs_is_told(path: Path) -> None:
    with pytest.raises(KeyUnusableError, match="found a private key, needed an Ed25519 public key"):
        VerifyingKey.load(str(path))


def test_a_key_that_openssl_made_signs_too(tmp_path: Path) -> None:
    for command in ("genpkey -algorithm ED25519 -out k", "pkey -in k -pubout -out k.pub"):
        subprocess.run(["openssl", *command.split()], cwd=tmp_path, check=True)
    (tmp_path / "k").chmod(0o600)

    public(tmp_path / "k").check(signed_by(tmp_path / "k"))
