"""The Ed25519 key pair that signs checkpoints, as PEM files that OpenSSL reads too.

`cryptography` is imported by those who sign or check only: it costs every other start 60 ms.

Source: RFC 8032 (Ed25519), RFC 8410 (its PKCS #8 and SubjectPublicKeyInfo).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self

import msgspec

from nsledger.ledger import files
from nsledger.ledger.checkpoint import Checkpoint
from nsledger.ledger.errors import LedgerError

PUBLIC_SUFFIX: Final = ".pub"
_DIRECTORY_MODE: Final = 0o755
_PRIVATE_MODE: Final = 0o600
_PUBLIC_MODE: Final = 0o644
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_LONGEST_FILE_BYTES: Final = 1 << 16


class KeyUnusableError(LedgerError):
    """A file that holds no key of the kind that was needed, or not in private."""

    hint = "`nsledger keygen` makes a key pair: PATH signs and stays on the node, PATH.pub checks."

    def __init__(self, *, path: str, found: str, needed: str) -> None:
        super().__init__(f"{path}: found {found}, needed {needed}")
        self.path = path


class KeyExistsError(LedgerError):
    """A key would be overwritten; checkpoints that it signed could not be continued."""

    hint = "Give another --key PATH, or --force to replace it; keep the old PATH.pub to check with."

    def __init__(self, *, path: str) -> None:
        super().__init__(f"{path}: found a file, needed a path without one")
        self.path = path


class BadSignatureError(LedgerError):
    """A checkpoint that the key did not sign, or that was changed since."""

    hint = (
        "Nothing is said about the ledger. The public key must be the one that `nsledger keygen` "
        "wrote for this node, and the line must be whole."
    )

    def __init__(self, *, checkpoint: Checkpoint, key_id: str) -> None:
        reason = (
            "its signature is not by that key, or it was changed"
            if checkpoint.key_id == key_id
            else f"it names key {checkpoint.key_id}"
        )
        super().__init__(
            f"checkpoint of entry {checkpoint.head.seq} ({checkpoint.time}): {reason}; "
            f"needed one that key {key_id} signed"
        )
        self.checkpoint = checkpoint


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The private half."""

    key_id: str
    _sign: Callable[[bytes], bytes]

    @classmethod
    def load(cls, path: str) -> Self:
        """The private key in the file at `path`, which must be for its owner only.

        Raises:
            KeyUnusableError: it is none, or others may read it.
            OSError: it cannot be read.
        """
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise KeyUnusableError(path=path, found="no regular file", needed="a private key")
        mode = stat.S_IMODE(status.st_mode)
        if mode & _OTHERS:
            raise KeyUnusableError(path=path, found=f"mode {mode:04o}", needed="mode 0600")
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see above
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
            Ed25519PrivateKey,
        )

        try:
            key = serialization.load_pem_private_key(_read(path), password=None)
        except (ValueError, TypeError) as error:  # it quotes nothing of the file
            raise KeyUnusableError(
                path=path, found="no private key", needed="an Ed25519 private key in PEM"
            ) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyUnusableError(
                path=path, found="a key of another kind", needed="an Ed25519 private key in PEM"
            )
        return cls(_key_id(key.public_key().public_bytes_raw()), key.sign)

    def sign(self, checkpoint: Checkpoint) -> Checkpoint:
        """`checkpoint` by this key, signed."""
        ours = msgspec.structs.replace(checkpoint, key_id=self.key_id)
        return msgspec.structs.replace(ours, signature=self._sign(ours.statement))


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """The public half."""

    key_id: str
    _verify: Callable[[bytes, bytes], None]

    @classmethod
    def load(cls, path: str) -> Self:
        """The public key in the file at `path`.

        Raises:
            KeyUnusableError: it is none.
            OSError: it cannot be read.
        """
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see above
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
            Ed25519PublicKey,
        )

        needed, pem = "an Ed25519 public key in PEM", _read(path)
        if b"PRIVATE KEY" in pem:
            raise KeyUnusableError(path=path, found="a private key", needed=needed)
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, TypeError) as error:
            raise KeyUnusableError(path=path, found="no public key", needed=needed) from error
        if not isinstance(key, Ed25519PublicKey):
            raise KeyUnusableError(path=path, found="a key of another kind", needed=needed)
        return cls(_key_id(key.public_bytes_raw()), key.verify)

    def check(self, checkpoint: Checkpoint) -> None:
        """Refuse a checkpoint that this key did not sign.

        Raises:
            BadSignatureError: it did not.
        """
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - see above

        try:
            self._verify(checkpoint.signature, checkpoint.statement)
        except InvalidSignature as error:
            raise BadSignatureError(checkpoint=checkpoint, key_id=self.key_id) from error


def generate(path: str, *, force: bool = False) -> str:
    """Write a new private key to `path` (0600) and its public key beside it; the key id.

    Both are durable by the end. With `force` the files that are there are replaced, at once.

    Raises:
        KeyExistsError: there is a file, and no `force`.
        OSError: the disk refuses.
    """
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PrivateKey,
    )

    path = os.path.abspath(path)
    for existing in (path, path + PUBLIC_SUFFIX):
        if os.path.lexists(existing) and not force:
            raise KeyExistsError(path=existing)
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    files.make_directory(os.path.dirname(path), _DIRECTORY_MODE)
    _write(path, private, _PRIVATE_MODE, force=force)
    _write(path + PUBLIC_SUFFIX, public, _PUBLIC_MODE, force=force)
    return _key_id(key.public_key().public_bytes_raw())


def _key_id(public: bytes) -> str:
    return sha256(public).hexdigest()[:16]


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(_LONGEST_FILE_BYTES)


def _write(path: str, data: bytes, mode: int, *, force: bool) -> None:
    if not force:
        files.write_file(path, data, mode)
        return
    new = f"{path}.new"
    if os.path.lexists(new):
        os.unlink(new)
    files.write_file(new, data, mode)
    os.replace(new, path)
    files.sync_directory(os.path.dirname(path))
