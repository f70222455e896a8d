"""No value of a parameter becomes PromQL."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ospec_plugin_prometheus.templates import TemplateError, escaped, fill, quoted, selector

NASTY = '"} or vector(0) #'


def test_a_value_stands_in_its_string() -> None:
    assert fill("up{v=\"{{release}}\", w='{{ release }}'}", {"release": "v1"}) == "up{v=\"v1\", w='v1'}"


@pytest.mark.parametrize("quote", ['"', "'"])
def test_a_value_cannot_leave_its_string(quote: str) -> None:
    filled = fill(f"up{{v={quote}{{{{release}}}}{quote}}}", {"release": NASTY.replace('"', quote) + "\\\n"})
    inside = filled[len("up{v=") + 1 : -2]
    assert quote not in inside
    assert "\n" not in inside
    assert not re.search(r"\\[^u]", inside)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_escapes_mean_the_value(value: str) -> None:
    told = escaped(value)
    read = re.sub(r"\\U([0-9a-f]{8})|\\u([0-9a-f]{4})", lambda one: chr(int(one[1] or one[2], 16)), told)
    assert read == value
    assert json.dumps(told, ensure_ascii=False) == '"' + told.replace("\\", "\\\\") + '"'


@given(st.text())
def test_a_regular_expression_matches_the_value_alone(value: str) -> None:
    assert re.fullmatch(quoted(value), value)


def test_after_a_matching_sign_the_value_is_no_expression() -> None:
    query = 'up{v=~"{{release}}-.+", w!~ "{{release}}", x="{{release}}"}'
    assert fill(query, {"release": "v1.2"}) == 'up{v=~"v1\\u005c.2-.+", w!~ "v1\\u005c.2", x="v1.2"}'


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("up{v={{release}}}", "has to stand in quotes"),
        ("up{v=`{{release}}`}", "double quotes"),
        ('up{v="{{relese}}"}', "did you mean release"),
        ('up{v="{{nothing}}"}', "there are: interval, release"),
        ('up{v="{{}}"}', "there is no parameter ''"),
    ],
)
def test_what_cannot_be_filled_is_refused(query: str, why: str) -> None:
    with pytest.raises(TemplateError, match=why):
        fill(query, {"release": "v1", "interval": "30s"})


def test_a_duration_stands_outside_of_strings() -> None:
    assert fill('rate(up{v="{{release}}"}[{{interval}}])', {"release": "v1", "interval": "30s"}) == (
        'rate(up{v="v1"}[30s])'
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("up", ("up", set())),
        (' http:requests{a="b", c=~\'d{1,2}\',e!="f=~"}\n', ("http:requests", {"a", "c", "e"})),
        ('up{v="}"}', ("up", {"v"})),
        ("sum(up)", None),
        ("up[5m]", None),
        ("up * 2", None),
        ('up{v="a"} or up', None),
        ('{__name__="up"}', None),
    ],
)
def test_what_only_selects_series(query: str, found: object) -> None:
    assert selector(query) == found
