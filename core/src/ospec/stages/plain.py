"""Values as JSON has them: what TOML and YAML can say beyond that is a fault, or text."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from typing import Any

from ospec.stages.shape import Misfit
from ospec.stages.toml_positions import Path

DEEPEST = 40


class DateText(str):
    """A date or a time as text: kept where anything may stand, and no text for the model, which coerces nothing."""

    __slots__ = ()


def plain(value: Any, misfits: list[Misfit], path: Path = ()) -> Any:
    """A copy of `value` in tables, lists, text, numbers, true and false; what cannot be told so goes to `misfits`."""
    if len(path) > DEEPEST:
        misfits.append(Misfit(path, "the value stands too deep", f"at most {DEEPEST} levels"))
        return None
    if isinstance(value, Mapping):
        misfits += [
            Misfit((*path, str(key)), f"the key {key!r} is no text", "a key in quotes")
            for key in value
            if not isinstance(key, str)
        ]
        return {key: plain(one, misfits, (*path, key)) for key, one in value.items() if isinstance(key, str)}
    if isinstance(value, list):
        return [plain(one, misfits, (*path, number)) for number, one in enumerate(value)]
    if isinstance(value, (datetime.date, datetime.time)):  # a date with its time of day is a date, too
        return DateText(value.isoformat())
    if isinstance(value, float) and not math.isfinite(value):
        misfits.append(Misfit(path, f"found {value}", "a finite number"))
    elif value is not None and not isinstance(value, (str, bool, int, float)):
        misfits.append(
            Misfit(path, f"found a value of the kind {type(value).__name__}", "text, a number, a list or a table")
        )
    else:
        return value
    return None
