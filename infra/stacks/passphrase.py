"""The passphrase that encrypts every stack's secrets.

From the environment (`PULUMI_CONFIG_PASSPHRASE`, `PULUMI_CONFIG_PASSPHRASE_FILE`), else the OS keyring, else a file of
mode 0600 in mctl's home. Made at first use.
Source: https://www.pulumi.com/docs/iac/concepts/secrets/
"""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from infra.errors import PassphraseError
from infra.stacks.home import home

VARIABLE = "PULUMI_CONFIG_PASSPHRASE"
FILE_VARIABLE = "PULUMI_CONFIG_PASSPHRASE_FILE"
SERVICE = "mctl"


def environment(*, make: bool) -> dict[str, str]:
    """Give the variables that let the Pulumi engine open the stack's secrets.

    make: whether to make a passphrase where there is none; without one, PassphraseError is raised.
    """
    if VARIABLE in os.environ or FILE_VARIABLE in os.environ:
        return {}
    kept = _from_keyring() or _from_file()
    if kept is None:
        if not make:
            raise PassphraseError(
                "there is no passphrase to open the stack's secrets with",
                mend=f"export {VARIABLE}=…, or copy the passphrase file of where the stack was made to {_file()}",
            )
        kept = secrets.token_urlsafe(32)
        kept = _keep(kept)
    return {VARIABLE: kept}


def kept_in(folder: Path) -> dict[str, str]:
    """Give the variables that open the secrets of another home; none where it keeps no passphrase."""
    kept = _from_keyring(folder) or _from_file(folder)
    return {VARIABLE: kept} if kept else {}


def exists() -> bool:
    """Tell whether a passphrase is there, without making one."""
    return VARIABLE in os.environ or FILE_VARIABLE in os.environ or bool(_from_file() or _from_keyring())


def keep(passphrase: str) -> None:
    """Keep the passphrase of stacks that another computer made. Raises PassphraseError where another one is kept."""
    if (_from_keyring() or _from_file() or _keep(passphrase)) != passphrase:
        raise PassphraseError(
            "this computer keeps another passphrase already", mend=f"export {FILE_VARIABLE}=FILE for this project"
        )


def _file(folder: Path | None = None) -> Path:
    return (folder or Path(home())) / "passphrase"


def _from_file(folder: Path | None = None) -> str | None:
    try:
        return _file(folder).read_text().strip() or None
    except FileNotFoundError:
        return None
    except OSError as error:
        file = _file(folder)
        raise PassphraseError(f"{file} can't be read: {error.strerror}", mend=f"chmod 600 {file}") from None


def _from_keyring(folder: Path | None = None) -> str | None:
    if _file(folder).exists():  # where there was no keyring at first use; asking one now only costs time
        return None
    import keyring
    import keyring.errors

    try:
        return keyring.get_password(SERVICE, str(folder or home()))
    except keyring.errors.KeyringError:
        return None


def _keep(passphrase: str) -> str:
    """Keep a new passphrase, and give the one that counts: of two first runs at once, the first one's."""
    import keyring
    import keyring.errors

    try:
        keyring.set_password(SERVICE, home(), passphrase)
    except keyring.errors.KeyringError:
        handle, fresh = tempfile.mkstemp(dir=home(), prefix=".passphrase-")  # made 0600
        with os.fdopen(handle, "w") as file:
            file.write(passphrase + "\n")
        with suppress(FileExistsError):
            os.link(fresh, _file())  # a rename would replace the other run's
        Path(fresh).unlink()
    return _from_keyring() or _from_file() or passphrase
