"""The core's own plugin: its step kinds and the SQLite store, through the same hooks as everybody's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ospec.hookspecs import hookimpl
from ospec.judges import bounds
from ospec.models.registration import Judge, StepContribution, StepKind, Store, StoreKind
from ospec.steps import analyze, delegate, health, notify, rollout, script, snapshot, validate, verify, webhooks

_SCRIPT_STOP_SECONDS = 12.0
"""A program has its grace time to end by itself, then as long to vanish once it was killed."""


@hookimpl
def register_steps() -> Iterable[StepKind | StepContribution]:
    return [
        StepKind("snapshot", snapshot.take_snapshot, prepares=True),
        StepKind("render", rollout.render, prepares=True),
        StepKind(
            "script", script.run_named_script, prepares=True, timeout_seconds=600.0, stop_seconds=_SCRIPT_STOP_SECONDS
        ),
        StepKind("seal", snapshot.seal, prepares=True),
        StepKind("deploy", rollout.deploy, exposes_users=rollout.deploy_exposes),
        StepKind("health", health.wait_until_healthy),
        StepKind("validate", validate.validate, timeout_seconds=600.0, stop_seconds=_SCRIPT_STOP_SECONDS),
        StepKind("switch", rollout.switch, exposes_users=rollout.switch_exposes, moves_traffic=True),
        StepKind("verify", verify.verify, timeout_seconds=60.0),
        StepKind("analyze", analyze.analyze),
        StepKind("webhook", webhooks.run_webhooks, timeout_seconds=120.0),
        StepKind("wait", rollout.wait),
        StepKind("notify", notify.notify, timeout_seconds=30.0),
        StepKind("retire", rollout.retire),
        StepKind("rollback", rollout.roll_back),
        StepKind(
            "delegate",
            delegate.delegate,
            exposes_users=delegate.delegate_exposes,
            timeout_seconds=1800.0,
            stop_seconds=_SCRIPT_STOP_SECONDS,
        ),
    ]


@hookimpl
def register_judges() -> Iterable[Judge]:
    return [Judge(bounds.NAME, bounds.judge_by_bounds, bounds.BoundsSettings)]


@hookimpl
def register_stores() -> Iterable[StoreKind]:
    return [StoreKind("sqlite", _open_sqlite)]


def _open_sqlite(home: Path, settings: Mapping[str, Any]) -> Store:
    from ospec.stores.sqlite import open_sqlite  # late: a plan opens no store where nothing was deployed yet

    return open_sqlite(home, settings)
