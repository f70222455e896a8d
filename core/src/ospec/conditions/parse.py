"""From text to a condition. Words: and, or, not; signs: > >= < <= == !=; parentheses; a unit may follow a number."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator

from attrs import frozen

from ospec.conditions.metrics import KNOWN, UNITS, Metric, metric_named
from ospec.conditions.tree import COMPARE, Both, Comparison, Condition, Node, Not
from ospec.errors import DocumentError

_TOKEN = re.compile(
    r"(?P<number>[-+]?(?:\d+\.?\d*|\.\d+))|(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)"
    r"|(?P<sign>>=|<=|==|!=|[<>])|(?P<bracket>[()])|(?P<unit>%)|(?P<other>&&|\|\||[^\s])"
)
_INSTEAD = {"&&": "and", "||": "or", "!": "not", "=": "==", "≥": ">=", "≤": "<=", "≠": "!=", "&": "and", "|": "or"}
_DEEPEST = 50


@frozen
class Token:
    """One word of a condition."""

    kind: str
    text: str
    column: int
    """From 1."""


def parse_condition(text: str, *, where: str = "", gauges: Collection[str] = ()) -> Condition:
    """Read a condition.

    Args:
        text: such as ``error_rate > 5% or response_time_p95 > 2s``.
        where: its place in the document, for errors.
        gauges: names of further metrics.

    Raises:
        DocumentError: it is none (``invalid-condition``): the column, what was expected, and what may have been meant.
    """
    reader = _Reader(text, where, gauges)
    node = reader.either()
    reader.end()
    return Condition(text, node)


class _Reader:
    """Reads one token after the other; a method for each rule."""

    def __init__(self, text: str, where: str, gauges: Collection[str]) -> None:
        self._where, self._gauges = where, gauges
        self._tokens = [*_tokens(text), Token("end", "", len(text.rstrip()) + 1)]
        self._at = 0
        self._depth = 0

    def either(self) -> Node:
        """``a or b or c``."""
        parts = [self._all()]
        while self._word("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Both("or", tuple(parts))

    def end(self) -> None:
        """Nothing may follow."""
        if self._next.kind != "end":
            raise self._expected("and, or, or the end")

    def _all(self) -> Node:
        parts = [self._one()]
        while self._word("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Both("and", tuple(parts))

    def _one(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._wrong(f"more than {_DEEPEST} levels of not and parentheses", self._next)
        node: Node
        if self._word("not"):
            node = Not(self._one())
        elif self._next.text == "(":
            self._take()
            node = self.either()
            if self._next.text != ")":
                raise self._expected("a closing parenthesis")
            self._take()
        else:
            node = self._comparison()
        self._depth -= 1
        return node

    def _comparison(self) -> Comparison:
        if self._next.kind != "name" or self._next.text.lower() in ("and", "or"):
            raise self._expected("a metric")
        name = self._take()
        metric = metric_named(name.text, self._gauges)
        if metric is None:
            raise self._unknown(name)
        if self._next.kind != "sign":
            raise self._expected(f"one of {' '.join(COMPARE)}")
        sign = self._take().text
        if self._next.kind != "number":
            raise self._expected("a number")
        return Comparison(metric, sign, self._bound(metric))

    def _bound(self, metric: Metric) -> float:
        """A number with its unit, as the metric counts."""
        number = self._take()
        units, unit = UNITS[metric.dimension], ""
        touches = self._next.column == number.column + len(number.text)
        if self._next.kind == "unit" or (
            self._next.kind == "name" and (touches or self._next.text.lower() not in ("and", "or", "not"))
        ):
            found = self._take()
            unit = found.text
            if unit not in units:
                names = ", ".join(one for one in units if one) or "no unit"
                close = [one for one in units if one.lower() == unit.lower()]
                hints = (f"did you mean {close[0]}?",) if close else ()
                raise self._wrong(f"{metric.name} does not come in {unit!r}; expected {names}", found, hints)
        value = float(number.text) * units[unit]
        if metric.dimension == "fraction" and not 0 <= value <= 1:
            hints = (f"did you mean {number.text}%?",) if not unit and 1 < value <= 100 else ()
            raise self._wrong(f"{metric.name} is a fraction, 0 to 1", number, hints)
        return value

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _word(self, word: str) -> bool:
        found = self._next.kind == "name" and self._next.text.lower() == word
        self._at += found
        return found

    def _expected(self, what: str) -> DocumentError:
        found = self._next
        instead = _INSTEAD.get(found.text)
        told = repr(found.text) if found.text else "the end"
        return self._wrong(f"expected {what}, found {told}", found, (f"did you mean {instead!r}?",) if instead else ())

    def _unknown(self, name: Token) -> DocumentError:
        known = [*KNOWN, *self._gauges]
        close = difflib.get_close_matches(name.text, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known)}"
        return self._wrong(f"there is no metric {name.text!r}", name, (hint,))

    def _wrong(self, what: str, token: Token, hints: tuple[str, ...] = ()) -> DocumentError:
        return DocumentError(f"column {token.column}: {what}", code="invalid-condition", where=self._where, hints=hints)


def _tokens(text: str) -> Iterator[Token]:
    for found in _TOKEN.finditer(text):
        yield Token(found.lastgroup or "other", found[0], found.start() + 1)
