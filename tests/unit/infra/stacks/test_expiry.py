from datetime import UTC, datetime, timedelta

import pytest

from infra.stacks import expiry, records
from tests.certificates import Authority
from tests.cli_runner import mctl_home
from tests.stack_outputs import outputs

__all__ = ["mctl_home"]
pytestmark = pytest.mark.usefixtures("mctl_home")
FAR = "2099-01-01T00:00:00Z"


def ending(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")


def warning(**changes: str) -> str:
    facts = records.save(outputs("web-1"), stack="prod", project="/project").facts()
    return expiry.warning(records.Record(facts | {"certificate_expiry": FAR} | changes))


@pytest.mark.parametrize("days", [30.1, 31, 400])
def test_nothing_is_said_of_a_certificate_that_lasts_longer_than_a_month(days: float) -> None:
    assert warning(certificate_expiry=ending(days), client_expiry=ending(days), ca_expiry=ending(days)) == ""


@pytest.mark.parametrize(("days", "verb"), [(29.9, "ends"), (0.1, "ends"), (-0.1, "ended"), (-400, "ended")])
@pytest.mark.parametrize(
    ("fact", "which"),
    [
        ("certificate_expiry", "server certificate"),
        ("client_expiry", "client certificate"),
        ("ca_expiry", "certificate authority"),
    ],
)
def test_a_certificate_that_ends_within_a_month_is_named(fact: str, which: str, days: float, verb: str) -> None:
    end = ending(days)
    assert warning(**{fact: end}) == f"its {which} {verb} on {end[:10]}"


def test_the_certificate_that_ends_first_is_named() -> None:
    first = ending(2)
    said = warning(certificate_expiry=ending(3), client_expiry=first, ca_expiry=ending(20))
    assert said == f"its client certificate ends on {first[:10]}"


def test_a_time_of_another_zone_is_understood() -> None:
    assert warning(certificate_expiry="2020-01-01T00:30:00+02:00") == "its server certificate ended on 2019-12-31"


def test_the_end_of_a_certificate_is_read_from_it() -> None:
    end = datetime.fromisoformat(expiry.of_certificate(Authority().server("a.example", days=3).cert))
    assert abs(datetime.now(UTC) + timedelta(days=3) - end) < timedelta(minutes=1)
    assert expiry.of_certificate("no certificate") == ""
