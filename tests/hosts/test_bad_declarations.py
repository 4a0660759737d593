"""A stack's file with a mistake in it: the file, the line, and what was probably meant. Nothing is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts.shop import Shop

GOOD = """\
config:
  mctl:machines:
    # the builders
    build:
      provider: none
      options:
        url: tcp://127.0.0.1:9
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = Shop(tmp_path_factory.mktemp("bad"))
    ran = shop.mctl("create", "build", "--provider", "none", "--url", "tcp://127.0.0.1:9", "--stack", "prod")
    assert ran.code == 0, ran.err
    return shop


@pytest.fixture
def declaration(shop: Shop) -> Path:
    return shop.home / "Pulumi.prod.yaml"


def salted(declaration: Path, text: str) -> str:
    """Keep what opens the stack's secrets."""
    salt = next(line for line in declaration.read_text().splitlines() if line.startswith("encryptionsalt"))
    return f"{text}{salt}\n"


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        ("provider: none", "provder: none", 4, "mctl:machines: build has no `provider`"),
        ("options:", "optins:", 6, "mctl:machines: build has no setting 'optins'; did you mean 'options'?"),
        ("url: tcp", "uri: tcp", 7, "provider none has no option 'uri'; did you mean 'url'?"),
        ("options:", "running: 5\n      options:", 6, "mctl:machines: build.running is 5 and must be true or false"),
        (
            "options:",
            "engine:\n        verison: 27\n      options:",
            7,
            "mctl:machines: build.engine has no setting 'verison'; did you mean 'version'?",
        ),
    ],
)
def test_a_mistake_is_told_with_file_line_and_the_nearest_key(
    shop: Shop, declaration: Path, before: str, after: str, line: int, said: str
) -> None:
    declaration.write_text(salted(declaration, GOOD.replace(before, after)))
    ran = shop.mctl("preview", "prod")
    assert ran == (2, "", f"Error: {declaration}:{line}: {said}\n")


def test_a_machine_that_is_declared_twice_is_told_with_both_places(shop: Shop, declaration: Path) -> None:
    text = salted(declaration, GOOD)
    declaration.write_text(text.replace("encryptionsalt", "    build:\n      provider: none\nencryptionsalt"))
    ran = shop.mctl("preview", "prod")
    assert (ran.code, ran.out) == (2, "")
    assert f'{declaration}:8 can\'t be read: found duplicate key "build"' in ran.err
    declaration.write_text(text)
    other = declaration.with_name("Pulumi.dev.yaml")
    other.write_text(GOOD.replace("    # the builders\n", ""))
    try:
        ran = shop.mctl("preview", "prod")
    finally:
        other.unlink()
    said = (
        f"Error: {declaration}:4: machine 'build' is declared in {other}:3 too\n  hint: give one of them another name\n"
    )
    assert ran == (2, "", said)


def test_a_key_that_is_nearly_ours_is_not_taken_for_someone_elses(shop: Shop, declaration: Path) -> None:
    text = salted(declaration, GOOD)
    declaration.write_text(text.replace("mctl:machines", "mctl:machine"))
    ran = shop.mctl("up", "prod")
    declaration.write_text(text)
    said = f"Error: {declaration}:2: mctl:machine is no setting of mctl; did you mean 'mctl:machines'?\n"
    assert ran == (2, "", said)
    assert shop.mctl("preview", "prod") == (0, "no changes\n", "")
