from pathlib import Path

import pytest

from infra.errors import UsageError
from infra.stacks import mistakes, new_project

OWN = "from infra.stacks.program import machines\nimport pulumi_aws\n\nmachines()\npulumi_aws.s3.Bucket('logs')\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    new_project.make(tmp_path, "qemu", "on: push\n")
    return tmp_path


def is_refused(folder: Path) -> bool:
    try:
        mistakes.refuse_other_program(folder, "dev")
    except UsageError:
        return True
    return False


def test_the_program_of_a_new_project_is_ours_with_comments_of_ones_own_too(folder: Path) -> None:
    assert not is_refused(folder)
    program = folder / "__main__.py"
    made = program.read_text()
    program.write_text(f"# Ask ops before you change this.\n{made}")
    assert not is_refused(folder)
    program.write_text(f"{made}\nprint('more')\n")
    assert is_refused(folder)


def test_a_program_that_makes_more_is_refused_for_a_run_of_ours_would_remove_that(folder: Path) -> None:
    (folder / "__main__.py").write_text(OWN)
    with pytest.raises(UsageError) as refused:
        mistakes.refuse_other_program(folder, "dev")
    assert refused.value.message.startswith(f"{folder / '__main__.py'} is a program of its own")
    assert (refused.value.mend or "").startswith("pulumi up --stack dev;")


def test_a_program_is_found_where_the_project_says(folder: Path) -> None:
    (folder / "__main__.py").rename(folder / "other.py")
    assert not is_refused(folder), "there is none"
    (folder / "other.py").write_text(OWN)
    with (folder / "Pulumi.yaml").open("a") as file:
        file.write("main: other.py\n")
    assert is_refused(folder)
    (folder / "other.py").write_text("machines(\n")
    with pytest.raises(UsageError, match="can't be read"):
        mistakes.refuse_other_program(folder, "dev")
