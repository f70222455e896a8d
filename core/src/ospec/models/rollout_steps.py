"""The steps that most rollouts are made of, with their titles and time limits, so that strategies plan them alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ospec.models.live import Slot
from ospec.models.plan import Step
from ospec.models.target import Target

_DEPLOY_SECONDS = 120.0
_SWITCH_SECONDS = 30.0
_VERIFY_SECONDS = 90.0
_EXTRA_SECONDS = 30.0
_SMOKE, _SMOKE_SCRIPT, _BASELINE = "smoke_tests", "smoke_test", "performance_baseline"
_BASELINE_SECONDS = 90.0
CORES_JUDGE = "bounds"
"""The core's own judge, where no other is there: it compares nothing."""
_SLOTS = ("blue", "green")
WEB = "web"
"""The process that takes traffic: what `scripts.start` runs."""


def idle_slot(stable: Slot | None) -> str:
    """The label of the slot that does not serve; blue before the first release."""
    return _SLOTS[1] if stable and stable.label == _SLOTS[0] else _SLOTS[0]


def web_instances(target: Target, label: str) -> int:
    """How many instances of the web process a slot should have."""
    slot = target.deployment.environments.get(label)
    web = target.processes.get(WEB)
    return (slot.instances if slot else None) or (web.instances if web else 1)


def all_instances(target: Target, label: str) -> int:
    """How many instances of all processes a slot should have."""
    others = sum(process.instances for name, process in target.processes.items() if name != WEB)
    return others + (web_instances(target, label) if WEB in target.processes else 0)


def started(target: Target, label: str, **params: Any) -> Step:
    """Start the release in a slot, once what is left there of an earlier one has ended."""
    title = f"start the release in slot {label}"
    return Step("deploy", title, {"slot": "candidate", **params}, timeout_seconds=deploy_limit(target))


def all_at_once(target: Target, label: str, judge: str = "") -> list[Step]:
    """From a slot without traffic to all of it: started, healthy, validated, switched, verified, guarded."""
    return [started(target, label), *taking_over(target, label, judge)]


def taking_over(target: Target, label: str, judge: str = "") -> list[Step]:
    """From a slot whose instances were started to all traffic."""
    return [
        healthy(target, label),
        *validated(target, label, judge),
        switched(target, f"give slot {label} all traffic", {"candidate": 100}),
        verified(),
        *guarded(target, judge),
    ]


def deploy_limit(target: Target) -> float:
    """Seconds in which a slot's former requests end and its new programs begin."""
    return _DEPLOY_SECONDS + target.deployment.drain_seconds


def started_again(target: Target, name: str, label: str, role: str) -> list[Step]:
    """Start a release that ran before in a slot, and wait until it is healthy."""
    title = f"start {name} in slot {label}"
    return [
        Step("rollback", title, {"slot": role}, timeout_seconds=_startup_limit(target)),
        healthy(target, label, role),
    ]


def given_back(target: Target, name: str, label: str) -> list[Step]:
    """The way back to a slot that served before: started where it is cold, and then traffic as fast as it is ready."""
    limit = _startup_limit(target)
    title = f"wait until slot {label} can serve"
    return [
        Step(
            "rollback", f"start {name} in slot {label}", {"slot": "stable"}, timeout_seconds=limit, when="stable-cold"
        ),
        Step("health", title, {"slot": "stable", "least": 1}, timeout_seconds=limit, when="stable-cold"),
        Step(
            "switch",
            f"give slot {label} all traffic again",
            {"weights": {"stable": 100}, "ramp": True},
            timeout_seconds=_SWITCH_SECONDS + limit,
            when="exposed",
        ),
    ]


def healthy(target: Target, label: str, role: str = "candidate") -> Step:
    """Wait until every instance of the release answers well."""
    title = f"wait until slot {label} is healthy"
    return Step("health", title, {"slot": role}, timeout_seconds=_startup_limit(target))


def validated(target: Target, label: str, judge: str = "") -> list[Step]:
    """`traffic_switching.validation_checks`, and smoke tests where there are any; before any user comes."""
    checks = list(target.deployment.traffic_switching.validation_checks)
    if _SMOKE not in checks and (_SMOKE_SCRIPT in target.scripts or target.http_endpoints):
        checks.append(_SMOKE)
    if not checks:
        return []
    smoke = target.scripts.get(_SMOKE_SCRIPT)
    limit = (smoke.timeout_seconds if smoke else 0.0) + _startup_limit(target)
    params: dict[str, Any] = {"checks": checks}
    if _BASELINE in checks:
        limit, params["judge"] = limit + _BASELINE_SECONDS, judge or CORES_JUDGE
    title = f"validate slot {label}: {', '.join(checks)}"
    return [Step("validate", title, params, timeout_seconds=limit)]


def asked(target: Target, kind: str) -> list[Step]:
    """The document's webhooks of one type (``pre-rollout``, ``post-rollout``); none, no step."""
    hooks = [hook for hook in target.deployment.analysis.webhooks if hook.type == kind]
    if not hooks:
        return []
    title = f"ask {', '.join(hook.name for hook in hooks)}"
    return [Step("webhook", title, {"type": kind}, on_failure="warn" if kind == "post-rollout" else "stop")]


def switched(target: Target, title: str, weights: Mapping[str, float], **more: Any) -> Step:
    """Move traffic: percent by slot role; `more` as the step kind `switch` takes it."""
    limit = _SWITCH_SECONDS + target.deployment.drain_seconds
    return Step("switch", title, {"weights": dict(weights), **more}, timeout_seconds=limit)


def verified(until: str = "the release answers", role: str = "candidate", **params: Any) -> Step:
    """Ask the front door until the switch before shows; `params` as the step kind `verify` takes them."""
    title = f"ask the front door until {until}"
    return Step("verify", title, {"slot": role, **params}, timeout_seconds=_VERIFY_SECONDS)


def guarded(target: Target, judge: str = "") -> list[Step]:
    """The guard window: the release has all traffic and is watched, with automatic return; 0 seconds, no step.

    Args:
        judge: who judges; the core's own simple rule where it is empty.
    """
    seconds = target.deployment.traffic_switching.rollback_threshold_seconds
    if seconds <= 0:
        return []
    title = f"watch for {seconds:g} s, and return if it breaks"
    limit = seconds + _startup_limit(target)
    judged = {"judge": judge, "phase": "guard"} if judge else {}
    return [Step("analyze", title, {"seconds": seconds, "slot": "candidate", **judged}, timeout_seconds=limit)]


def unguarded_notes(target: Target) -> tuple[str, ...]:
    """What the plan says where nothing is watched after the switch."""
    if target.deployment.traffic_switching.rollback_threshold_seconds > 0:
        return ()
    return ("no guard window: rollback_threshold_seconds is 0, nothing watches after the switch",)


def exposed_at_100(target: Target) -> tuple[float, float]:
    """The worst case of the last switch: everybody, until the guard window has found it out."""
    return 100.0, target.deployment.traffic_switching.rollback_threshold_seconds + _SWITCH_SECONDS


def retired(target: Target, label: str) -> Step:
    """Take the slot of the release before away, after it was kept warm for `keep_seconds`."""
    keep = target.deployment.keep_seconds
    title = f"keep slot {label} warm for {keep:g} s, then take it away" if keep else f"take slot {label} away"
    return Step(
        "retire",
        title,
        {"slot": "stable", "keep_seconds": keep},
        timeout_seconds=target.deployment.drain_seconds + _EXTRA_SECONDS,
        on_failure="warn",
    )


def notified(text: str, severity: str = "info", channels: Sequence[str] = ()) -> Step:
    """Tell people; a failure of that is a warning. Without `channels`, those that the document says."""
    params = {"text": text, "severity": severity, "channels": list(channels)}
    return Step("notify", "tell people", params, timeout_seconds=_EXTRA_SECONDS, on_failure="warn")


def _startup_limit(target: Target) -> float:
    return target.startup_seconds + _EXTRA_SECONDS
