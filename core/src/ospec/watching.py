"""Watching a release that serves: what it is held to, what changed at a look, and who is told."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from attrs import define, frozen

from ospec.conditions.metrics import metric_named
from ospec.conditions.parse import parse_condition
from ospec.conditions.tree import Comparison, Condition
from ospec.errors import FatalError
from ospec.models.context import Deadline, MetricsContext
from ospec.models.live import LiveState, Measurement, Slot
from ospec.models.measuring import sums
from ospec.models.notice import Notice, Severity, severity_of
from ospec.project import OBSERVE_SECONDS, Project

WINDOW_SECONDS = 60.0
"""How far back a look goes, or the interval where that is longer."""
LOOKS = 2
"""So many looks in a row must agree before an alert begins, or is over."""
USUAL = "error_rate > 5%"
"""What is watched where the document says nothing."""
State = Literal["well", "bad", "not-enough-data"]


@frozen
class Rule:
    """Something that should not hold."""

    name: str
    condition: Condition
    severity: Severity


@define
class Watched:
    """A rule and what was seen of it."""

    rule: Rule
    firing: bool = False
    """Whether people were told that it holds, and not yet that it is over."""
    fired: bool = False
    """Whether it fired at any time of this watch, or held on from before."""
    state: State | None = None
    sentence: str = ""
    _agreeing: int = 0

    def look(self, release: str, bins: Sequence[Measurement]) -> Iterator[Change]:
        """Hold the rule to measurements; what changed by that."""
        answer = self.rule.condition.answer(sums(bins, release))
        state: State = "not-enough-data" if answer.holds is None else "bad" if answer.holds else "well"
        self.sentence = answer.sentence
        if state != self.state:
            self._agreeing = 0 if state != "not-enough-data" else self._agreeing
            yield Change(self.rule, state, answer.sentence)
        self.state = state
        if state == "not-enough-data":  # says neither
            return
        self._agreeing += 1
        if self._agreeing >= LOOKS and self.firing != (state == "bad"):
            self.firing = state == "bad"
            yield Change(self.rule, "alert" if self.firing else "resolved", answer.sentence)
        self.fired = self.fired or (self.firing and state == "bad")


@frozen
class Change:
    """What a look changed."""

    rule: Rule
    what: Literal["well", "bad", "not-enough-data", "alert", "resolved"]
    sentence: str

    def line(self, clock: str) -> str:
        """For a person."""
        told = f"{self.rule.name} ({self.rule.condition.text}): {self.sentence}"
        word = {"alert": "ALERT", "resolved": "resolved", "bad": "bad", "well": "well"}.get(self.what, "no verdict")
        return f"{clock}  {word:10} {told}"


def rules_of(project: Project) -> tuple[Rule, ...]:
    """The alerts and metrics of `monitoring`; too many errors where there are none.

    Raises:
        DocumentError: a condition cannot be read (``invalid-condition``), which only references can bring so far.
    """
    section = project.monitoring
    bounds = {str(one["name"]): float(one["threshold"]) for one in section.get("metrics") or ()}
    gauges = [*bounds, *(one.name for one in project.target.deployment.analysis.metrics)]
    alerts = [
        Rule(
            str(one["name"]),
            parse_condition(
                str(one["condition"]), where=project.loaded.locate(f"monitoring.alerts[{number}]"), gauges=gauges
            ),
            severity_of(str(one.get("severity") or "warning")),
        )
        for number, one in enumerate(section.get("alerts") or ())
    ]
    made = [*alerts, *(_bound(name, most) for name, most in bounds.items())]
    return tuple(made) or (Rule("errors", parse_condition(USUAL), "error"),)


def _bound(name: str, threshold: float) -> Rule:
    """A metric beyond its threshold; of what should be high, below it."""
    metric = metric_named(name, (name,))
    assert metric is not None, "every name is a gauge at least"
    sign = "<" if name in ("success_rate", "request-success-rate") else ">"
    return Rule(name, Condition(f"{name} {sign} {threshold:g}", Comparison(metric, sign, threshold)), "warning")


# -- looking ----------------------------------------------------------------------------------------------------------


def serving(live: LiveState) -> tuple[Slot, str]:
    """The slot that serves, and its release's name; raises `FatalError` where nothing does."""
    stable = live.stable
    if stable is None or stable.release is None:
        raise FatalError("nothing serves", code="nothing-serves", hints=("deploy: ospec run deploy",))
    return stable, stable.release.name


def measured(project: Project, slot: Slot, since_seconds: float) -> list[Measurement]:
    """What every source of metrics tells of a slot; of what the document asks one source for, that one alone."""
    ctx = MetricsContext(
        target=project.target,
        home=project.home,
        secrets=project.secrets,
        deadline=Deadline.after(OBSERVE_SECONDS),
        slots=(slot,),
        since_seconds=since_seconds,
    )
    answers = project.host.call("collect_metrics", ctx, project.plugins)
    asked_of = project.asked_of(project.target)
    return [one for plugin, bins in answers for one in bins if asked_of.get(one.metric, plugin) == plugin]


# -- telling ----------------------------------------------------------------------------------------------------------


def notice_of_change(project: Project, change: Change, release: str, address: str, at: float) -> Notice:
    """What people are told of an alert that begins or is over."""
    target, rule = project.target, change.rule
    begins = change.what == "alert"
    where = "" if target.environment == "default" else f" -e {target.environment}"
    key = f"{target.service}/{target.environment}/alert/{rule.name}"
    return Notice(
        kind="alert" if begins else "resolved",
        severity=rule.severity,
        state="raised" if begins else "over",
        title=f"{target.service} in {target.environment}: {rule.name}" + ("" if begins else " is over"),
        text=f"{change.sentence} (alert: {rule.condition.text})",
        commands=(f"ospec status{where}", f"ospec logs{where}", f"ospec run rollback{where}") if begins else (),
        service=target.service,
        environment=target.environment,
        release=release,
        address=address,
        fields={"alert": rule.name, "condition": rule.condition.text},
        id=f"{key}/{change.what}/{at:.0f}",
        key=key,
        at=at,
    )


class Memory:
    """Which alerts people were told of and not yet told that they are over, kept from one watch to the next."""

    def __init__(self, project: Project) -> None:
        self._file: Path = project.home / "alerts" / f"{project.target.service}.{project.target.environment}.json"

    def firing(self) -> Mapping[str, float]:
        """Names with the time when they began (Unix seconds)."""
        try:
            read = json.loads(self._file.read_text(encoding="utf-8"))
            return {str(name): float(at) for name, at in read["firing"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}  # none yet, or damaged: an alert is told once too often

    def keep(self, watched: Iterable[Watched]) -> None:
        """Remember what is firing now."""
        before, now = self.firing(), time.time()
        firing = {one.rule.name: before.get(one.rule.name, now) for one in watched if one.firing}
        if firing == before:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps({"firing": firing}), encoding="utf-8")
        part.replace(self._file)
