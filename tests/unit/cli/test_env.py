import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli import shells
from infra.errors import UsageError
from infra.stacks import records
from tests.cli_runner import PROGRAM, Ran, Run
from tests.stack_outputs import outputs

KEYS = ("DOCKER_TLS_VERIFY", "DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_MACHINE_NAME")
HINT = "Run this command to configure your shell:"


@pytest.fixture(autouse=True)
def folder(mctl_home: Path) -> str:
    return records.save(outputs("web-1"), stack="prod", project="/project").folder


EXPECTED = {
    "bash": (
        'export DOCKER_TLS_VERIFY="1"\nexport DOCKER_HOST="tcp://192.0.2.7:2376"\n'
        'export DOCKER_CERT_PATH="{folder}"\nexport DOCKER_MACHINE_NAME="web-1"\n'
        f'# {HINT}\n# eval "$({{command}})"\n'
    ),
    "fish": (
        'set -gx DOCKER_TLS_VERIFY "1";\nset -gx DOCKER_HOST "tcp://192.0.2.7:2376";\n'
        'set -gx DOCKER_CERT_PATH "{folder}";\nset -gx DOCKER_MACHINE_NAME "web-1";\n'
        f"# {HINT}\n# eval ({{command}})\n"
    ),
    "powershell": (
        '$Env:DOCKER_TLS_VERIFY = "1"\n$Env:DOCKER_HOST = "tcp://192.0.2.7:2376"\n'
        '$Env:DOCKER_CERT_PATH = "{folder}"\n$Env:DOCKER_MACHINE_NAME = "web-1"\n'
        f"# {HINT}\n# & {{command}} | Invoke-Expression\n"
    ),
    "cmd": (
        "SET DOCKER_TLS_VERIFY=1\nSET DOCKER_HOST=tcp://192.0.2.7:2376\n"
        "SET DOCKER_CERT_PATH={folder}\nSET DOCKER_MACHINE_NAME=web-1\n"
        f"REM {HINT}\nREM \t@FOR /f \"tokens=*\" %i IN ('{{command}}') DO @%i\n"
    ),
    "tcsh": (
        'setenv DOCKER_TLS_VERIFY "1";\nsetenv DOCKER_HOST "tcp://192.0.2.7:2376";\n'
        'setenv DOCKER_CERT_PATH "{folder}";\nsetenv DOCKER_MACHINE_NAME "web-1";\n'
        f": {HINT};\n: 'eval \"`{{command}}`\"';\n"
    ),
    "emacs": (
        '(setenv "DOCKER_TLS_VERIFY" "1")\n(setenv "DOCKER_HOST" "tcp://192.0.2.7:2376")\n'
        '(setenv "DOCKER_CERT_PATH" "{folder}")\n(setenv "DOCKER_MACHINE_NAME" "web-1")\n'
        f';; {HINT}\n;; (with-temp-buffer (shell-command "{{command}}" (current-buffer)) (eval-buffer))\n'
    ),
}
ALIASES = {"zsh": "bash", "sh": "bash", "ksh": "bash", "dash": "bash", "csh": "tcsh", "pwsh": "powershell"}


@pytest.mark.parametrize("shell", [*EXPECTED, *ALIASES])
def test_env_speaks_the_shell_that_is_asked_for(mctl: Run, folder: str, shell: str) -> None:
    text = EXPECTED[ALIASES.get(shell, shell)]
    command = f"mctl env --shell {shell} web-1"
    assert mctl("env", "--shell", shell, "web-1") == Ran(0, text.format(folder=folder, command=command), "")


@pytest.mark.parametrize(
    ("path", "shell"), [("/usr/bin/fish", "fish"), ("/bin/zsh", "bash"), ("/bin/nologin", "bash"), ("-tcsh", "tcsh")]
)
def test_env_finds_the_shell_by_itself(
    mctl: Run, folder: str, path: str, shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHELL", path)
    assert mctl("env", "web-1").out == EXPECTED[shell].format(folder=folder, command="mctl env web-1")


@pytest.mark.parametrize("shell", [None, ""])
def test_env_speaks_posix_where_no_shell_is_named(
    mctl: Run, folder: str, shell: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHELL") if shell is None else monkeypatch.setenv("SHELL", shell)
    assert mctl("env", "web-1") == Ran(0, EXPECTED["bash"].format(folder=folder, command="mctl env web-1"), "")


def test_env_of_an_unknown_shell_suggests_one(mctl: Run) -> None:
    assert mctl("env", "--shell", "powershel", "web-1") == Ran(
        2,
        "",
        "Error: unknown shell 'powershel'; did you mean 'powershell'?\n"
        "  hint: --shell takes: bash, cmd, csh, dash, emacs, fish, ksh, powershell, pwsh, sh, tcsh, zsh\n",
    )


def test_env_unset_takes_the_variables_away(mctl: Run) -> None:
    assert mctl("env", "-u") == Ran(
        0, "".join(f"unset {key}\n" for key in KEYS) + f'# {HINT}\n# eval "$(mctl env -u)"\n', ""
    )


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("fish", "set -e {};"),
        ("powershell", "Remove-Item Env:\\{}"),
        ("cmd", "SET {}="),
        ("tcsh", "unsetenv {};"),
        ("emacs", '(setenv "{}" nil)'),
    ],
)
def test_env_unset_speaks_every_shell(mctl: Run, shell: str, line: str) -> None:
    assert mctl("env", "--unset", "--shell", shell).out.splitlines()[:4] == [line.format(key) for key in KEYS]


def test_env_unset_takes_no_name(mctl: Run) -> None:
    assert mctl("env", "-u", "web-1") == Ran(
        2, "", "Error: Expected no machine name when the -u flag is present\n  hint: mctl env -u\n"
    )


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({}, 'export NO_PROXY="192.0.2.7"'),
        ({"NO_PROXY": "a.example"}, 'export NO_PROXY="a.example,192.0.2.7"'),
        ({"no_proxy": "b.example", "NO_PROXY": "a.example"}, 'export no_proxy="b.example,192.0.2.7"'),
        ({"NO_PROXY": "192.0.2.7,a.example"}, 'export NO_PROXY="192.0.2.7,a.example"'),
        ({"NO_PROXY": "192.0.2.77"}, 'export NO_PROXY="192.0.2.77,192.0.2.7"'),
    ],
)
def test_env_no_proxy_adds_the_machine(
    mctl: Run, variables: dict[str, str], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    lines = mctl("env", "--no-proxy", "web-1").out.splitlines()
    assert lines[4:] == [line, f"# {HINT}", '# eval "$(mctl env --no-proxy web-1)"']


@pytest.mark.parametrize(
    ("before", "line"),
    [("a.example,192.0.2.7", 'export NO_PROXY="a.example"'), ("192.0.2.7", "unset NO_PROXY")],
)
def test_env_unset_no_proxy_takes_only_the_machine_away(
    mctl: Run, before: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", before)
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.7:2376")
    assert mctl("env", "-u", "--no-proxy").out.splitlines()[4] == line


@pytest.mark.parametrize(
    ("days", "said"), [(29, "its server certificate ends on {day}"), (-2, "its server certificate ended on {day}")]
)
def test_env_warns_of_a_certificate_that_ends_and_works_all_the_same(
    mctl: Run, folder: str, days: int, said: str
) -> None:
    expected = mctl("env", "web-1").out
    end = (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")
    records.save(outputs("web-1", certificate_expiry=end), stack="prod", project="/project")
    warning = said.format(day=end[:10])
    err = f'Warning: machine "web-1": {warning}\n  hint: mctl regenerate-certs web-1\n'
    assert mctl("env", "web-1") == Ran(0, expected, err)
    assert mctl("config", "web-1").err == err
    assert mctl("env", "-u").err == ""


@pytest.mark.parametrize("verb", ["env", "config"])
def test_swarm_needs_a_swarm_master(mctl: Run, verb: str) -> None:
    assert mctl(verb, "--swarm", "web-1") == Ran(
        1,
        "",
        'Error: "web-1" is not a swarm master. The --swarm flag is intended for use with swarm masters\n'
        "  hint: leave --swarm off: mctl env web-1\n",
    )


def test_env_as_json_needs_no_shell(mctl: Run, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHELL")
    assert json.loads(mctl("env", "web-1", "--json").out) == {
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_HOST": "tcp://192.0.2.7:2376",
        "DOCKER_CERT_PATH": folder,
        "DOCKER_MACHINE_NAME": "web-1",
    }
    assert json.loads(mctl("env", "-u", "--json").out) == dict.fromkeys(KEYS)


# What a user's folder may be called.
NASTY = [
    "plain",
    "two  spaces",
    "it's",
    'a "quote"',
    "$HOME `id` $(id)",
    "back\\slash",
    "bang!",
    "a;b&c|d<e>(f)",
    "*?[x]",
]
SHELLS = {
    "bash": 'eval "$({command})"; printf %s "$DOCKER_CERT_PATH"',
    "dash": 'eval "$({command})"; printf %s "$DOCKER_CERT_PATH"',
    "zsh": 'eval "$({command})"; printf %s "$DOCKER_CERT_PATH"',
    "fish": 'eval ({command}); printf %s "$DOCKER_CERT_PATH"',
    "tcsh": 'eval "`{command}`"; printf %s "$DOCKER_CERT_PATH:q"',
}
UNQUOTED = {"bash": "eval $({command})", "zsh": "eval $({command})", "tcsh": "eval `{command}`"}


def evaluated(shell: str, script: str) -> str:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    flags = ["-f"] if shell in ("tcsh", "zsh") else []
    done = subprocess.run([shell, *flags, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("shell", SHELLS)
def test_what_env_prints_is_understood_by_the_real_shell(
    shell: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCTL_HOME", str(tmp_path / name))
    folder = records.save(outputs("web-1"), stack="prod", project="/project").folder
    command = f"{PROGRAM} env --shell {shell} web-1"
    assert evaluated(shell, SHELLS[shell].format(command=command)) == folder


@pytest.mark.parametrize("shell", UNQUOTED)
def test_the_unquoted_way_of_docker_machine_still_works(shell: str, folder: str) -> None:
    command = f"{PROGRAM} env --shell {shell} web-1"
    script = UNQUOTED[shell].format(command=command) + '; printf %s "$DOCKER_CERT_PATH $DOCKER_MACHINE_NAME"'
    assert evaluated(shell, script) == f"{folder} web-1"


@pytest.mark.parametrize("shell", SHELLS)
def test_unset_is_understood_by_the_real_shell(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in KEYS:
        monkeypatch.setenv(key, "x")
    command = f"{PROGRAM} env --shell {shell} -u"
    script = SHELLS[shell].format(command=command).split(";")[0] + "; env"
    left = evaluated(shell, script)
    assert [key for key in KEYS if f"{key}=" in left] == []


def test_eval_of_a_failed_env_changes_nothing_and_shows_why() -> None:
    script = f'eval "$({PROGRAM} env nope)"; echo "<$DOCKER_HOST>"; {PROGRAM} env nope; echo $?'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "<>\n4\n"
    assert done.stderr == 2 * 'Error: machine "nope" does not exist\n  hint: mctl ls, or mctl create nope\n'


def test_docker_takes_the_options_that_config_prints(folder: str) -> None:
    if not shutil.which("docker"):
        pytest.skip("needs the docker CLI")
    script = f"docker $({PROGRAM} config web-1) ps"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, env={**os.environ})
    assert "ca.pem seems invalid" in done.stderr or "failed to find any PEM data" in done.stderr


@pytest.mark.parametrize(
    ("shell", "value", "line"),
    [
        ("powershell", 'C:\\a "$b`', '$Env:K = "C:\\a `"`$b``"'),
        ("cmd", "C:\\Program Files\\a", "SET K=C:\\Program Files\\a"),
        ("cmd", "C:\\a & b", 'SET "K=C:\\a & b"'),
        ("emacs", 'C:\\a "b"', '(setenv "K" "C:\\\\a \\"b\\"")'),
    ],
)
def test_values_are_quoted_for_shells_that_are_not_here(shell: str, value: str, line: str) -> None:
    assert shells.script(shell, {"K": value}, "mctl env").splitlines()[0] == line


def test_a_shell_on_windows_is_known_by_its_program() -> None:
    assert shells.chosen("C:\\Windows\\System32\\cmd.EXE") == "cmd"
    with pytest.raises(UsageError):
        shells.chosen("nothing-like-it")
