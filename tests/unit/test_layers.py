"""The walls of the house, read from the source: who may import whom, and who may print."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ("infra", "cli") for path in (ROOT / folder).rglob("*.py"))
# From the top down: each may import itself and what is below. Plugins are processes of their own.
OF_ALL = ("infra.authority", "infra.groups", "infra.machine", "infra.cloud_init", "infra.errors")
LAYERS = ("cli", "infra.stacks", "infra.components", *OF_ALL)


def sdks() -> list[str]:
    """List the packages that the providers' extras bring; SoftLayer's is for a plugin, a process of its own."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = {re.split(r"[\[>]", text)[0] for texts in extras.values() for text in texts} - {"mctl", "softlayer"}
    files = [file for name in wanted for file in metadata.files(name) or () if file.name == "__init__.py"]
    packages = {file.parent for file in files}
    return sorted(".".join(each.parts) for each in packages if not packages & set(each.parents))


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """Give every module that a file names, at its top or within a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports here are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def breaches(package: str, forbidden: Sequence[str], *, but: str = "") -> list[str]:
    """List the imports of forbidden packages within a package, except in the modules that may."""
    return [
        f"{module(path)} imports {name}"
        for path in SOURCES
        if within(module(path), package) and not (but and within(module(path), but))
        for name in imports(path)
        if any(within(name, one) for one in forbidden)
    ]


def test_imports_point_one_way() -> None:
    for rank, package in enumerate(LAYERS):
        assert not breaches(package, LAYERS[:rank])


def test_plugins_import_neither_stacks_nor_components_nor_cli() -> None:
    assert not breaches("infra.plugins", LAYERS[:3])


def test_only_the_store_imports_the_automation_api() -> None:
    for package in ("infra", "cli"):
        assert not breaches(package, ["pulumi.automation"], but="infra.stacks.store")


def test_a_clouds_sdk_is_imported_by_its_driver_alone() -> None:
    for package in ("infra", "cli"):
        assert not breaches(package, sdks(), but="infra.components.drivers")
        assert not breaches(package, ["SoftLayer"], but="infra.plugins.softlayer")


@pytest.mark.parametrize(
    ("provider", "loaded"), [("qemu", []), ("generic", []), ("digitalocean", ["pulumi_digitalocean", "pydo"])]
)
def test_only_the_sdk_of_the_chosen_provider_is_loaded(provider: str, loaded: list[str]) -> None:
    line = ["mctl", "create", "web", "--provider", provider]
    script = f"import sys; sys.argv = {line}; import cli.commands.create; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [sdk for sdk in sdks() if sdk in ran.stdout.split()] == loaded


def test_infra_neither_prints_nor_knows_the_terminal() -> None:
    assert not breaches("infra", ["typer", "rich", "click"])
    for path in SOURCES:
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        prints = any(isinstance(call, ast.Name) and call.id == "print" for call in calls)
        assert not (prints and within(module(path), "infra")), f"{path} prints"


def test_what_every_layer_imports_needs_the_standard_library_alone() -> None:
    known = {*sys.stdlib_module_names, "infra"}
    for package in OF_ALL:
        for path in SOURCES:
            if module(path) == package:
                assert {name.partition(".")[0] for name in imports(path)} <= known


def test_the_rules_see_a_breach() -> None:
    assert breaches("infra.stacks", ["pulumi.automation"]), "the store's own import is one, were it not excepted"


def test_every_unit_test_is_collected_by_its_name() -> None:
    unit = ROOT / "tests" / "unit"
    for path in unit.rglob("*.py"):
        holds_tests = any(
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
            for node in ast.walk(ast.parse(path.read_text()))
        )
        assert not holds_tests or path.name.startswith("test_"), f"pytest does not collect {path}"
        assert (path.parent / "__init__.py").is_file(), f"{path.parent} is no package"
