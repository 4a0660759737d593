"""The providers' pages are those of their drivers."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.components import drivers
from tools.provider_pages import pages

FOLDER = Path(__file__).parents[2] / "docs" / "providers"


def test_each_provider_has_the_page_that_its_driver_makes() -> None:
    assert {file.name: file.read_text() for file in FOLDER.glob("*.md")} == pages(), "make man writes them anew"


def test_every_provider_has_a_page() -> None:
    assert set(pages()) == {"index.md", *(f"{name}.md" for name in drivers.names())}
    for name in drivers.names():
        assert pages()["index.md"].count(f"]({name}.md)") == 1


def test_docker_machines_variables_are_told_by_the_names_that_count_here() -> None:
    assert "| `--vmwarevsphere-username` | variable `VSPHERE_USER` |" in pages()["vsphere.md"]


@pytest.mark.parametrize("provider", drivers.names())
def test_a_page_promises_of_doctor_what_it_answers_there(provider: str) -> None:
    driver, text = drivers.load(provider), " ".join(pages()[f"{provider}.md"].split())
    assert ("which permissions and quotas are missing" in text) is bool(driver.account and not driver.is_local)
    assert ("which of the programs that it needs are missing" in text) is driver.is_local
