"""The metrics that every server has of its process and its calls."""

from collections.abc import Iterable

import grpc
from prometheus_client import CollectorRegistry, Histogram, ProcessCollector

CALL_SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""From a read of a warm database to the usual deadline of a caller."""
OTHER_METHOD = "other"
"""The label of all unknown methods: a stranger must not be able to create series."""


def new_registry() -> CollectorRegistry:
    """Return a registry with the metrics of the process."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


class CallMetrics:
    """Counts calls by method and status code, with their durations.

    Args:
        registry: where the metrics are registered.
        methods: the methods (/package.Service/Method) that have series of their own.

    """

    def __init__(self, registry: CollectorRegistry, methods: Iterable[str]) -> None:
        self._names = {method: method.rpartition("/")[2] for method in methods}
        self._seconds = Histogram(
            "batchprogress_call_seconds",
            "Seconds per call by method and status code; a watch takes as long as it is open.",
            ("method", "code"),
            registry=registry,
            buckets=CALL_SECONDS_BUCKETS,
        )
        self._series: dict[tuple[str, grpc.StatusCode], Histogram] = {}

    def observe(self, method: str, code: grpc.StatusCode, seconds: float) -> None:
        """Count a call; this takes a microsecond or two."""
        name = self._names.get(method, OTHER_METHOD)
        series = self._series.get((name, code))
        if series is None:  # labels() takes a lock and searches each time
            series = self._series[name, code] = self._seconds.labels(name, code.name)
        series.observe(seconds)
