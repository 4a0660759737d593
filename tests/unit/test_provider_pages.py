"""The providers' pages are those of their drivers."""

from __future__ import annotations

from pathlib import Path

from infra.components import drivers
from tools.provider_pages import pages

FOLDER = Path(__file__).parents[2] / "docs" / "providers"


def test_each_provider_has_the_page_that_its_driver_makes() -> None:
    assert {file.name: file.read_text() for file in FOLDER.glob("*.md")} == pages(), "make man writes them anew"


def test_every_provider_has_a_page() -> None:
    assert set(pages()) == {f"{name}.md" for name in drivers.names()}
