"""From the records of a run to notices: what happened, why, and what to type next. Pure.

A notice comes from the one record that tells of it, so that a run that is resumed repeats nothing; its id is made of
run and kind, so that receivers know it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ospec.engine.evidence import summary
from ospec.engine.journal import RunState
from ospec.errors import ExitCode
from ospec.models.context import Event
from ospec.models.notice import Notice, NoticeKind, NoticeState, Severity, severity_of

_LONGEST_TEXT = 8_000
_ENDS: Mapping[NoticeKind, tuple[Severity, NoticeState, str]] = {
    "promoted": ("info", "over", "{release} serves"),
    "restored": ("warning", "over", "{release} was sent back, {previous} serves"),
    "aborted": ("warning", "over", "the run of {release} was aborted"),
    "failed": ("error", "news", "{release} failed, nothing is worse than before"),
    "frozen": ("critical", "raised", "{release} failed and was NOT restored: a person is needed"),
    "held": ("warning", "news", "{release} waits"),
}


def notice_of(event: Event, state: RunState) -> Notice | None:
    """The notice that a record is worth, or None.

    Args:
        state: the run as its records tell it, that of `event` taken in.
    """
    body: Mapping[str, Any] = event.body
    if not state.started or not state.started["plan"]["steps"]:  # nothing had to be done
        return None
    if event.kind == "run-started":
        return _started(event, state)
    if event.kind == "step-note":
        return _noted(event, state, body["step"], body["note"])
    if event.kind == "order" and body["order"] == "pause":
        return _held(event, state, f"order-{body['id']}", "a person paused it", ("ospec promote {run}",))
    return _ended(event, state, body) if event.kind == "run-finished" else None


def channels_of(event: Event) -> tuple[str, ...] | None:
    """The channels that a record's notice names itself (a step of the kind `notify` may), or None."""
    note = event.body.get("note") if event.kind == "step-note" else None
    named = note["notice"].get("channels") if isinstance(note, Mapping) and "notice" in note else None
    return tuple(named) if named else None


def _started(event: Event, state: RunState) -> Notice:
    plan = state.started["plan"]
    previous = plan["previous"]["name"] if plan["previous"] else ""
    verb = {"deploy": "deploying", "rollback": "going back to", "up": "bringing up"}[plan["action"]]
    return _notice(
        event,
        state,
        "started",
        severity="info",
        state="taken",
        what=f"{verb} {plan['release']['name']}",
        text=f"{previous} serves until then" if previous else "",
        commands=("ospec show {run}", "ospec abort {run}"),
    )


def _noted(event: Event, state: RunState, step: str, note: Mapping[str, Any]) -> Notice | None:
    if "notice" in note:  # a step of the kind `notify`
        told = note["notice"]
        severity = severity_of(str(told["severity"]))
        raised = severity in ("error", "critical")
        return _notice(
            event,
            state,
            "message",
            severity=severity,
            state="raised" if raised else "news",
            what=str(told["text"]).partition("\n")[0],
            text=str(told["text"]),
            commands=("ospec show {run}",),
            about=step,
            topic="message",
        )
    if "held" not in note or sum("held" in one for one in state.notes.get(step, ())) > 1:
        return None
    commands = ("ospec promote {run}", "ospec abort {run}")
    return _held(event, state, step, str(note["held"]), commands, approval=bool(note.get("approval")))


def _held(
    event: Event, state: RunState, which: str, why: str, commands: tuple[str, ...], *, approval: bool = False
) -> Notice:
    release = state.started["plan"]["release"]["name"]
    what = f"{release} waits for an approval" if approval else f"{release} is held"
    kind: NoticeKind = "approval" if approval else "held"
    return _notice(
        event, state, kind, severity="warning", state="news", what=what, text=why, commands=commands, about=which
    )


def _ended(event: Event, state: RunState, body: Mapping[str, Any]) -> Notice | None:
    plan, outcome = state.started["plan"], str(body["outcome"])
    kinds: Mapping[str, NoticeKind] = {
        "promoted": "promoted",
        "restored": "restored",
        "aborted": "aborted",
        "waiting": "held",
    }
    kind = "frozen" if body["exit_code"] == ExitCode.NOT_RESTORED else kinds.get(outcome, "failed")
    severity, taken, what = _ENDS[kind]
    error = body.get("error") or {}
    previous = plan["previous"]["name"] if plan["previous"] else "nothing"
    text = str(error.get("message", "")) or _verdict(state)
    hints = [str(hint) for hint in error.get("hints", ())]
    return _notice(
        event,
        state,
        kind,
        severity=severity,
        state=taken,
        what=what.format(release=plan["release"]["name"], previous=previous),
        text="\n".join([text, *(f"→ {hint}" for hint in hints)] if text else hints),
        commands=_next(kind, str(error.get("code", "")), event.environment),
        fields=_evidence(state),
    )


def _next(kind: NoticeKind, code: str, environment: str) -> tuple[str, ...]:
    """What to type after a run that ended so."""
    where = "" if environment == "default" else f" -e {environment}"
    if kind == "frozen":
        return (f"ospec status{where}", "ospec show {run}", f"ospec run rollback{where}")
    if kind == "held":
        return ("ospec resume {run}", "ospec abort {run}")
    judged = code in ("regressed", "no-verdict")
    return ("ospec show {run} --explain",) if judged else ("ospec show {run}",)


def _verdict(state: RunState) -> str:
    """What the last judge said, where one did."""
    said = [step.result["sentence"] for step in state.steps.values() if step.result.get("sentence")]
    return str(said[-1]) if said else ""


def _evidence(state: RunState) -> Mapping[str, str]:
    seen = summary(state.evidence.values())
    return {"requests": str(seen["requests"]), "failed": str(seen["failed"])} if seen["requests"] else {}


def _notice(
    event: Event,
    run: RunState,
    kind: NoticeKind,
    *,
    severity: Severity,
    state: NoticeState,
    what: str,
    text: str,
    commands: tuple[str, ...],
    fields: Mapping[str, str] | None = None,
    about: str = "",
    topic: str = "rollout",
) -> Notice:
    plan = run.started["plan"]
    where = f"{event.service} in {event.environment}"
    return Notice(
        kind=kind,
        severity=severity,
        state=state,
        title=f"{where}: {what}",
        text=text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…",
        commands=tuple(command.format(run=event.run) for command in commands),
        service=event.service,
        environment=event.environment,
        release=plan["release"]["name"],
        run=event.run,
        address=_address(run),
        fields={"action": plan["action"], **(fields or {})},
        id="/".join(part for part in (event.run, kind, about) if part),
        key=f"{event.service}/{event.environment}/{topic}",
        at=event.at,
    )


def _address(run: RunState) -> str:
    told = [step.result["address"] for step in run.steps.values() if step.result.get("address")]
    return str((told or [run.started.get("address")])[-1] or "")
