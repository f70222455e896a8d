"""The flow of every run, read this first: project → lease → plan → engine → journal.

A project is a document, resolved for one environment, with the plugins that concern it (`project.py`). A plan is made
from it and from what the platform says is there (`planning.py`). A run executes the plan (`runs.py`, `engine/`).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ospec.engine.journal import RunState
from ospec.models.plan import Plan
from ospec.models.run import open_run_refused
from ospec.planning import Wish
from ospec.project import Project
from ospec.runs import (
    Watcher,
    ask_owner_to_abort,
    begin,
    close_taken_down,
    hold,
    prune,
    retire_all,
    retire_due,
    take_over,
)


def run(project: Project, planner: Callable[[Project, Wish], Plan], wish: Wish, watcher: Watcher) -> RunState:
    """Plan under the lock, ask, and execute; raises `RefusedError` before anything is touched."""
    if wish.supersede:
        ask_owner_to_abort(project, wait_seconds(project))
    with hold(project) as held:
        opened = project.store().open_header(*held.key)
        if opened and not wish.supersede:
            raise open_run_refused(opened)
        if opened:
            take_over(held, opened, watcher, wish.probe_rate, abort=True)
        retire_due(held)
        plan = planner(project, wish)
        wish.stale(plan)
        wish.agree(plan)
        return begin(held, plan, watcher, wish.probe_rate)


def resume(project: Project, wish: Wish, watcher: Watcher) -> RunState | None:
    """Go on with the open run that nobody executes any more; None where there is none."""
    with hold(project) as held:
        opened = project.store().open_header(*held.key)
        return take_over(held, opened, watcher, wish.probe_rate, rerun=wish.rerun) if opened else None


def abort(project: Project, wish: Wish, watcher: Watcher) -> RunState | None:
    """Return from the open run: through the process that executes it, or in its place; None where there is none."""
    ended = ask_owner_to_abort(project, wait_seconds(project))
    if ended:
        return ended
    with hold(project) as held:
        opened = project.store().open_header(*held.key)
        return take_over(held, opened, watcher, wish.probe_rate, abort=True) if opened else None


def roll_back(project: Project, planner: Callable[[Project, Wish], Plan], wish: Wish, watcher: Watcher) -> RunState:
    """Go back: from the open run where there is one, else (or further, with `wish.to`) to an earlier release."""
    ended = abort(project, wish, watcher)
    return ended if ended and wish.to is None else run(project, planner, wish, watcher)


def wait_seconds(project: Project) -> float:
    """How long another process may take to return from its run: the rollback's bound, and a step to end first."""
    return project.target.rollback_timeout_seconds + 60.0


def take_down(project: Project) -> str | None:
    """Take everything of the target away; the id of a run that was open and is closed by it."""
    with hold(project) as held:
        opened = project.store().open_header(*held.key)
        retire_all(held)
        if opened:
            close_taken_down(held, opened)
        return opened.run if opened else None


def tidy(project: Project, *, everything_warm: bool, older_than_days: float) -> tuple[list[str], int, int]:
    """Retire what is over, remove what nothing needs: (slots, snapshot folders, runs) that went."""
    with hold(project) as held:
        slots = retire_due(held, everything=everything_warm)
        runs = project.store().forget_runs(time.time() - older_than_days * 86400, keep=20)
        return slots, prune(held), runs
