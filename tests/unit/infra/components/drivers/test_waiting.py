from __future__ import annotations

import pytest

from infra.components.drivers import waiting


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.001)


def test_it_is_asked_again_until_it_is_so() -> None:
    answers = iter([False, False, True])
    assert waiting.until(lambda: next(answers), 60)
    assert next(answers, None) is None


def test_what_never_comes_is_told_in_time() -> None:
    answers = iter(lambda: False, True)
    assert not waiting.until(lambda: next(answers), 0.01)


def test_what_is_so_already_takes_no_time() -> None:
    assert waiting.until(lambda: True, -1)
