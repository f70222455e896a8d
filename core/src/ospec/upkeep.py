"""What is done besides runs: taking a service away, and forgetting what is over."""

from __future__ import annotations

import time

from ospec import touched
from ospec.project import Project
from ospec.runs import close_taken_down, forget_logs, hold, prune, retire_all, retire_due


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
        touched.touch("what was removed is gone: ospec history, ospec status")
        runs = project.store().forget_runs(time.time() - older_than_days * 86400, keep=20)
        forget_logs(project)
        return slots, prune(held), runs
