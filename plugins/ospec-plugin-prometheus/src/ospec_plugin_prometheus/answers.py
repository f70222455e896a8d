"""What Prometheus answers, read with care: an answer is series of finite samples, or there is none and a reason why."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from attrs import frozen


class NoAnswerError(Exception):
    """Prometheus said nothing that can be used.

    Args:
        reason: for a person; holds no secret.
        hint: what to do about it.
        wrong: asking again would not help: a query, the token or the address is wrong.
        unreachable: it took too long, or nothing was there.
    """

    def __init__(self, reason: str, hint: str = "", wrong: bool = False, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.hint, self.wrong, self.unreachable = reason, hint, wrong, unreachable


@frozen
class Series:
    """One series: its labels, and its samples as (Unix seconds of Prometheus, value), oldest first."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


@frozen
class Answer:
    """The series of one query."""

    series: tuple[Series, ...]
    now: float
    """The server's clock, Unix seconds, less than a second behind."""
    unusable: int = 0
    """Samples that were NaN or infinite, and were left out."""


def read_answer(body: bytes, now: float) -> Answer:
    """Read the JSON of ``/api/v1/query`` with a range of samples; raises `NoAnswerError`."""
    try:
        told = json.loads(body)
        if told["status"] != "success":
            raise NoAnswerError(f"it answers: {told.get('error', 'an error')}")
        partial = [one for one in told.get("warnings") or () if not str(one).startswith("PromQL info")]
        if partial:
            raise NoAnswerError(f"its answer is not whole: {partial[0]}")
        if told["data"]["resultType"] != "matrix":
            raise NoAnswerError(f"it answers with a {told['data']['resultType']}, expected a matrix", wrong=True)
        rows = [_series(one) for one in told["data"]["result"]]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise NoAnswerError("its answer cannot be read: it is cut off, or no answer of Prometheus") from None
    return Answer(tuple(one for one, _ in rows if one.points), now, sum(bad for _, bad in rows))


def _series(row: Mapping[str, Any]) -> tuple[Series, int]:
    if "values" not in row:
        raise NoAnswerError("native histograms are not read", hint="query a classic histogram, ..._bucket", wrong=True)
    points = [(float(at), float(value)) for at, value in row["values"]]
    fine = tuple((at, value) for at, value in points if math.isfinite(at) and math.isfinite(value))
    return Series({str(name): str(value) for name, value in row["metric"].items()}, fine), len(points) - len(fine)


def read_refusal(status: int, body: bytes) -> NoAnswerError:
    """What an answer with another status than 200 means."""
    if status in (400, 422):
        return NoAnswerError(
            f"it does not take the query: {_told(body)}", hint="try it in Prometheus itself", wrong=True
        )
    if status in (401, 403):
        hint = "set plugins.prometheus.token or headers to what it expects"
        return NoAnswerError(f"it answers {status}: it does not take the token", hint, wrong=True)
    if 300 <= status < 400:
        hint = "write the address that it leads to into plugins.prometheus.url"
        return NoAnswerError(f"it answers {status}, and leads elsewhere", hint, wrong=True)
    if status in (404, 405):
        hint = "plugins.prometheus.url is what comes before /api/v1/query"
        return NoAnswerError(f"it answers {status}: no Prometheus is there", hint, wrong=True)
    return NoAnswerError(f"it answers {status}")


def _told(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, TypeError, KeyError):
        return "it does not say why"
