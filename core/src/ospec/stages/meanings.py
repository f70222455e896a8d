"""What the model's docstrings say of its classes and fields: one text for the schema and the example."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from functools import cache
from itertools import pairwise

from ospec.models import document


def meaning_of(kind: type) -> str:
    """The docstring of a class, in one line, without the key it begins with."""
    text = " ".join((kind.__doc__ or "").split())
    told = text.partition("`: ")[2] if text.startswith("`") else text
    return told[:1].upper() + told[1:]


@cache
def meanings_of(kind: type) -> Mapping[str, str]:
    """The text after each field of a class, its parents' included, in one line."""
    nodes = _classes()
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        body = nodes[one.__name__].body if one.__name__ in nodes else []
        for field, following in pairwise(body):
            is_text = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and is_text:
                found[field.target.id] = " ".join(str(following.value.value).split()).replace("``", "`")  # type: ignore[attr-defined]  # is_text
    return found


@cache
def _classes() -> Mapping[str, ast.ClassDef]:
    return {node.name: node for node in ast.parse(inspect.getsource(document)).body if isinstance(node, ast.ClassDef)}
