"""The part of Go's text/template that `--format` is used for, and its words in errors.

Fields, functions, pipelines, parentheses, `if`, `range` and trim markers. What is printed is Go's: `map[a:1]`, `[a b]`,
`<no value>`. Source: https://pkg.go.dev/text/template
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cli.go_functions import FUNCTIONS, as_text
from infra.errors import MctlError

Value = Callable[[Any], Any]  # both are functions of the dot
Text = Callable[[Any], str]

STRING = r'"(?:\\.|[^"\\\n])*"|`[^`]*`'
ACTION = re.compile(rf"\{{\{{(- )?((?:{STRING}|(?!\}}\}}).)*?)( -)?\}}\}}", re.DOTALL)
TOKEN = re.compile(
    rf"\s*(?:(?P<string>{STRING})|(?P<number>-?\d+)|(?P<field>\.(?:\w+(?:\.\w+)*)?)|(?P<word>\w+)|(?P<sign>[()|]))"
)
CONSTANTS = {"true": True, "false": False}
BLOCKS = ("if", "range")


class TemplateError(MctlError):
    """Report a template that can't be read, or not be filled in with this data."""


class Struct(dict[str, Any]):
    """A mapping whose fields are all there are: to ask for another is an error."""

    def __missing__(self, key: str) -> Any:
        raise TemplateError(f"can't evaluate field {key}", mend=f"the fields are: {', '.join(self)}")


class Template:
    """A template, read once and filled in many times. Raises TemplateError."""

    def __init__(self, source: str) -> None:
        try:
            self.render: Text = _Reader(source).block()
        except TemplateError as error:
            raise TemplateError(f"template parsing error: {error.message}", mend=error.mend) from None


class _Reader:
    """Read text and actions in turn; each becomes a function of the dot."""

    def __init__(self, source: str) -> None:
        self._pieces = _pieces(source)
        self._last = ""

    def block(self, within: str = "") -> Text:
        """Read up to the `else` or the `end` of a block, and keep that; the outermost has neither."""
        texts: list[Text] = []
        for piece, is_action in self._pieces:
            word = piece.split()[0] if is_action and piece.split() else ""
            if word in ("else", "end"):
                if not within:
                    raise TemplateError(f"unexpected {{{{{word}}}}}")
                self._last = piece.strip()
                return _joined(texts)
            texts.append(self._text(piece.strip(), word) if is_action else _literal(piece))
        if within:
            raise TemplateError(f"unexpected EOF: {{{{{within}}}}} has no {{{{end}}}}")
        return _joined(texts)

    def _text(self, action: str, word: str) -> Text:
        if word not in BLOCKS:
            value = _Action(action).value()
            return lambda dot: as_text(value(dot))
        value = _Action(action.removeprefix(word)).value()
        then, otherwise = self.block(word), _literal("")
        if self._last == "else":
            otherwise = self.block(word)
        elif self._last.startswith("else if "):  # one `end` ends both
            otherwise = self._text(self._last.removeprefix("else "), "if")
        elif self._last != "end":
            raise TemplateError(f"unexpected {{{{{self._last}}}}}")
        if word == "range":
            return lambda dot: "".join(map(then, items)) if (items := _items(value(dot))) else otherwise(dot)
        return lambda dot: then(dot) if value(dot) else otherwise(dot)


class _Action:
    """Read the inside of one `{{…}}`."""

    def __init__(self, source: str) -> None:
        self._tokens = [*_tokens(source), ("", "")]
        self._at = 0

    def value(self) -> Value:
        """Read a pipeline, and nothing after it."""
        value = self._pipeline()
        if self._ahead:
            raise TemplateError(f"unexpected {self._ahead!r} in command")
        return value

    @property
    def _ahead(self) -> str:
        return self._tokens[self._at][1]

    def _next(self) -> tuple[str, str]:
        self._at += 1
        return self._tokens[self._at - 1]

    def _pipeline(self) -> Value:
        value = self._command([])
        while self._ahead == "|":
            self._next()
            value = self._command([value])
        return value

    def _command(self, piped: list[Value]) -> Value:
        kind, name = self._tokens[self._at]
        if kind != "word" or name in CONSTANTS:
            value = self._operand()
            if piped or self._ahead not in ("", "|", ")"):
                raise TemplateError("can't give arguments to what is no function")
            return value
        if name not in FUNCTIONS:
            raise TemplateError(f'function "{name}" not defined', mend=f"the functions are: {', '.join(FUNCTIONS)}")
        self._next()
        operands = []
        while self._ahead not in ("", "|", ")"):
            operands.append(self._operand())
        return _call(name, [*operands, *piped])

    def _operand(self) -> Value:
        kind, word = self._next()
        if kind == "field":
            return _path([*filter(None, word.split("."))])
        if word == "(":
            value = self._pipeline()
            if self._next()[1] != ")":
                raise TemplateError("unclosed left paren")
            return value
        if kind in ("string", "number") or word in CONSTANTS:
            constant = _constant(kind, word)
            return lambda _dot: constant
        raise TemplateError(f"unexpected {word!r} in operand" if word else "missing value for command")


def _pieces(source: str) -> Iterator[tuple[str, bool]]:
    """Part text from actions (True); a trim marker takes the white space beside it."""
    at, trimmed = 0, False
    for match in ACTION.finditer(source):
        text = source[at : match.start()]
        text = text.lstrip() if trimmed else text
        yield text.rstrip() if match[1] else text, False
        yield match[2], True
        at, trimmed = match.end(), bool(match[3])
    rest = source[at:]
    if "{{" in rest:
        raise TemplateError("unclosed action")
    yield rest.lstrip() if trimmed else rest, False


def _tokens(source: str) -> Iterator[tuple[str, str]]:
    at, source = 0, source.rstrip()
    while at < len(source):
        match = TOKEN.match(source, at)
        if not match:
            raise TemplateError(f"unexpected {source[at:].lstrip()[0]!r} in command")
        yield str(match.lastgroup), match[str(match.lastgroup)]
        at = match.end()


def _constant(kind: str, word: str) -> Any:
    if kind == "number":
        return int(word)
    if kind == "word":
        return CONSTANTS[word]
    inside = word[1:-1]
    return inside if word[0] == "`" else inside.encode("latin-1", "backslashreplace").decode("unicode_escape")


def _literal(text: str) -> Text:
    return lambda _dot: text


def _joined(texts: list[Text]) -> Text:
    return lambda dot: "".join([text(dot) for text in texts])


def _items(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [value[key] for key in sorted(value)]
    if isinstance(value, list) or value is None:
        return value or []
    raise TemplateError(f"range can't iterate over {as_text(value)}")


def _path(keys: list[str]) -> Value:
    """Follow fields from the dot; what a mapping lacks is None, and so is whatever comes after."""

    def found(dot: Any) -> Any:
        for key in keys:
            if dot is None:
                return None
            if not isinstance(dot, Mapping):
                raise TemplateError(f"can't evaluate field {key} of {as_text(dot)}")
            dot = dot[key] if isinstance(dot, Struct) else dot.get(key)
        return dot

    return found


def _call(name: str, operands: list[Value]) -> Value:
    def called(dot: Any) -> Any:
        arguments = [operand(dot) for operand in operands]
        try:
            return FUNCTIONS[name](*arguments)
        except (TypeError, ValueError, LookupError):
            given = ", ".join(map(as_text, arguments)) or "none"
            raise TemplateError(f"error calling {name}: wrong arguments: {given}") from None

    return called
