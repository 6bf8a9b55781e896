"""The metrics that every server has of its process and its calls."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

import grpc
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

CALL_SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""From a read of a warm database to the usual deadline of a caller."""
OTHER_METHOD = "other"
"""The label of all unknown methods: a stranger must not be able to create series."""

_OK = grpc.StatusCode.OK
_BOUNDS = (*(str(float(bound)) for bound in CALL_SECONDS_BUCKETS), "+Inf")


def new_registry() -> CollectorRegistry:
    """Return a registry with the metrics of the process."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


@dataclass(slots=True, eq=False)
class _Series:
    """The calls of a method that ended with a status code."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(CALL_SECONDS_BUCKETS) + 1))
    """Calls by bucket, each call in one; the last bucket has no bound."""
    seconds: float = 0.0


class CallMetrics(Collector):
    """Counts calls by method and status code, with their durations.

    prometheus_client's own histogram takes locks, and some µs for each call. Here only one thread counts,
    that of the event loop; that of a scrape reads.

    Args:
        registry: where the metrics are registered.
        methods: the methods (/package.Service/Method) that have series of their own.

    """

    def __init__(self, registry: CollectorRegistry, methods: Iterable[str]) -> None:
        self._names = {method: method.rpartition("/")[2] for method in methods}
        self._series: dict[tuple[str, str], _Series] = {}
        self._answered: dict[str, _Series] = {}
        """The series of OK by the full name of the method, which are found without the rest of the key."""
        registry.register(self)

    def observe(self, method: str, code: grpc.StatusCode, seconds: float) -> None:
        """Count a call; this takes less than a microsecond."""
        series = self._answered.get(method) if code is _OK else None
        if series is None:
            series = self._series_of(method, code)
        series.counts[bisect_left(CALL_SECONDS_BUCKETS, seconds)] += 1
        series.seconds += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield the metric."""
        metric = HistogramMetricFamily(
            "batchprogress_call_seconds",
            "Seconds per call by method and status code; a watch takes as long as it is open.",
            labels=("method", "code"),
        )
        for labels, series in list(self._series.items()):
            buckets = list(zip(_BOUNDS, accumulate(series.counts), strict=True))
            metric.add_metric(labels, buckets, series.seconds)
        yield metric

    def _series_of(self, method: str, code: grpc.StatusCode) -> _Series:
        name = self._names.get(method, OTHER_METHOD)
        series = self._series.setdefault((name, code.name), _Series())
        if code is _OK and name is not OTHER_METHOD:
            self._answered[method] = series
        return series
