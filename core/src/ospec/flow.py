"""The flow of every run, read this first: document → target → live state → plan → engine → journal → report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve, field, frozen

from ospec.converter import from_json
from ospec.engine.journal import RunState
from ospec.errors import RefusedError
from ospec.models.live import LiveState
from ospec.models.plan import Plan, Rollout
from ospec.models.registration import StrategyInput
from ospec.models.release import Release
from ospec.models.run import open_run_refused
from ospec.models.target import Target
from ospec.project import Project
from ospec.runs import Watcher, ask_owner_to_abort, begin, hold, release_in, retire_due, take_over
from ospec.stages.identify import identify
from ospec.stages.plan import PlanInput, compose
from ospec.stages.rollouts import bring_up, go_back
from ospec.steps.snapshot import sealed_marker
from ospec.steps.source import read_source


@frozen(kw_only=True)
class Wish:
    """What a person asks of a run, besides the document."""

    release: str | None = None
    redeploy: bool = False
    supersede: bool = False
    to: str | None = None
    """The release to go back to; None: the one that served before."""
    probe_rate: float = 50.0
    agree: Callable[[Plan], None] = lambda plan: None
    """Asked before anything is touched; raises to say no."""
    stale: Callable[[Plan], None] = lambda plan: None
    """Raises where the plan is not the one that was agreed on earlier (`--plan FILE`)."""
    about: Mapping[str, Any] = field(factory=dict)


def plan_deploy(project: Project, wish: Wish) -> Plan:
    """The plan of a deploy: nothing is touched. A release that serves already gives a plan to repair it, or no steps."""
    live = project.observe()
    source = read_source(project.root, project.target.include, leave_out=[project.home])
    release = identify(
        project.target,
        source.digest,
        name=wish.release,
        suggested_name=source.suggested_name,
        known=project.known_releases(),
        secret_versions=project.secret_versions,
        redeploy=wish.redeploy,
    )
    if live.stable and live.stable.release and live.stable.release.id == release.id:
        whole = live.stable.ready >= live.stable.wanted and not live.problems
        again = Rollout((), candidate=live.stable.label) if whole else bring_up(project.target, live, release)
        same = evolve(release, name=live.stable.release.name)
        return _composed(project, live, same, again, action="deploy" if whole else "up", prepared=True)
    rollout = project.strategy.plan(StrategyInput(project.target, project.platform.capabilities, live))
    return _composed(project, live, release, rollout, prepared=sealed_marker(project.files(release.id)).exists())


def plan_rollback(project: Project, wish: Wish) -> Plan:
    """The plan of a return to an earlier release."""
    live = project.observe()
    now = live.stable.release.id if live.stable and live.stable.release else ""
    past = [one for one in project.known_releases() if one["release"]["id"] != now]
    found = [one for one in past if wish.to in (None, one["release"]["name"])]
    if not found:
        names = ", ".join(one["release"]["name"] for one in past) or "none"
        raise RefusedError(
            f"there is no earlier release {wish.to or ''}".rstrip() + f" to go back to; kept: {names}",
            code="nothing-to-roll-back",
            hints=("see what was deployed: ospec history",),
        )
    release, target = from_json(found[0]["release"], Release), from_json(found[0]["target"], Target)
    rollout = go_back(target, project.platform.capabilities, live, release)
    return _composed(project, live, release, rollout, action="rollback", target=target, prepared=True)


def plan_up(project: Project) -> Plan:
    """The plan that brings back what served."""
    live = project.observe()
    ref = live.stable.release if live.stable else None
    if ref is None:
        raise RefusedError("nothing served before", code="nothing-to-bring-up", hints=("deploy: ospec run deploy",))
    release = release_in(project, ref.id, ref.name)
    return _composed(project, live, release, bring_up(project.target, live, release), action="up", prepared=True)


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
        return begin(held, plan, watcher, wish.probe_rate, wish.about)


def resume(project: Project, wish: Wish, watcher: Watcher) -> RunState | None:
    """Go on with the open run that nobody executes any more; None where there is none."""
    with hold(project) as held:
        opened = project.store().open_header(*held.key)
        return take_over(held, opened, watcher, wish.probe_rate, abort=False) if opened else None


def abort(project: Project, wish: Wish, watcher: Watcher) -> RunState | None:
    """Return from the open run: through the process that executes it, or in its place; None where there is none."""
    ended = ask_owner_to_abort(project, wait_seconds(project))
    if ended:
        return ended
    with hold(project) as held:
        opened = project.store().open_header(*held.key)
        return take_over(held, opened, watcher, wish.probe_rate, abort=True) if opened else None


def wait_seconds(project: Project) -> float:
    """How long another process may take to return from its run: the rollback's bound, and a step that must end first."""
    return project.target.rollback_timeout_seconds + 60.0


def _composed(
    project: Project, live: LiveState, release: Release, rollout: Rollout, *, prepared: bool, **more: Any
) -> Plan:
    serving = live.stable.release if live.stable else None
    contributions = project.registry.contributions
    return compose(
        PlanInput(
            **{"action": "deploy", "target": project.target, **more},
            release=release,
            previous=release_in(project, serving.id, serving.name) if serving else None,
            live=live,
            rollout=rollout,
            kinds=project.registry.step_kinds,
            contributions=[(project.registry.source("contribution", name), one) for name, one in contributions.items()],
            renders=any("render" in project.host.loaded.hooks[plugin] for plugin in project.plugins),
            prepared=prepared,
            scripted=project.platform.capabilities.scripted,
            notes=project.notes,
        )
    )
