"""ospec's sequential judge: what it registers."""

from __future__ import annotations

from collections.abc import Iterable

from ospec.hookspecs import hookimpl
from ospec.models.judging import JudgeInput, Verdict
from ospec.models.registration import Judge

from ospec_plugin_judge_sequential.settings import JudgeSettings


@hookimpl
def register_judges() -> Iterable[Judge]:
    """Name the judge."""
    return [Judge("sequential", look, JudgeSettings)]


def look(given: JudgeInput) -> Verdict:
    """Judge what was seen so far; numpy is imported when this is first called."""
    from ospec_plugin_judge_sequential.judge import judge

    return judge(given)
