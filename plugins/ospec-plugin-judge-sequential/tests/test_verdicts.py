"""Releases that are bad in known ways are sent back, good ones pass, and bursts fool nobody."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli
from attrs import fields
from ospec.converter import from_json, to_json
from ospec.errors import DocumentError
from ospec.models.judging import JudgedMetric, JudgeInput, Verdict
from ospec.models.live import Measurement
from ospec_plugin_judge_sequential import hooks
from ospec_plugin_judge_sequential.comparisons import comparisons_of
from ospec_plugin_judge_sequential.judge import judge
from ospec_plugin_judge_sequential.settings import JudgeSettings

ERRORS = JudgedMetric(name="error_rate", kind="errors")
LATENCY = JudgedMetric(name="request_duration", kind="latency")
CPU = JudgedMetric(name="cpu_usage", kind="gauge")


def tail_doubled(random: np.random.Generator, count: int) -> Any:
    """The slowest 2 % take twice as long."""
    times = random.lognormal(np.log(20.0), 0.6, count)
    return np.where(times > 20.0 * math.exp(0.6 * 2.0537), 2.0 * times, times)


def two_humps(random: np.random.Generator, count: int) -> Any:
    """7 of 10 take 100 times as long."""
    return random.lognormal(np.log(20.0), 0.6, count) * np.where(random.random(count) < 0.7, 100.0, 1.0)


def spread_out(random: np.random.Generator, count: int) -> Any:
    """The same median, twice the spread."""
    return random.lognormal(np.log(20.0), 1.2, count)


def test_the_plugin_registers_its_judge() -> None:
    (record,) = hooks.register_judges()
    assert (record.name, record.settings) == ("sequential", JudgeSettings)
    assert record.judge(JudgeInput(candidate="v2")).outcome == "not-enough-data"


def test_numpy_is_not_imported_before_the_first_look() -> None:
    program = "import sys, ospec_plugin_judge_sequential.hooks; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


@pytest.mark.parametrize(
    ("world", "metric"),
    [
        ({"times": (tail_doubled, None)}, "request_duration"),
        ({"times": (two_humps, None)}, "request_duration"),
        ({"times": (spread_out, None)}, "request_duration"),
        ({"errors": (0.02, 0.002)}, "error_rate"),
        ({"errors": (1.0, 0.002)}, "error_rate"),
    ],
    ids=["p99 doubled", "7 of 10 100 times as long", "twice the spread", "0.2 % -> 2 %", "all fail"],
)
@pytest.mark.parametrize("seed", range(5))
def test_a_bad_release_is_found_within_10_000_requests(
    traffic: Any, world: dict[str, Any], metric: str, seed: int
) -> None:
    times = tuple(one or traffic.healthy for one in world.get("times", (None, None)))
    verdicts = traffic.looks(traffic.seconds(500, **{**world, "times": times}, seed=seed))
    found = traffic.first(verdicts, "regress")
    assert found is not None
    assert (found[0] + 1) * 20 <= 10_000
    blamed = [one for one in found[1].findings if one.outcome == "regress"]
    assert [one.metric for one in blamed] == [metric]
    assert found[1].numbers["evidence"] >= 100
    assert blamed[0].sentence in found[1].sentence


@pytest.mark.parametrize("seed", range(3))
def test_sparse_errors_are_found_within_30_000_requests(traffic: Any, seed: int) -> None:
    bins = traffic.seconds(300, errors=(0.006, 0.002), requests=(100, 900), seed=seed)
    assert traffic.first(traffic.looks(bins, [ERRORS]), "regress") is not None


def test_a_good_canary_passes_at_about_1_000_requests(traffic: Any) -> None:
    needed = []
    for seed in range(12):
        verdicts = list(traffic.looks(traffic.seconds(100, seed=seed)))
        assert traffic.first(verdicts, "regress") is None
        passed = traffic.first(verdicts, "pass")
        assert passed is not None
        assert passed[1].sentence.startswith("v2 is good enough.")
        needed.append((passed[0] + 1) * 20)
    assert 300 <= np.median(needed) <= 1000


@pytest.mark.parametrize("requests", [(1, 180), (20, 180), (100, 100), (0, 200)])
def test_there_is_no_verdict_below_the_minimum_sample(traffic: Any, requests: tuple[int, int]) -> None:
    counts = np.arange(1, 31) * requests[0]
    verdicts = list(traffic.looks(traffic.seconds(30, errors=(1.0, 0.0), requests=requests), [ERRORS]))
    assert {one.outcome for one, seen in zip(verdicts, counts, strict=True) if seen < 50} <= {"not-enough-data"}
    assert all("so far" in one.sentence for one, seen in zip(verdicts, counts, strict=True) if seen < 50)


def test_three_seconds_have_to_agree(traffic: Any) -> None:
    bins = list(traffic.seconds(5, errors=(1.0, 0.0), requests=(5000, 5000)))
    outcomes = [one.outcome for one in traffic.looks(bins, [ERRORS])]
    assert "regress" not in outcomes[:2]
    assert outcomes[3] == "regress"


def test_a_burst_on_both_releases_is_nobodys_fault(traffic: Any) -> None:
    def bursty(seed: int) -> Any:
        random = np.random.default_rng(seed)
        for second in range(120):
            share = 0.5 if second % 20 < 5 else 0.002
            yield [
                *traffic.counted("v2", float(second), 20.0, float(random.binomial(20, share))),
                *traffic.counted("v1", float(second), 180.0, float(random.binomial(180, share))),
            ]

    for seed in range(20):
        assert traffic.first(traffic.looks(bursty(seed), [ERRORS]), "regress") is None


@pytest.mark.parametrize("second", [3, 30, 55])
def test_one_client_that_fails_50_times_in_a_second_is_no_regression(traffic: Any, second: int) -> None:
    bins = list(traffic.seconds(60, errors=(0.0, 0.0)))
    calm = [one.numbers["evidence"] for one in traffic.looks(bins, [ERRORS])]
    bins[second] = [
        *traffic.counted("v2", float(second), 70.0, 50.0),
        *traffic.counted("v1", float(second), 180.0, 0.0),
    ]
    verdicts = list(traffic.looks(bins, [ERRORS]))
    assert traffic.first(verdicts, "regress") is None
    assert max(one.numbers["evidence"] for one in verdicts) <= max(calm[second - 1], 1.0) * 0.01 ** (-1 / 3) + 1e-9


def test_a_single_error_or_a_hundredth_slower_does_not_matter(traffic: Any) -> None:
    """Evidence for an effect that is smaller than what matters does not send a release back."""

    def slightly(random: np.random.Generator, count: int) -> Any:
        return traffic.healthy(random, count) * 1.01

    bins = list(traffic.seconds(60, errors=(0.0005, 0.0), times=(slightly, traffic.healthy), requests=(10_000, 90_000)))
    verdicts = list(traffic.looks(bins))
    assert traffic.first(verdicts, "regress") is None
    assert verdicts[-1].findings[0].numbers["stable.evidence"] > 1e6


def test_no_stable_traffic_is_not_enough_data(traffic: Any) -> None:
    verdict = traffic.last(traffic.looks(traffic.seconds(60, errors=(1.0, 0.0), requests=(100, 0)), [ERRORS]))
    assert verdict.outcome == "not-enough-data"
    assert "6,000 requests of v2 and 0 of v1 so far" in verdict.sentence


def test_a_bound_holds_whatever_the_stable_release_does(traffic: Any) -> None:
    bins = list(traffic.seconds(120, errors=(0.05, 0.05)))
    bound = JudgedMetric(name="error_rate", kind="errors", bound=0.01)
    assert traffic.first(traffic.looks(bins, [ERRORS]), "regress") is None
    found = traffic.first(traffic.looks(bins, [bound]), "regress")
    assert found is not None
    assert "where 1 % may" in found[1].sentence
    assert traffic.first(traffic.looks(traffic.seconds(120, errors=(0.005, 0.005)), [bound]), "regress") is None


def test_a_bound_of_latency_is_about_its_quantile(traffic: Any) -> None:
    bins = list(traffic.seconds(100))
    tight = JudgedMetric(name="request_duration", kind="latency", bound=50.0, quantile=0.99)
    loose = JudgedMetric(name="request_duration", kind="latency", bound=50.0, quantile=0.9)
    found = traffic.first(traffic.looks(bins, [tight]), "regress")
    assert found is not None
    assert "took longer than 50 ms, where 1 % may" in found[1].sentence
    assert traffic.first(traffic.looks(bins, [loose]), "regress") is None


def test_the_guard_window_judges_bounds_within_the_same_alpha(traffic: Any) -> None:
    canary = traffic.last(traffic.looks(traffic.seconds(50), [ERRORS, LATENCY]))
    alone = [[one for one in bins if one.release == "v2"] for bins in traffic.seconds(300, errors=(0.2, 0), seed=9)]
    later = [[evolve_at(one, 100.0) for one in bins] for bins in alone]
    guard = list(traffic.looks(later, [ERRORS, LATENCY], dict(canary.state), phase="guard", stable=""))
    found = traffic.first(guard, "regress")
    assert found is not None
    assert "where 5 % may" in found[1].sentence
    good = [[evolve_at(one, 100.0) for one in bins if one.release == "v2"] for bins in traffic.seconds(300, seed=9)]
    verdicts = list(traffic.looks(good, [ERRORS, LATENCY], dict(canary.state), phase="guard", stable=""))
    assert traffic.first(verdicts, "regress") is None
    assert verdicts[-1].outcome == "pass"
    assert "nothing to hold it against" in verdicts[-1].findings[1].sentence


def evolve_at(one: Measurement, seconds: float) -> Measurement:
    return Measurement(one.metric, one.release, one.source, one.at + seconds, one.value, one.seconds, one.buckets)


@pytest.mark.parametrize(
    ("worse", "own", "other", "outcome"),
    [
        ("higher", 1.5, 1.0, "regress"),
        ("higher", 1.1, 1.0, "pass"),
        ("higher", 0.5, 1.0, "pass"),
        ("lower", 0.5, 1.0, "regress"),
        ("lower", 0.9, 1.0, "pass"),
        ("higher", 0.0, 0.0, "pass"),
    ],
)
def test_gauges_have_a_direction_and_a_smallest_effect(
    traffic: Any, worse: Any, own: float, other: float, outcome: str
) -> None:
    metric = JudgedMetric(name="cpu_usage", kind="gauge", worse=worse)
    bins = [
        [Measurement("cpu_usage", "v2", "psutil", float(at), own), Measurement("cpu_usage", "v1", "psutil", at, other)]
        for at in range(100)
    ]
    assert traffic.last(traffic.looks(bins, [metric])).outcome == outcome


def test_a_noisy_gauge_is_no_regression(traffic: Any) -> None:
    random = np.random.default_rng(1)
    bins = [
        [Measurement("cpu_usage", release, "psutil", float(at), float(random.gamma(2.0))) for release in ("v1", "v2")]
        for at in range(1500)
    ]
    assert traffic.first(traffic.looks(bins, [CPU]), "regress") is None


def test_pass_waits_for_needed_metrics_only(traffic: Any) -> None:
    free = JudgedMetric(name="cpu_usage", kind="gauge", needed=False)
    bins = list(traffic.seconds(100))
    assert traffic.last(traffic.looks(bins, [ERRORS, CPU])).outcome == "not-enough-data"
    assert traffic.last(traffic.looks(bins, [ERRORS, free])).outcome == "pass"


def test_huge_counts_are_judged(traffic: Any) -> None:
    bins = [
        [*traffic.counted("v2", float(s), 1e11, 2e9), *traffic.counted("v1", float(s), 9e11, 9e9)] for s in range(5)
    ]
    verdict = traffic.last(traffic.looks(bins, [ERRORS]))
    assert verdict.outcome == "regress"
    assert math.isfinite(verdict.numbers["evidence"])


def test_stored_looks_replay_the_same(traffic: Any) -> None:
    state: dict[str, Any] = {}
    for bins in traffic.seconds(40, errors=(0.03, 0.01)):
        given = JudgeInput(candidate="v2", stable="v1", bins=tuple(bins), metrics=(ERRORS, LATENCY), state=state)
        verdict = judge(given)
        stored = json.loads(json.dumps([to_json(given), to_json(verdict)], allow_nan=False))
        assert judge(from_json(stored[0], JudgeInput)) == verdict == from_json(stored[1], Verdict)
        state = dict(verdict.state)


def test_the_state_does_not_grow_with_the_rollout(traffic: Any) -> None:
    sizes = [len(json.dumps(one.state)) for one in traffic.looks(traffic.seconds(400))]
    assert max(sizes) < 4000
    assert sizes[-1] < sizes[40] + 200


def test_the_readme_shows_every_setting_with_its_default() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    told = tomli.loads(shown)["plugins"]["judge-sequential"]
    assert list(told) == [one.name for one in fields(JudgeSettings)]
    default, spelt_out = JudgeSettings(), JudgeSettings(**told)
    assert {name: value for name, value in told.items() if not isinstance(value, dict)} == {
        name: getattr(default, name) for name, value in told.items() if not isinstance(value, dict)
    }
    given = JudgeInput(candidate="v2", stable="v1", metrics=(ERRORS, LATENCY))
    one, other = (comparisons_of(given, settings) for settings in (default, spelt_out))
    assert str(one.each) == str(other.each)


def test_two_metrics_of_one_name_are_refused() -> None:
    with pytest.raises(DocumentError, match="two metrics are called 'error_rate'"):
        judge(JudgeInput(candidate="v2", stable="v1", metrics=(ERRORS, CPU, ERRORS)))


def test_a_metric_of_no_weight_sends_nothing_back(traffic: Any) -> None:
    bins = list(traffic.seconds(40, errors=(0.5, 0.0)))
    weightless = JudgedMetric(name="error_rate", kind="errors", weight=0.0)
    assert traffic.first(traffic.looks(bins, [weightless, LATENCY]), "regress") is None
    assert traffic.first(traffic.looks(bins, [ERRORS, LATENCY]), "regress") is not None


def test_settings_are_checked() -> None:
    for wrong in ({"alpha": 0.0}, {"alpha": 0.7}, {"alpha": True}, {"min_requests": "50"}, {"weights": {"x": 0}}):
        with pytest.raises(DocumentError) as caught:
            JudgeSettings(**wrong)
        assert caught.value.where.startswith(f"plugins.judge-sequential.{next(iter(wrong))}")
    assert JudgeSettings(alpha=0.05, weights={"error_rate": 3}).alpha == 0.05


def test_settings_decide(traffic: Any) -> None:
    bins = list(traffic.seconds(60, errors=(0.02, 0.002)))
    looks = [
        traffic.first(traffic.looks(bins, [ERRORS], settings=JudgeSettings(alpha=alpha)), "regress")
        for alpha in (0.1, 0.01, 1e-6)
    ]
    found = [one[0] for one in looks if one is not None]
    assert found == sorted(found)
    assert found[0] < found[-1]
    blind = JudgeSettings(effects={"error_rate": 0.05})
    assert traffic.first(traffic.looks(bins, [ERRORS], settings=blind), "regress") is None
    strict = JudgeSettings(margins={"error_rate": 0.0001})
    assert traffic.last(traffic.looks(traffic.seconds(60), [ERRORS], settings=strict)).outcome == "no-regression"
