"""The flow of every run, read this first: project → lease → plan → engine → journal.

A project is a document, resolved for one environment, with the plugins that concern it (`project.py`). A plan is made
from it and from what the platform says is there (`planning.py`). A run executes the plan (`runs.py`, `engine/`).
"""

from __future__ import annotations

from collections.abc import Callable

from ospec.engine.journal import RunState
from ospec.errors import ExitCode, RefusedError
from ospec.models.plan import Plan
from ospec.models.run import open_run_refused
from ospec.planning import Wish
from ospec.project import Project
from ospec.runs import Watcher, ask_owner_to_abort, begin, check_run, hold, retire_due, take_over


def run(project: Project, planner: Callable[[Project, Wish], Plan], wish: Wish, watcher: Watcher) -> RunState:
    """Plan under the lock, ask, and execute; raises `RefusedError` before anything is touched."""
    if wish.supersede:
        _end_open_run(project, planner, wish, watcher)
    agreed = _agreed(project, planner, wish) if wish.asks else None
    with hold(project) as held:
        opened = project.store().open_header(*held.key)
        if opened:
            raise open_run_refused(opened)
        plan = planner(project, wish)
        wish.stale(plan)
        if agreed is not None and plan != agreed:
            raise RefusedError("something changed while you were asked", code="plan-stale", hints=("run it again",))
        retire_due(held, but=plan.candidate_slot)
        return begin(held, plan, watcher, wish.probe_rate)


def _agreed(project: Project, planner: Callable[[Project, Wish], Plan], wish: Wish) -> Plan:
    """Ask without holding the lock, which others may need more than a question that was forgotten."""
    with hold(project) as held:
        opened = project.store().open_header(*held.key)
        if opened:
            raise open_run_refused(opened)
    plan = planner(project, wish)
    wish.stale(plan)
    wish.agree(plan)
    return plan


def _end_open_run(
    project: Project, planner: Callable[[Project, Wish], Plan], wish: Wish, watcher: Watcher
) -> RunState | None:
    """Return from the open run, where there is one; what would refuse the next one refuses first."""
    if project.store().open_header(project.target.service, project.target.environment) is None:
        return None
    plan = planner(project, wish)
    if wish.asks:
        wish.agree(plan)
    ended = _abort(project, wish, watcher)
    if ended and ended.finished and ended.finished["exit_code"] == ExitCode.NOT_RESTORED:
        raise RefusedError(
            f"run {ended.run} could not be returned from: nothing new is started on top of it",
            code="not-restored",
            hints=(f"look at it: ospec show {ended.run}", "see what is there: ospec status"),
        )
    return ended


def resume(project: Project, wish: Wish, watcher: Watcher) -> RunState | None:
    """Go on with the open run that nobody executes any more; None where there is none."""
    project.refuse_unset()
    with hold(project) as held:
        opened = project.store().open_header(*held.key)
        if opened is None:
            return None
        check_run(opened, wish.run)
        return take_over(held, opened, watcher, wish.probe_rate, rerun=wish.rerun)


def abort(project: Project, wish: Wish, watcher: Watcher) -> RunState | None:
    """Return from the open run: through the process that executes it, or in its place; None where there is none.

    Raises:
        RefusedError: it was promoted before it could be returned from (``run-finished``).
    """
    ended = _abort(project, wish, watcher)
    if ended and ended.promoted:
        raise RefusedError(
            f"run {ended.run} was promoted before it could be returned from",
            code="run-finished",
            hints=("go back to the release before: ospec run rollback",),
        )
    return ended


def roll_back(project: Project, planner: Callable[[Project, Wish], Plan], wish: Wish, watcher: Watcher) -> RunState:
    """Go back: from the open run where there is one, else (or further, with `wish.to`) to an earlier release."""
    if wish.to is None:
        ended = _abort(project, wish, watcher)
        if ended and not ended.promoted:
            return ended
    else:
        _end_open_run(project, planner, wish, watcher)
    return run(project, planner, wish, watcher)


def _abort(project: Project, wish: Wish, watcher: Watcher) -> RunState | None:
    ended = ask_owner_to_abort(project, wish.run)
    if ended:
        return ended
    with hold(project) as held:
        opened = project.store().open_header(*held.key)
        if opened is None:
            return None
        check_run(opened, wish.run)
        return take_over(held, opened, watcher, wish.probe_rate, abort=True)
