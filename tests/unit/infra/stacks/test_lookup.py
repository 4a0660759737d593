import subprocess
import sys
from pathlib import Path

import pytest

from infra.errors import NotFoundError, PassphraseError
from infra.stacks import lookup, machines, records
from tests.cli_runner import mctl_home
from tests.stack_outputs import outputs

__all__ = ["mctl_home"]
pytestmark = pytest.mark.usefixtures("mctl_home")


def test_no_name_means_the_machine_default() -> None:
    records.save(outputs("default"), stack="default", project="/project")
    assert lookup.find(None).name == "default"


def test_no_name_and_no_default_machine_says_both() -> None:
    with pytest.raises(NotFoundError) as error:
        lookup.find(None)
    assert error.value.message == 'No machine name(s) specified and no "default" machine exists'
    assert error.value.mend == "mctl ls, or mctl create default"


def old_record(tmp_path: Path) -> None:
    state = tmp_path / "prod.json"
    state.write_text("{}")
    records.save(outputs("web-1"), stack="prod", project="/project", state=(str(state), 1))


def test_an_old_record_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_record(tmp_path)
    monkeypatch.setattr(
        machines, "rebuild", lambda name: records.save(outputs(name, address="192.0.2.8"), stack="prod", project="/p")
    )
    assert lookup.find("web-1").address == "192.0.2.8"


def test_an_old_record_serves_where_the_stack_cannot_be_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_record(tmp_path)

    def locked_out(_name: str) -> records.Record:
        raise PassphraseError("there is no passphrase")

    monkeypatch.setattr(machines, "rebuild", locked_out)
    assert lookup.find("web-1").address == "192.0.2.7"


def test_an_old_record_of_a_machine_that_was_removed_elsewhere_is_no_machine(tmp_path: Path) -> None:
    old_record(tmp_path)
    with pytest.raises(NotFoundError) as error:
        lookup.find("web-1")
    assert error.value.message == 'machine "web-1" does not exist'


def test_a_machine_that_no_declaration_mentions_is_not_found_without_the_pulumi_engine(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: mctl\nruntime: python\ndescription: web-1\n")
    (tmp_path / "Pulumi.prod.yaml").write_text("config:\n  mctl:machines:\n    web-2:\n      provider: generic\n")
    script = (
        "import sys\n"
        "from infra.errors import NotFoundError\n"
        "from infra.stacks import lookup\n"
        "try:\n    lookup.find('web-1')\n"
        "except NotFoundError as error:\n    print(error.message)\n"
        "print('pulumi' in sys.modules, 'infra.stacks.machines' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == 'machine "web-1" does not exist\nFalse False\n'


def test_a_name_that_a_declaration_only_mentions_is_looked_up_properly(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: mctl\nruntime: python\n")
    (tmp_path / "Pulumi.prod.yaml").write_text("# once there was web-1\nconfig: {}\n")
    with pytest.raises(NotFoundError) as error:
        lookup.find("web-1")
    assert error.value.message == 'machine "web-1" does not exist'
