"""Many rollouts at once, for simulations: the judge's own arithmetic, with a first axis of rollouts.

It begins where seconds are already counted; a test holds its verdicts against those of whole looks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ospec_plugin_judge_sequential.comparisons import Comparisons
from ospec_plugin_judge_sequential.decision import weigh
from ospec_plugin_judge_sequential.evidence import CHANCES, RISKS, Counts, Tally
from ospec_plugin_judge_sequential.settings import JudgeSettings


def nothing(rollouts: int, comparisons: Comparisons) -> Tally:
    """The tally of rollouts that have seen nothing yet."""
    shape = (rollouts, len(comparisons.each))
    zero = np.zeros(shape)
    return Tally(Counts(zero, zero, zero, zero, zero), np.zeros((*shape, RISKS.size)), np.zeros((*shape, CHANCES.size)))


def see(tally: Tally, second: Counts, comparisons: Comparisons, settings: JudgeSettings) -> Tally:
    """Add one second of every rollout; `second` has rollouts and comparisons as its axes."""
    worse, fine = weigh(second, comparisons.bound, comparisons.margin, settings)
    before = tally.counts
    counts = Counts(
        before.candidate + second.candidate,
        before.candidate_hits + second.candidate_hits,
        before.stable + second.stable,
        before.stable_hits + second.stable_hits,
        before.far + second.far,
    )
    return Tally(counts, tally.worse + worse, tally.fine + fine)


def only(tally: Tally, rollouts: NDArray[np.intp]) -> Tally:
    """The tally of some of the rollouts."""
    counts = tally.counts
    columns = (counts.candidate, counts.candidate_hits, counts.stable, counts.stable_hits, counts.far)
    return Tally(Counts(*(one[rollouts] for one in columns)), tally.worse[rollouts], tally.fine[rollouts])
