"""From what is wished and what is there to a plan; nothing is touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from ospec.converter import from_stored_json
from ospec.errors import RefusedError
from ospec.models.live import LiveState
from ospec.models.plan import Plan, Rollout
from ospec.models.registration import StrategyInput
from ospec.models.release import Release, ReleaseRef
from ospec.models.target import Target
from ospec.project import Project
from ospec.stages.identify import identify
from ospec.stages.plan import PlanInput, compose
from ospec.stages.rollouts import bring_up, go_back
from ospec.stages.way_back import ways_back
from ospec.steps.snapshot import sealed_marker
from ospec.steps.source import read_source

_ANY_NUMBER = 1_000_000


@frozen(kw_only=True)
class Wish:
    """What a person asks of a run, besides the document."""

    release: str | None = None
    redeploy: bool = False
    supersede: bool = False
    to: str | None = None
    """The release to go back to; None: the one that served before."""
    probe_rate: float = 50.0
    for_here: bool = True
    """The plan is for this machine as it is: what stands in the way of executing it refuses it."""
    run: str | None = None
    """The run that is meant, of those that are open."""
    rerun: bool = False
    """Run a cut script again although the document says to ask first."""
    asks: bool = False
    agree: Callable[[Plan], None] = lambda plan: None
    """With `asks`, called before anything is touched; raises to say no."""
    stale: Callable[[Plan], None] = lambda plan: None
    """Raises where the plan is not the one that was agreed on earlier (`--plan FILE`)."""


def _observed(project: Project, wish: Wish, *, returns: bool = False) -> LiveState:
    """What is there; raises `RefusedError` where something would make the run fail.

    Args:
        returns: to what ran before, for which it does not matter what the document says now.
    """
    project.refuse_unset()
    live = project.observe()
    obstacles = [one for one in live.obstacles if not (returns and one.of_document)]
    if wish.for_here and not returns:
        obstacles += project.sources_of_metrics()[1]
    if obstacles and wish.for_here:
        first, *others = obstacles
        hints = [*first.hints, *(f"also: {other.message}" for other in others)]
        raise RefusedError(first.message, code=first.code, where=first.where, hints=hints)
    return live


def _serving(project: Project, live: LiveState) -> ReleaseRef | None:
    """The release that serves now. Scripts tell nothing of what runs: there it is what was deployed last."""
    if project.platform.capabilities.scripted:
        known = project.known_releases()
        return ReleaseRef(known[0]["release"]["name"], known[0]["release"]["id"]) if known else None
    return live.stable.release if live.stable else None


def plan_deploy(project: Project, wish: Wish) -> Plan:
    """The plan of a deploy: nothing is touched. A release that serves already gives a repair, or no steps."""
    live = _observed(project, wish)
    source = read_source(project.root, project.target.include, leave_out=[project.home])
    release = identify(
        project.target,
        source.digest,
        name=wish.release,
        suggested_name=source.suggested_name,
        known=project.known_releases(),
        secret_versions=project.secrets.versions(),
        redeploy=wish.redeploy,
    )
    serving = _serving(project, live)
    if serving and serving.id == release.id:
        whole = not live.stable or (live.stable.ready >= live.stable.wanted and not live.problems)
        again = Rollout((), candidate=live.stable.label if live.stable else "")
        if not whole:
            again = bring_up(project.target, live, release)
        return _composed(project, live, release, again, action="deploy" if whole else "up", prepared=True)
    rollout = project.strategy.plan(_input(project, project.target, live))
    prepared = _is_prepared(project, release)
    notes = () if prepared else source.notes
    return _composed(project, live, release, rollout, prepared=prepared, notes=(*project.notes, *notes))


def plan_rollback(project: Project, wish: Wish) -> Plan:
    """The plan of a return to an earlier release."""
    live = _observed(project, wish, returns=True)
    serving = _serving(project, live)
    past = [one for one in project.known_releases() if serving is None or one["release"]["id"] != serving.id]
    found = (
        [one for one in past if one["release"]["name"] == wish.to] if wish.to else _further_back(project, past, serving)
    )
    if not found:
        names = ", ".join(one["release"]["name"] for one in past) or "none"
        raise RefusedError(
            f"there is no earlier release {wish.to or ''}".rstrip() + f" to go back to; kept: {names}",
            code="nothing-to-roll-back",
            hints=("see what was deployed: ospec history", "name one: ospec run rollback --to RELEASE"),
        )
    release, target = from_stored_json(found[0]["release"], Release), from_stored_json(found[0]["target"], Target)
    if project.platform.capabilities.scripted and "rollback" not in target.scripts:
        raise RefusedError(
            f"{release.name} was deployed with a document that has no script 'rollback', which is the way back here",
            code="no-script",
            where=project.loaded.locate("scripts"),
            hints=("add scripts.rollback and deploy again", "or deploy the earlier code: ospec run deploy"),
        )
    if project.strategy.in_place:
        rollout = project.strategy.plan(_input(project, target, live))
    else:
        rollout = go_back(target, project.platform.capabilities, live, release)
    return _composed(project, live, release, rollout, action="rollback", target=target, prepared=True)


def _further_back(
    project: Project, past: list[Mapping[str, Any]], serving: ReleaseRef | None
) -> list[Mapping[str, Any]]:
    """Releases to go back to without being told which, the nearest first."""
    if not past:
        return []
    runs = project.store().runs(project.target.service, project.target.environment, limit=_ANY_NUMBER)
    by_id = {one["release"]["id"]: one for one in past}
    return [by_id[one] for one in ways_back(runs, serving.id if serving else None, list(by_id))]


def plan_up(project: Project, wish: Wish) -> Plan:
    """The plan that brings back what served."""
    live = _observed(project, wish, returns=True)
    ref = live.stable.release if live.stable else None
    if ref is None:
        raise RefusedError("nothing served before", code="nothing-to-bring-up", hints=("deploy: ospec run deploy",))
    release = project.release(ref.id, ref.name)
    target = project.target_of(ref.id, project.target)
    rollout = bring_up(target, live, release)
    return _composed(project, live, release, rollout, action="up", target=target, prepared=True)


def _input(project: Project, target: Target, live: LiveState) -> StrategyInput:
    return StrategyInput(target, project.platform.capabilities, live, judge=project.chosen_judge())


def _is_prepared(project: Project, release: Release) -> bool:
    files = project.files(release.id)
    return files.is_dir() and sealed_marker(files).exists()


def _composed(
    project: Project, live: LiveState, release: Release, rollout: Rollout, *, prepared: bool, **more: Any
) -> Plan:
    serving = _serving(project, live)
    contributions = project.registry.contributions
    target = more.get("target", project.target)
    targets = [target, project.target_of(serving.id, target)] if serving else [target]
    return compose(
        PlanInput(
            **{"action": "deploy", "target": project.target, "notes": project.notes, **more},
            release=release,
            previous=project.release(serving.id, serving.name) if serving else None,
            live=live,
            rollout=rollout,
            kinds=project.kinds(),
            guardrails=[
                (project.registry.source("guardrail", one.name), one) for one in project.registry.guardrails.values()
            ],
            contributions=[(project.registry.source("contribution", name), one) for name, one in contributions.items()],
            renders=any("render" in project.host.loaded.hooks[plugin] for plugin in project.plugins),
            prepared=prepared,
            stop_seconds=max(project.platform.stop_seconds(one) for one in targets),
            scripted=project.platform.capabilities.scripted,
        )
    )
