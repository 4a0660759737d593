"""When the certificates between this computer and a machine end, and what to say of it in time.

Imports next to nothing: `env` warns of it.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from infra.stacks.records import Record

DAYS = 30  # as early as an `up` renews them
DAY_SECONDS = 24 * 60 * 60


def of_certificate(pem: str) -> str:
    """Give when a certificate ends, ISO 8601 in UTC; nothing for what is no certificate."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return ""


def warning(record: Record) -> str:
    """Say which of a machine's certificates has ended or is about to, and when; nothing where all is well."""
    # A date is parsed only where its day is near: that takes longer than all else that `env` does.
    near = time.strftime("%Y-%m-%d", time.gmtime(time.time() + (DAYS + 1) * DAY_SECONDS))
    ends = {
        "server certificate": record.certificate_expiry,
        "client certificate": record.client_expiry,
        "certificate authority": record.ca_expiry,
    }
    close = {which: end for which, end in ends.items() if end and end[:10] <= near}
    return _said(close) if close else ""


def mend(record: Record) -> str:
    """Give the command that renews a machine's certificates."""
    return f"mctl regenerate-certs {record.name}"


def _said(close: dict[str, str]) -> str:
    from datetime import UTC, datetime, timedelta

    now = datetime.now(UTC)
    ends = [(datetime.fromisoformat(end), which) for which, end in close.items()]
    when, which = min(ends)
    if when > now + timedelta(days=DAYS):
        return ""
    day = when.astimezone(UTC).strftime("%Y-%m-%d")
    return f"its {which} ended on {day}" if when <= now else f"its {which} ends on {day}"
