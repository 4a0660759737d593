"""Pipelines end to end: the real program and engine on real stacks, against forges that answer over HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli_runner import Ran
from tests.container_hosts import ContainerHost
from tests.forges import OURS, GitHub, GitLab, serve
from tests.hosts.checkout import Checkout
from tests.hosts.shop import Shop, options

FIRST = "    prod-1:\n"
SECOND = "    prod-2:\n      provider: none\n      options: {url: 'tcp://192.0.2.2:2376'}\n"


@pytest.fixture(params=[GitHub, GitLab], ids=["GitHub", "GitLab"], scope="module")
def checkout(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """Three stacks, one machine each."""
    with serve(request.param()) as forge:
        made = Checkout(Shop(tmp_path_factory.mktemp("pipeline")), forge)
        for stack in ("prod", "staging"):
            made.make(stack, f"{stack}-1")
        yield made


def test_a_request_gets_one_comment_edited_in_place_and_its_merge_does_what_that_shows(checkout: Checkout) -> None:
    kept = checkout.forge.repository
    kept.comments.append({"id": 1, "by": "someone", "body": '<!-- mctl preview of .: {"prod": "0"} -->\n', "state": ""})
    kept.files[7] = ["README.md"]
    assert checkout.ci("preview", 7) == Ran(0, "no stack is touched\n", "")
    assert kept.of_ours() == []

    kept.files[7] = ["README.md", "Pulumi.prod.yaml"]
    checkout.change("prod", FIRST, SECOND + FIRST)
    first = checkout.ci("preview", 7)
    assert first.code == 0, first.err
    (comment,) = kept.of_ours()
    assert "1 of 1 stack would change" in comment
    assert "| prod | prod-2 | + | makes the machine |" in comment
    assert "staging" not in comment

    checkout.change("prod", "192.0.2.2", "192.0.2.3")
    kept.files[7].append("Pulumi.staging.yaml")
    checkout.change("staging", "provider: none", "provider: nine")
    second = checkout.ci("preview", 7)
    assert second.code == 1
    (edited,) = kept.of_ours()
    assert "| prod | prod-2 | + | makes the machine |" in edited, "a stack that fails hides no other's preview"
    assert "**staging** could not be previewed" in edited
    assert "nine" in edited
    checkout.change("staging", "provider: nine", "provider: none")

    kept.merged = 7
    kept.files[7].remove("Pulumi.staging.yaml")
    checkout.change("prod", "192.0.2.3", "192.0.2.4")
    refused = checkout.ci("up")
    assert (refused.code, refused.out) == (1, "")
    assert "what would be done to stack prod now is not what was previewed, so nothing was done" in refused.err
    assert checkout.shop.mctl("url", "prod-2").code == 4

    checkout.change("prod", "192.0.2.4", "192.0.2.3")
    done = checkout.ci("up")
    assert (done.code, done.out) == (0, "Stack prod is what it declares\n"), done.err
    assert checkout.shop.mctl("url", "prod-2").out == "tcp://192.0.2.3:2376\n"
    assert [each["by"] for each in kept.comments] == ["someone", OURS]


def test_a_stack_that_a_request_adds_is_refused_where_it_can_mean_nothing(checkout: Checkout) -> None:
    kept = checkout.forge.repository
    kept.files[10] = ["Pulumi.new.yaml"]
    kept.comments, before = [], kept.comments
    checkout.file("new").write_text("config:\n  mctl:machines:\n    new-1: {provider: nine}\n")
    ran = checkout.ci("preview", 10)
    checkout.file("new").unlink()
    (comment,) = kept.of_ours()
    kept.comments = before
    assert ran.code == 1
    assert "**new** could not be previewed" in comment
    assert f"{checkout.file('new')}: unknown provider 'nine'" in comment


def test_a_fork_gets_no_secrets_and_is_told_so(checkout: Checkout) -> None:
    before = list(checkout.forge.repository.calls)
    ran = checkout.ci("preview", 8, fork=True)
    assert ran.code == 0
    assert "Forks get no secrets, so nothing was previewed" in ran.out
    assert checkout.forge.repository.calls == before


def test_a_commit_without_a_request_and_one_without_a_preview_are_refused(checkout: Checkout) -> None:
    kept = checkout.forge.repository
    kept.merged = None
    assert checkout.ci("up").code == 2
    kept.merged = 9
    kept.files[9] = ["Pulumi.yaml"]
    kept.comments, before = [], kept.comments
    ran = checkout.ci("up")
    kept.comments = before
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("Error: the request has no comment with a preview\n")


def test_a_token_that_is_missing_or_refused_is_told_with_the_rights_it_needs(checkout: Checkout) -> None:
    checkout.forge.repository.files[7] = ["Pulumi.prod.yaml"]
    job = checkout.forge.job(checkout.folder, 7)
    name = next(name for name in job if name.endswith("_TOKEN"))
    without = checkout.shop.mctl("ci", "preview", variables=job | {name: ""})
    assert (without.code, without.err.splitlines()[0]) == (2, f"Error: {name} is not set")
    refused = checkout.shop.mctl("ci", "preview", variables=job | {name: "of-someone-else"})
    assert refused.code == 1
    assert f"{checkout.forge.name} answered 401" in refused.err
    assert "of-someone-else" not in refused.err


def test_drift_is_one_issue_that_is_closed_when_there_is_none(checkout: Checkout) -> None:
    kept = checkout.forge.repository
    checkout.change("prod", FIRST, SECOND.replace("prod-2", "prod-3") + FIRST)
    for _ in range(2):
        found = checkout.ci("drift")
        assert found.code == 0, found.err
    (issue,) = kept.issues
    assert "| prod | prod-3 | + | makes the machine |" in issue["body"]
    checkout.change("prod", SECOND.replace("prod-2", "prod-3"), "")
    assert checkout.ci("drift").code == 0
    assert [each["state"] for each in kept.issues] == ["closed"]


def test_a_host_is_changed_on_merge_by_the_plan_of_its_preview(tmp_path: Path, host: ContainerHost) -> None:
    with serve(GitHub()) as forge:
        checkout = Checkout(Shop(tmp_path), forge)
        checkout.make("web", "web-1", *options(host))
        checkout.change("web", "provider: generic\n", "provider: generic\n      engine: {labels: [tier=web]}\n")
        kept = forge.repository
        kept.files[1], kept.merged = ["Pulumi.web.yaml"], 1
        previewed = checkout.ci("preview", 1)
        assert previewed.code == 0, previewed.err
        (comment,) = kept.of_ours()
        assert re.search(r"\| web \| web-1 \| ~ \| restarts the engine", comment)
        assert "PRIVATE KEY" not in comment + previewed.out + previewed.err
        done = checkout.ci("up")
        assert (done.code, done.out) == (0, "Stack web is what it declares\n"), done.err
        labels = json.loads(checkout.shop.docker("--context", "web-1", "info", "--format", "{{json .Labels}}"))
        assert "tier=web" in labels
