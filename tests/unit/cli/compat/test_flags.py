import pytest

from cli.compat import flags
from cli.compat.flags import Flag, switch
from infra.errors import UsageError

KNOWN = (
    Flag("format", short="f"),
    Flag("timeout", 10, short="t"),
    Flag("filter", (), "FILTER"),
    switch("quiet", "QUIET", short="q"),
)


@pytest.mark.parametrize(
    ("line", "names", "values"),
    [
        ("", [], {}),
        ("a b", ["a", "b"], {}),
        ("--format x a", ["a"], {"format": "x"}),
        ("-format x a", ["a"], {"format": "x"}),
        ("a --format=x=y b", ["a", "b"], {"format": "x=y"}),
        ("a -f x -q b", ["a", "b"], {"format": "x", "quiet": True}),
        ("-q=false -t=3", [], {"quiet": False, "timeout": 3}),
        ("-t -3", [], {"timeout": -3}),
        ("--filter a=1 --filter=b", [], {"filter": ("a=1", "b")}),
        ("-f -- -- -q", ["-q"], {"format": "--"}),
        ("- a", ["-", "a"], {}),
    ],
)
def test_flags_are_taken_as_go_takes_them(line: str, names: list[str], values: dict[str, flags.Value]) -> None:
    assert flags.parse(line.split(), KNOWN) == (names, values)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--nope", "flag provided but not defined: -nope"),
        ("a -x=1", "flag provided but not defined: -x"),
        ("-qt 1", "flag provided but not defined: -qt"),
        ("--format", "flag needs an argument: -format"),
        ("-q=maybe", 'invalid boolean value "maybe" for -q: strconv.ParseBool: parsing "maybe": invalid syntax'),
        ("-t 1s", 'invalid value "1s" for flag -t: strconv.ParseInt: parsing "1s": invalid syntax'),
    ],
)
def test_what_go_refuses_is_refused_in_its_words(line: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        flags.parse(line.split(), KNOWN)
    assert error.value.message == message


@pytest.mark.parametrize("line", ["-h", "a --help", "-help"])
def test_help_is_asked_for(line: str) -> None:
    with pytest.raises(flags.HelpWanted):
        flags.parse(line.split(), KNOWN)


def test_what_follows_the_first_name_can_be_left_as_it_is() -> None:
    assert flags.parse(["-q", "ls", "-q", "--nope"], KNOWN, interspersed=False) == (
        ["ls", "-q", "--nope"],
        {"quiet": True},
    )


def test_the_environment_sets_what_the_command_line_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILTER", "a=1, b")
    monkeypatch.setenv("QUIET", "T")
    assert flags.with_environment({}, KNOWN) == {"filter": ("a=1", "b"), "quiet": True}
    assert flags.with_environment({"filter": ("c",), "quiet": False}, KNOWN) == {"filter": ("c",), "quiet": False}


def test_a_variable_that_can_mean_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIET", "yes")
    with pytest.raises(UsageError, match='invalid boolean value "yes" for -quiet'):
        flags.with_environment({}, KNOWN)
