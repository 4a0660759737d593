from dataclasses import replace
from pathlib import Path

import pytest

from infra.authority import AFTER_ADOPTION, AuthoritySpec
from infra.errors import UsageError
from infra.machine import MachineSpec
from infra.stacks import project


@pytest.fixture(autouse=True)
def mctl_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    monkeypatch.setenv("MCTL_HOME", str(home))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return home


def test_outside_any_project_mctls_home_is_the_project(mctl_home: Path) -> None:
    assert project.find_project() == mctl_home
    assert "name: mctl" in (mctl_home / "Pulumi.yaml").read_text()


def test_below_a_project_of_ours_that_one_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: mctl\nruntime: python\n")
    assert project.find_project() == tmp_path


def test_a_project_of_someone_else_is_passed_by(tmp_path: Path, mctl_home: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: nodejs\n")
    assert project.find_project() == mctl_home


@pytest.mark.parametrize(("text", "key"), [("runtime: python\n", "name"), ("name: mctl\n", "runtime")])
def test_a_project_file_without_what_pulumi_needs_is_named(tmp_path: Path, text: str, key: str) -> None:
    file = tmp_path / "Pulumi.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as error:
        project.find_project()
    assert error.value.message == f"{file} has no `{key}`"


def test_declaring_keeps_what_people_wrote(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(
        "# ours\nencryptionsalt: v1:abc\nconfig:\n  mctl:machines:\n    web-1: # the first\n      provider: generic\n"
    )
    project.declare(tmp_path, "prod", MachineSpec(name="web-2", provider="qemu", options={"memory": 1024}))
    assert file.read_text() == (
        "# ours\nencryptionsalt: v1:abc\nconfig:\n  mctl:machines:\n    web-1: # the first\n      provider: generic\n"
        "    web-2:\n      provider: qemu\n      options:\n        memory: 1024\n"
    )
    assert project.stack_of(tmp_path, "web-2") == "prod"


@pytest.mark.parametrize(
    ("declared", "providers"),
    [
        ("{web-1: {provider: qemu, cpus: 2}, 1: {provider: generic}, on: {}, db:}", "qemu generic - -"),
        ("&all {<<: {web-1: {provider: aws}}, web-2: {provider: gcp}}", "gcp aws"),
        ("{}", ""),
    ],
)
def test_providers_are_those_of_every_machine_that_is_declared(tmp_path: Path, declared: str, providers: str) -> None:
    (tmp_path / "Pulumi.prod.yaml").write_text(f"config:\n  mctl:machines: {declared}\n")
    found = project.providers(tmp_path, "prod")
    assert [provider or "-" for provider in found.values()] == providers.split()
    assert [*found] == [str(name) for name in project.machines(tmp_path, "prod")]


@pytest.mark.parametrize("text", ["", "config:\n", "config: {x: 1}\n"])
def test_a_stack_without_machines_has_no_providers(tmp_path: Path, text: str) -> None:
    (tmp_path / "Pulumi.prod.yaml").write_text(text)
    assert project.providers(tmp_path, "prod") == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("config: [", "can't be read: "),
        ("config: {mctl:machines: [web-1]}", ": mctl:machines is not a mapping of machine names to settings"),
    ],
)
def test_providers_in_a_file_that_cannot_be_read_are_an_error(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as error:
        project.providers(tmp_path, "prod")
    assert str(error.value).startswith(str(file))
    assert reason in str(error.value)


def test_withdrawing_leaves_the_other_machines(tmp_path: Path) -> None:
    for name in ("a", "b"):
        project.declare(tmp_path, "prod", MachineSpec(name=name, provider="qemu"))
    project.withdraw(tmp_path, "prod", "a")
    assert project.machines(tmp_path, "prod") == {"b": {"provider": "qemu"}}


SECRETS = "  mctl:adoptedAuthority:\n    secure: v1:AAAA:BBBB/CC==\n  mctl:sshKey-a:\n    secure: v1:DDDD:EEEE\n"


def test_secrets_of_the_config_survive_every_edit_as_the_engine_wrote_them(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.a.yaml"
    file.write_text(f"encryptionsalt: v1:abc\nconfig:\n{SECRETS}")
    project.declare_authority(tmp_path, "a", AFTER_ADOPTION)
    project.declare(tmp_path, "a", MachineSpec(name="a", provider="generic"))
    assert file.read_text().startswith(f"encryptionsalt: v1:abc\nconfig:\n{SECRETS}")
    assert project.authority(tmp_path, "a") == AFTER_ADOPTION
    assert project.is_ours_alone(tmp_path, "a")


def test_an_adopted_authority_goes_when_it_counts_no_more_and_a_login_key_with_its_machine(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.a.yaml"
    file.write_text(f"config:\n{SECRETS}")
    project.declare(tmp_path, "a", MachineSpec(name="a", provider="generic"))
    project.declare_authority(tmp_path, "a", AuthoritySpec())
    assert "adoptedAuthority" not in file.read_text()
    project.withdraw(tmp_path, "a", "a")
    assert file.read_text() == "config:\n  mctl:machines: {}\n"


def test_a_file_that_is_not_yaml_is_named_with_the_way_out(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text("config: [\n")
    with pytest.raises(UsageError) as error:
        project.machines(tmp_path, "prod")
    assert error.value.message.startswith(f"{file}:2 can't be read: ")


def test_a_file_below_the_project_is_declared_relative_to_it_and_others_as_they_are(tmp_path: Path) -> None:
    assert project.own_path(tmp_path, str(tmp_path / "scripts" / "a.sh")) == "scripts/a.sh"
    assert project.own_path(tmp_path / "scripts", str(tmp_path / "a.sh")) == str(tmp_path / "a.sh")


def test_renaming_takes_the_kept_ssh_key_along(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(
        "config:\n  mctl:sshKey-web:\n    secure: v1:abc\n  mctl:machines:\n    web:\n      provider: generic\n"
    )
    project.rename(tmp_path, "prod", "web", "shop")
    assert file.read_text() == (
        "config:\n  mctl:machines:\n    shop:\n      formerly: web\n      made_as: web\n      provider: generic\n"
        "  mctl:sshKey-shop:\n    secure: v1:abc\n"
    )


COMMENTED = """\
config:
  mctl:machines:
    # the first
    {name}: # what customers see
      # rented
      {formerly}provider: generic # ours
      options: {{ip_address: 192.0.2.7}}
      tls_sans:
      - web.example # public
    # below is the database

    db: # small
      provider: qemu
"""


def test_renaming_keeps_order_and_every_comment_and_so_does_its_end(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(COMMENTED.format(name="web", formerly=""))
    project.rename(tmp_path, "prod", "web", "shop")
    assert list(project.machines(tmp_path, "prod")) == ["shop", "db"]
    before = COMMENTED.format(name="shop", formerly="formerly: web\n      made_as: web\n      ")
    assert comments(file.read_text()) == comments(before)
    assert file.read_text().split() == before.split()
    project.forget_former_names(tmp_path, "prod")
    after = COMMENTED.format(name="shop", formerly="made_as: web\n      ")
    assert file.read_text().split() == after.split()


def test_a_machine_goes_by_the_name_that_it_was_made_under_through_all_renamings(tmp_path: Path) -> None:
    project.declare(tmp_path, "prod", MachineSpec(name="web", provider="aws"))
    project.rename(tmp_path, "prod", "web", "shop")
    project.rename(tmp_path, "prod", "shop", "store")
    project.forget_former_names(tmp_path, "prod")
    declared = project.machines(tmp_path, "prod")
    assert MachineSpec.from_config("store", declared["store"]).host_name == "web"
    project.declare(tmp_path, "prod", MachineSpec(name="store", provider="aws"))
    assert project.machines(tmp_path, "prod") == declared


def test_a_new_machine_of_an_old_name_goes_by_another(tmp_path: Path) -> None:
    for number in (1, 2):
        project.declare(tmp_path, "prod", MachineSpec(name="web", provider="aws"))
        project.rename(tmp_path, "prod", "web", f"old-{number}")
    project.declare(tmp_path, "prod", MachineSpec(name="web", provider="aws"))
    project.declare(tmp_path, "prod", MachineSpec(name="db", provider="aws"))
    declared = project.machines(tmp_path, "prod")
    names = {name: MachineSpec.from_config(name, entry).host_name for name, entry in declared.items()}
    assert names == {"old-1": "web", "old-2": "web-2", "web": "web-3", "db": "db"}


def test_declaring_a_machine_again_keeps_the_comments_of_what_stays(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    before = COMMENTED.format(name="web", formerly="")
    file.write_text(before)
    spec = MachineSpec.from_config("web", project.machines(tmp_path, "prod")["web"])
    project.declare(tmp_path, "prod", replace(spec, running=False))
    project.declare(tmp_path, "prod", spec)
    assert file.read_text().split() == before.split()


def comments(text: str) -> list[str]:
    """Give each comment with what stands before it on its line."""
    return [line.replace(" ", "") for line in text.splitlines() if "#" in line]


@pytest.mark.parametrize("second", ["*small", "\n      <<: *small"])
def test_renaming_leaves_those_that_refer_to_the_same_settings(tmp_path: Path, second: str) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(f"config:\n  mctl:machines:\n    a: &small\n      provider: qemu\n    b: {second}\n")
    project.rename(tmp_path, "prod", "a", "c")
    assert project.machines(tmp_path, "prod") == {
        "c": {"formerly": "a", "made_as": "a", "provider": "qemu"},
        "b": {"provider": "qemu"},
    }


def test_where_nothing_was_renamed_the_file_stays_byte_for_byte(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text("config:\n    mctl:machines:\n        a: {provider:   qemu}\n")
    before = file.read_text()
    project.forget_former_names(tmp_path, "prod")
    assert file.read_text() == before
