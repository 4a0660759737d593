"""Whose resources at a provider are."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.stacks import state_files
from infra.stacks.owner import owner


def test_all_who_share_a_state_are_one_owner_and_others_are_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(state_files.VARIABLE, "s3://team-a")
    ours = owner(tmp_path / "one")
    assert owner(tmp_path / "two") == ours
    monkeypatch.setenv(state_files.VARIABLE, "s3://team-b")
    assert owner(tmp_path / "one") != ours


def test_a_state_on_a_disk_has_an_id_of_its_own_for_its_path_is_that_of_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(state_files.VARIABLE, (tmp_path / "a state").as_uri())
    ours = owner(tmp_path)
    assert len(ours) == 16
    assert owner(tmp_path) == ours
    (tmp_path / "a state" / "mctl-owner").unlink()
    assert owner(tmp_path) != ours
