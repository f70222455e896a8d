"""What a load run saw, one row a request, in columns: a hundred thousand rows cost a few megabytes."""

from __future__ import annotations

import csv
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from attrs import field, frozen

COLUMNS = ("scheduled_at", "sent_ms", "latency_ms", "status", "release", "error")


@frozen
class Sample:
    """One request. `error` is empty where it was answered with 2xx or 3xx."""

    scheduled_at: float
    """Unix seconds at which the schedule wanted it sent."""
    sent_ms: float
    """How long after that it was sent."""
    latency_ms: float
    """From the scheduled moment to the last byte of the answer (or to the failure)."""
    status: int
    release: str
    error: str

    @property
    def sent_at(self) -> float:
        """Unix seconds at which it was sent."""
        return self.scheduled_at + self.sent_ms / 1000

    @property
    def done_at(self) -> float:
        """Unix seconds at which its answer was complete."""
        return self.scheduled_at + self.latency_ms / 1000


@frozen
class ReleaseSpan:
    """When a release answered, in Unix seconds."""

    requests: int
    first_sent: float
    first_done: float
    last_sent: float
    last_done: float


@frozen
class LoadResult:
    """The figures of one load run; `samples` holds every request."""

    url: str
    rate: float
    started_at: float
    seconds: float
    requests: int
    failed: int
    errors: Mapping[str, int]
    """Failed requests by kind: ``connect``, ``closed``, ``timeout``, ``malformed``, ``status-503``…"""
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    sent_late_p99_ms: float
    """How late requests left: every connection was busy, or the generator had too little of this machine."""
    by_release: Mapping[str, ReleaseSpan]
    samples: Samples = field(factory=lambda: Samples(), repr=False, eq=False)


class Samples:
    """Rows in columns. Append with `add`, read with iteration."""

    def __init__(self) -> None:
        self._scheduled = array("d")
        self._sent = array("f")
        self._latency = array("f")
        self._status = array("H")
        self._release = array("L")
        self._error = array("L")
        self._names: dict[str, int] = {"": 0}

    def __len__(self) -> int:
        return len(self._scheduled)

    def __iter__(self) -> Iterator[Sample]:
        names = list(self._names)
        for at, sent, latency, status, release, error in zip(
            self._scheduled, self._sent, self._latency, self._status, self._release, self._error, strict=True
        ):
            yield Sample(at, sent, latency, status, names[release], names[error])

    def add(self, at: float, sent_ms: float, latency_ms: float, status: int, release: str, error: str) -> None:
        """Append one request."""
        names = self._names
        self._scheduled.append(at)
        self._sent.append(sent_ms)
        self._latency.append(latency_ms)
        self._status.append(status)
        self._release.append(names.setdefault(release, len(names)))
        self._error.append(names.setdefault(error, len(names)))

    def failures(self) -> list[Sample]:
        """The failed requests in order of their schedule."""
        return sorted((s for s in self if s.error), key=lambda s: s.scheduled_at)

    def sent_after(self, at: float, release: str) -> list[Sample]:
        """The requests sent after a moment (Unix seconds) that `release` answered: none once another is verified."""
        return [s for s in self if s.release == release and s.sent_at > at]

    def write_csv(self, path: Path) -> None:
        """Write every request as CSV with a header line."""
        with path.open("w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(COLUMNS)
            for s in self:
                row = (f"{s.scheduled_at:.6f}", f"{s.sent_ms:.3f}", f"{s.latency_ms:.3f}", s.status, s.release, s.error)
                writer.writerow(row)

    @classmethod
    def read_csv(cls, path: Path) -> Samples:
        """Read what `write_csv` wrote."""
        samples = cls()
        with path.open(newline="") as rows:
            for row in csv.DictReader(rows):
                at, sent, latency = float(row["scheduled_at"]), float(row["sent_ms"]), float(row["latency_ms"])
                samples.add(at, sent, latency, int(row["status"]), row["release"], row["error"])
        return samples

    def result(self, url: str, rate: float, started_at: float, seconds: float) -> LoadResult:
        """Sum the rows up. Latencies are those of all requests, failed ones too, so that failing fast earns nothing."""
        latencies, sent = sorted(self._latency), sorted(self._sent)
        names = list(self._names)
        errors = Counter(names[code] for code in self._error if code)
        return LoadResult(
            url=url,
            rate=rate,
            started_at=started_at,
            seconds=round(seconds, 3),
            requests=len(self),
            failed=errors.total(),
            errors=dict(errors),
            p50_ms=percentile(latencies, 50),
            p95_ms=percentile(latencies, 95),
            p99_ms=percentile(latencies, 99),
            max_ms=percentile(latencies, 100),
            sent_late_p99_ms=percentile(sent, 99),
            by_release=self._spans(),
            samples=self,
        )

    def _spans(self) -> dict[str, ReleaseSpan]:
        spans: dict[str, list[float]] = {}
        for s in self:
            if not s.release:
                continue
            span = spans.setdefault(s.release, [0, s.sent_at, s.done_at, s.sent_at, s.done_at])
            span[0] += 1
            span[1], span[2] = min(span[1], s.sent_at), min(span[2], s.done_at)
            span[3], span[4] = max(span[3], s.sent_at), max(span[4], s.done_at)
        return {name: ReleaseSpan(int(count), *times) for name, (count, *times) in spans.items()}


def percentile(ordered: list[float], percent: float) -> float:
    """The nearest-rank percentile of ascending numbers, rounded to 0.001; 0.0 where there are none."""
    if not ordered:
        return 0.0
    rank = max(1, -(-len(ordered) * percent // 100))
    return round(ordered[int(rank) - 1], 3)
