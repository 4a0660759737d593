"""The documentation site: every link leads somewhere, nothing in it is fetched from elsewhere, no page is stale."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What a browser loads by itself; a link that is followed by hand may lead anywhere.
LOADED = re.compile(
    r"""<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=["']?(https?:)?//[^>]*>|@import|url\(["']?https?:"""
)


@pytest.mark.parametrize(
    ("tool", "page"), [("tools.command_pages", "commands.md"), ("tools.error_page", "troubleshooting.md")]
)
def test_a_generated_page_is_what_the_code_says_of_itself(tool: str, page: str) -> None:
    made = subprocess.run([sys.executable, "-m", tool], cwd=ROOT, capture_output=True, text=True, check=True)
    assert made.stdout == (ROOT / "docs" / page).read_text(), "make man writes it anew"


def test_the_site_builds_with_every_page_in_its_index_and_every_link_and_anchor_found(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(list((ROOT / "docs").rglob("*.md")))
    for page in [*pages, *(tmp_path / "site").rglob("*.svg"), *(tmp_path / "site").rglob("*.css")]:
        fetched = LOADED.search(page.read_text())
        assert not fetched, f"{page.name}: {fetched and fetched[0]}"
