"""One encrypted file: scrypt makes a key of the passphrase (RFC 7914), AES-256-GCM seals the content (SP 800-38D).

Layout: a line with the format's number, 16 bytes of salt, 12 of nonce, the sealed content, and SHA-256 of all before.
The digest needs no passphrase and protects nothing: it tells a damaged file from a wrong passphrase.
"""

from __future__ import annotations

import os
import tempfile
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from infra.errors import MctlError, PassphraseError, UsageError

MAGIC = b"mctl export "
HEADER = MAGIC + b"1\n"
SALT, NONCE, DIGEST = 16, 12, 32
COST = 2**17  # 128 MiB and a third of a second, for each guess too


def write(file: Path, content: bytes, passphrase: str) -> None:
    """Write a new file of mode 0600, whole or not at all. Raises MctlError, also where there is one."""
    salt, nonce = os.urandom(SALT), os.urandom(NONCE)
    sealed = HEADER + salt + nonce + AESGCM(_key(passphrase, salt)).encrypt(nonce, content, HEADER)
    fresh = ""
    if file.exists():
        raise MctlError(f"{file} is there already", mend="choose another file with -o FILE")
    try:
        handle, fresh = tempfile.mkstemp(dir=file.absolute().parent, prefix=f".{file.name}~")  # made 0600
        with os.fdopen(handle, "wb") as stream:
            stream.write(sealed + sha256(sealed).digest())
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(fresh, file)
    except OSError as error:
        if fresh:
            Path(fresh).unlink(missing_ok=True)
        raise MctlError(f"{file} can't be written: {error.strerror}", mend="choose another file with -o FILE") from None


def is_one(file: Path) -> bool:
    """Tell whether a path is a file that `write` wrote, or a newer mctl."""
    try:
        with file.open("rb") as stream:
            return stream.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def read(file: Path, passphrase: str) -> bytes:
    """Open a file. Raises UsageError for a format of a newer mctl, MctlError for a damaged one, PassphraseError."""
    content = file.read_bytes()
    if not content.startswith(HEADER):
        raise UsageError(f"{file} was written by a newer mctl", mend="install that one, and import it again")
    sealed, digest = content[:-DIGEST], content[-DIGEST:]
    if sha256(sealed).digest() != digest:
        raise MctlError(f"{file} is damaged: it is not as it was written", mend="copy it again, or export it again")
    salt, nonce, body = (sealed[i:j] for i, j in _parts(len(HEADER), SALT, NONCE))
    try:
        return AESGCM(_key(passphrase, salt)).decrypt(nonce, body, HEADER)
    except InvalidTag:
        raise PassphraseError(
            f"the passphrase does not open {file}", mend="use the one that it was exported with"
        ) from None


def _parts(start: int, *sizes: int) -> list[tuple[int, int | None]]:
    bounds = [start]
    for size in sizes:
        bounds.append(bounds[-1] + size)
    return list(zip(bounds, [*bounds[1:], None], strict=True))


def _key(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=COST, r=8, p=1).derive(passphrase.encode())
