"""Previews as text and as the body of a comment."""

from __future__ import annotations

from cli import preview_text
from infra.stacks.previews import Preview, Touched
from infra.stacks.steps import Change, Difference, Drift

VM = Change(
    "web-vm",
    "aws:ec2/instance:Instance",
    "replace",
    ("ami", "tags"),
    ("ami",),
    (Difference("ami", ("- ami-1", "+ ami-2")),),
)
CONFIGURE = Change("web-configure", "command:remote:Command", "update", ("stdin",))
WEB = Touched("web", "replace", "replaces the VM (its data is lost)", (VM, CONFIGURE))
BAD = Preview("bad", error='no | credentials\n```\n<b>"x"</b>', mend="mctl doctor")


def test_a_table_has_machines_first_and_their_resources_below_and_folds_what_is_unchanged() -> None:
    previews = [Preview("prod", (WEB,), 3), Preview("dev", (), 1), BAD]
    assert preview_text.text(previews, diff=False) == (
        "STACK   MACHINE           WHAT HAPPENS\n"
        "prod    web          +-   replaces the VM (its data is lost)\n"
        "  +- replace  aws:ec2/instance:Instance web-vm  (ami)\n"
        "  ~  update   command:remote:Command web-configure  (stdin)\n"
        "prod    3 machines        unchanged\n"
        "dev     1 machine         unchanged\n"
        "bad                       could not be previewed\n"
    )


def test_no_change_anywhere_is_two_words() -> None:
    assert preview_text.text([Preview("prod", (), 3), Preview("dev")], diff=False) == "no changes\n"
    assert (
        preview_text.markdown([Preview("prod", (), 3)], diff=False)
        == "### No changes\n\nUnchanged: prod: 3 machines\n\n"
    )


def test_values_are_shown_where_they_are_asked_for() -> None:
    said = preview_text.text([Preview("prod", (WEB,))], diff=True)
    assert "web-vm  (ami)\n       ami:\n       -   ami-1\n       +   ami-2\n" in said


DRIFTED = Preview(
    "prod",
    (
        Touched(
            *("web", "replace", "replaces the VM (its data is lost)", (VM,)),
            (Drift("web-vm", "aws:ec2/instance:Instance", "ami: ami-2 -> ami-1"),),
        ),
        Touched("db", "", "", (), (Drift("db", "host", "daemon.json: it was changed", "mctl provision db"),)),
    ),
    mend="mctl refresh prod, then mctl up prod",
)


def test_drift_says_what_differs_and_what_mends_it() -> None:
    assert preview_text.text([DRIFTED, Preview("dev", (), 1)], diff=False) == (
        "STACK   MACHINE          WHAT HAPPENS\n"
        "prod    web         +-   replaces the VM (its data is lost)\n"
        "  ?  aws:ec2/instance:Instance web-vm: ami: ami-2 -> ami-1\n"
        "  +- replace  aws:ec2/instance:Instance web-vm  (ami)\n"
        "prod    db          ?    drifted\n"
        "  ?  host db: daemon.json: it was changed (mend: mctl provision db)\n"
        "  mend: mctl refresh prod, then mctl up prod\n"
        "dev     1 machine        unchanged\n"
    )


def test_an_issue_about_drift_says_what_differs_and_what_mends_it() -> None:
    assert preview_text.markdown([DRIFTED], diff=False) == (
        "### 1 of 1 stack would change\n\n"
        "| Stack | Machine | | What happens | Because of |\n"
        "|---|---|---|---|---|\n"
        "| prod | web | +- | replaces the VM (its data is lost) | ami |\n"
        "| prod | db | ? | drifted | daemon.json: it was changed |\n\n"
        "To mend it: prod: `mctl refresh prod, then mctl up prod`\n\n"
        "<details><summary>prod / web</summary>\n\n"
        "```\n?  aws:ec2/instance:Instance web-vm: ami: ami-2 -> ami-1\n"
        "+- replace  aws:ec2/instance:Instance web-vm  (ami)\n```\n\n</details>\n"
        "<details><summary>prod / db</summary>\n\n"
        "```\n?  host db: daemon.json: it was changed (mend: mctl provision db)\n```\n\n</details>\n"
    )


PRICED = Preview(
    "prod",
    (
        Touched("api", "create", "makes the machine", (), price=12),
        Touched("web", "replace", "replaces the VM (its data is lost)", (VM,), price=-1234.5),
        Touched("db", "update", "in place", (CONFIGURE,)),
    ),
)


def test_prices_are_told_of_each_machine_where_they_are_known_and_in_total() -> None:
    assert preview_text.text([PRICED, Preview("dev", (), 1)], diff=False) == (
        "STACK   MACHINE          WHAT HAPPENS\n"
        "prod    api         +    makes the machine, +$12.00/month\n"
        "prod    web         +-   replaces the VM (its data is lost), -$1,234.50/month\n"
        "  +- replace  aws:ec2/instance:Instance web-vm  (ami)\n"
        "prod    db          ~    in place\n"
        "  ~  update   command:remote:Command web-configure  (stdin)\n"
        "dev     1 machine        unchanged\n"
        "Price, as far as it is known: -$1,222.50/month\n"
    )
    said = preview_text.markdown([PRICED, Preview("dev", (), 1)], diff=False)
    assert (
        "| prod | api | + | makes the machine, +$12.00/month |  |\n"
        "| prod | web | +- | replaces the VM (its data is lost), -$1,234.50/month | ami |\n"
        "| prod | db | ~ | in place | stdin |\n\n"
        "Price, as far as it is known: -$1,222.50/month\n\n"
        "Unchanged: dev: 1 machine\n\n"
    ) in said


def test_the_json_has_prices_and_no_more_of_a_resource_than_what_differs() -> None:
    before = Change("api-vm", "vm", "delete", (), before={"user_data": "long"})
    plain = Preview("prod", (*PRICED.machines, Touched("x", "", "", (before,)))).to_json()
    assert (plain["price"], [machine["price"] for machine in plain["machines"]]) == (-1222.5, [12, -1234.5, None, None])
    assert set(plain["machines"][3]["resources"][0]) == {"resource", "kind", "op", "why", "replaces", "differences"}


def test_a_comment_has_a_table_then_errors_then_folded_details() -> None:
    assert preview_text.markdown([Preview("prod", (WEB,), 2), BAD], diff=True) == (
        "### 1 of 2 stacks would change, 1 stack could not be previewed\n\n"
        "| Stack | Machine | | What happens | Because of |\n"
        "|---|---|---|---|---|\n"
        "| prod | web | +- | replaces the VM (its data is lost) | ami |\n\n"
        "Unchanged: prod: 2 machines\n\n"
        "**bad** could not be previewed:\n\n"
        '````\nno | credentials\n```\n<b>"x"</b>\nhint: mctl doctor\n````\n\n'
        "<details><summary>prod / web</summary>\n\n"
        "```\n+- replace  aws:ec2/instance:Instance web-vm  (ami)\n"
        "~  update   command:remote:Command web-configure  (stdin)\n```\n"
        "```diff\n@@ web-vm\nami:\n-   ami-1\n+   ami-2\n@@ web-configure\n```\n\n"
        "</details>\n"
    )


def test_a_long_comment_leaves_details_out_by_whole_machines_and_says_so() -> None:
    lines = tuple(f"+ {number} {'x' * 90}" for number in range(100))
    change = Change("web-vm", "vm", "update", ("user_data",), (), (Difference("user_data", lines),))
    machines = tuple(Touched(f"web-{number}", "update", "in place", (change,)) for number in range(20))
    said = preview_text.markdown([Preview("prod", machines)], diff=True)
    assert len(said) < 65_536
    assert [line for line in said.splitlines() if line.startswith("| prod |")] == [
        f"| prod | web-{number} | ~ | in place | user_data |" for number in range(20)
    ]
    kept = said.count("<details>")
    assert 0 < kept < 20
    assert said.count("</details>") == kept
    assert said.count("```") == 4 * kept
    assert said.endswith(f"\nThe details of {20 - kept} machines are too long for this comment.\n")


def test_a_table_that_is_too_long_ends_with_a_whole_row_and_says_how_many_are_missing() -> None:
    machines = tuple(Touched(f"web-{number}", "update", "in place", (CONFIGURE,)) for number in range(3000))
    said = preview_text.markdown([Preview("prod", machines), BAD], diff=False)
    assert len(said) < 65_536
    rows = [line for line in said.splitlines() if line.startswith("| prod")]
    assert all(row.count("|") == 6 for row in rows)
    assert f"\n… and {3000 - len(rows)} more machines: too many for one comment.\n" in said
    assert "**bad** could not be previewed" in said


def test_long_errors_are_shortened() -> None:
    said = preview_text.markdown([Preview(f"s{number}", error="x" * 20_000) for number in range(10)], diff=False)
    assert len(said) < 20_000
    assert said.count("x…\n") == 10
