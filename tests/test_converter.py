"""The strict converter: nothing is coerced, unknown keys are refused, what is stored reads across versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from attrs import frozen
from ospec.converter import from_json, from_stored_json, to_json


@frozen
class Inner:
    number: float
    names: tuple[str, ...] = ()


@frozen
class Outer:
    inner: Inner
    flag: bool = False
    table: Mapping[str, int | str] = {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"inner": {"number": "1"}},
        {"inner": {"number": True}},
        {"inner": {"number": 1}, "flag": 1},
        {"inner": {"number": 1, "names": [1]}},
        {"inner": {"number": 1}, "table": {"a": 1.5}},
        {"inner": {"number": 1}, "unknown": 1},
        {"inner": {}},
    ],
)
def test_nothing_is_coerced_or_dropped(wrong: Any) -> None:
    with pytest.raises(Exception, match="structuring"):
        from_json(wrong, Outer)


def test_round_trip() -> None:
    value = Outer(Inner(1.5, ("a", "ü")), True, {"a": 1, "b": "x"})
    assert from_json(to_json(value), Outer) == value
    assert from_json({"inner": {"number": 2}}, Outer).inner.number == 2.0


def test_what_another_version_stored_is_read() -> None:
    assert from_stored_json({"inner": {"number": 1, "later": 2}, "more": []}, Outer) == Outer(Inner(1.0))
    with pytest.raises(Exception, match="structuring"):
        from_stored_json({"inner": {"number": "1"}}, Outer)
