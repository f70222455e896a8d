"""Splits of traffic as they are asked for: what cannot be given is refused, what means the same is made the same."""

from __future__ import annotations

from attrs import evolve
from ospec.errors import FatalError
from ospec.models.context import SwitchContext
from ospec.models.live import TrafficSplit

from ospec_plugin_local.place import Place
from ospec_plugin_local.state import State, load_state


def checked_split(ctx: SwitchContext, place: Place) -> tuple[State, TrafficSplit]:
    """The state, and the split: slots that get nothing left out, and so is what has no effect.

    Raises:
        FatalError: nothing is deployed, a slot is unknown, or the shares do not add up.
    """
    state = load_state(place)
    if state is None or not state.slots:
        raise FatalError(
            f"{ctx.target.service} in {ctx.target.environment} is not deployed here",
            code="not-deployed",
            where="local",
            hints=("deploy it first: ospec run deploy",),
        )
    split = ctx.split
    weights = {label: share for label, share in split.weights.items() if share > 0}
    named = {*weights, *(rule.slot for rule in split.headers), *([split.gaining] if split.sticky else [])}
    whole = abs(sum(weights.values()) - 100) <= 0.01
    if named - set(state.slots) or not (whole or (split.maintenance and not weights)):
        raise FatalError(
            f"cannot give traffic like this: {_told(split)}; there are the slots {sorted(state.slots)}",
            code="bad-split",
            where="local",
            hints=("see slots and weights: ospec status",),
        )
    sticky = split.sticky and bool(weights)
    return state, TrafficSplit(
        weights,
        headers=split.headers,
        sticky=sticky,
        gaining=split.gaining if sticky else "",
        maintenance=None if weights else split.maintenance,
    )


def without(split: TrafficSplit, label: str) -> TrafficSplit:
    """The split as it is where a slot without a share is taken away: no rule leads there, nobody is kept for it."""
    sticky = split.sticky and split.gaining != label
    return evolve(
        split,
        headers=tuple(rule for rule in split.headers if rule.slot != label),
        sticky=sticky,
        gaining=split.gaining if sticky else "",
    )


def _told(split: TrafficSplit) -> str:
    rules = [f"{rule.name}: {rule.value} to {rule.slot or 'no slot'}" for rule in split.headers]
    gaining = [f"sticky for {split.gaining or 'no slot'}"] if split.sticky else []
    return ", ".join([str(dict(split.weights)), *rules, *gaining])
