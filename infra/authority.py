"""Which generations of a stack's certificate authority count, and how one follows another with no gap.

Standard library only. Generation 0 is one that was adopted; 1 and up are made by the stack. In a roll every step is a
state of its own, written down before it is made, and in each of them every machine can be reached with the certificates
that the step before handed out:

1. clients trust the next generation too; no host is touched
2. hosts show certificates of the next generation, and admit clients of both
3. clients show certificates of the next generation; no host is touched
4. clients and hosts forget the generation before

A stack with an adopted authority begins its life after the first step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from infra.errors import UsageError

ADOPTED = 0


@dataclass(frozen=True, kw_only=True)
class AuthoritySpec:
    """The generations that count, as declared under `mctl:authority` in Pulumi.<stack>.yaml.

    signs: signs the machines' certificates. client: signs the client's. trusts: whose machines clients trust.
    admits: whose clients machines let in.
    """

    signs: int = 1
    client: int = 1
    trusts: tuple[int, ...] = (1,)
    admits: tuple[int, ...] = (1,)

    @classmethod
    def from_config(cls, declared: Any) -> AuthoritySpec:
        """Read `mctl:authority`. Raises UsageError for what can't mean anything."""
        if declared is None:
            return cls()
        if not isinstance(declared, Mapping) or not set(declared) <= {"signs", "client", "trusts", "admits"}:
            raise UsageError("mctl:authority is not a mapping of signs, client, trusts and admits")
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in declared.items()}
        spec = cls(**values)
        lists = (spec.trusts, spec.admits)
        if not all(isinstance(each, tuple) and each for each in lists) or not all(map(_is_one, spec.generations)):
            raise UsageError("mctl:authority: generations are whole numbers from 0, and `trusts` and `admits` lists")
        if spec.signs == ADOPTED:
            raise UsageError("mctl:authority: generation 0 was adopted without its key, so it can't sign")
        return spec

    def to_config(self) -> dict[str, Any]:
        """Write the entry; nothing where it is at its default."""
        values = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        return {} if self == AuthoritySpec() else values

    @property
    def generations(self) -> tuple[int, ...]:
        """Every generation that counts for anything."""
        return tuple(dict.fromkeys((*self.trusts, *self.admits, self.signs, self.client)))

    @property
    def is_settled(self) -> bool:
        """Tell whether one generation alone counts, so that no roll is under way."""
        return len(self.generations) == 1

    def rolled(self) -> AuthoritySpec:
        """Take the first step to the next generation."""
        return replace(self, trusts=(*self.trusts, max(self.generations) + 1))

    def step(self) -> AuthoritySpec | None:
        """Give the next step of the roll; None after the last."""
        newest = self.trusts[-1]
        if self.signs != newest or newest not in self.admits:
            return replace(self, signs=newest, admits=(self.client, newest))
        if self.client != newest:
            return replace(self, client=newest)
        return None if self.is_settled else replace(self, trusts=(newest,), admits=(newest,))


# Its clients and machines go on as they are, and the first generation of our own is trusted already.
AFTER_ADOPTION = AuthoritySpec(signs=1, client=ADOPTED, trusts=(ADOPTED, 1), admits=(ADOPTED,))


def _is_one(generation: Any) -> bool:
    return isinstance(generation, int) and not isinstance(generation, bool) and generation >= 0
