"""Verifying a split: the front door is asked as many users would ask it, and the answers are counted by release."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Mapping

from attrs import frozen

from ospec.errors import FatalError
from ospec.front_door import RELEASE_HEADER, Asker

LEAST_REQUESTS = 1000
MOST_REQUESTS = 20_000
STANDARD_ERRORS = 4.1
"""A right split is called wrong in one of 24,000 samples (two-sided, normal approximation to the binomial)."""
_ENOUGH_SECONDS = 30.0
_LEAST_WHEN_SLOW = 100
_AT_ONCE = 8
_BY_HEADER = 5


@frozen
class Sample:
    """Answers by release name, of requests that carry no cookie."""

    answers: Mapping[str, int]
    unanswered: int
    """Requests without an answer, or without the name of a release."""

    @property
    def asked(self) -> int:
        """All requests."""
        return sum(self.answers.values()) + self.unanswered


def requests_needed(percent: float) -> int:
    """So many that ten answers of the smaller side are to be expected."""
    share = min(percent, 100.0 - percent) / 100.0
    return LEAST_REQUESTS if share <= 0 else min(MOST_REQUESTS, max(LEAST_REQUESTS, math.ceil(10 / share)))


def sample(like: Asker, count: int) -> Sample:
    """Ask `count` times, as `like` does, over a few connections at once; fewer where that takes too long."""
    until = time.monotonic() + _ENOUGH_SECONDS
    found: Counter[str] = Counter()
    left, lock = count, threading.Lock()

    def ask() -> None:
        nonlocal left
        asker = like.another()
        while True:
            with lock:
                slow = time.monotonic() > until and sum(found.values()) >= _LEAST_WHEN_SLOW
                if left <= 0 or slow:
                    break
                left -= 1
            answer = asker.ask()
            with lock:
                found["" if answer.error else answer.release] += 1
        asker.close()

    threads = [threading.Thread(target=ask, name="share", daemon=True) for _ in range(min(_AT_ONCE, count))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    unanswered = found.pop("", 0)
    return Sample(dict(found), unanswered)


def deviation(seen: Sample, release: str, percent: float) -> float:
    """How far the release's share is from `percent`, in standard errors; infinite where 0 % or 100 % is not met."""
    share, asked = percent / 100.0, sum(seen.answers.values())
    off = abs(seen.answers.get(release, 0) - share * asked)
    error = math.sqrt(asked * share * (1.0 - share))
    return off / error if error else math.inf if off else 0.0


def check_headers(like: Asker, rules: Mapping[str, str], release: str) -> int:
    """Ask with each header of `rules`; how many requests that took.

    Raises:
        FatalError: another release answered (``not-verified``).
    """
    asker = like.another()
    try:
        for name, value in rules.items():
            for number in range(_BY_HEADER):
                answer = asker.ask(fresh=number % 2 == 1, headers={name: value})
                if answer.release != release:
                    found = answer.error or f"status {answer.status}, {RELEASE_HEADER}: {answer.release or '(none)'}"
                    raise FatalError(
                        f"{asker.address} does not answer what says {name}: {value} with {release}: {found}",
                        code="not-verified",
                        hints=("see slots and weights: ospec status",),
                    )
    finally:
        asker.close()
    return _BY_HEADER * len(rules)
