"""The metrics that every server has: of its calls, and of what stands around them."""

from collections.abc import Iterable, Iterator

import grpc
from prometheus_client import CollectorRegistry, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from rpc.guard import Guard
from rpc.health import Health

CALL_SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""From a read of a warm database to a caller's usual deadline."""
OTHER_METHOD = "other"
"""The label of every method that is not ours: a stranger must not make up series."""


def new_registry() -> CollectorRegistry:
    """Return a registry with what the process uses of the machine."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


class CallMetrics:
    """Counts calls by method and code, with the time they took."""

    def __init__(self, registry: CollectorRegistry, methods: Iterable[str]) -> None:
        """Take the methods (/package.Service/Method) that get series of their own."""
        self._names = {method: method.rpartition("/")[2] for method in methods}
        self._seconds = Histogram(
            "batchprogress_call_seconds",
            "Calls by method and status code, and the seconds they took; a watch takes as long as it lasts.",
            ("method", "code"),
            registry=registry,
            buckets=CALL_SECONDS_BUCKETS,
        )
        self._series: dict[tuple[str, grpc.StatusCode], Histogram] = {}

    def ended(self, method: str, code: grpc.StatusCode, seconds: float) -> None:
        """Count a call; a microsecond or two."""
        name = self._names.get(method, OTHER_METHOD)
        series = self._series.get((name, code))
        if series is None:  # labels() takes a lock and looks for them anew each time
            series = self._series[name, code] = self._seconds.labels(name, code.name)
        series.observe(seconds)


class ServerCollector(Collector):
    """Tells whether a server is ready, and how its certificate and its files of secrets are."""

    def __init__(self, health: Health, guard: Guard) -> None:
        """Take what is read at each scrape."""
        self._health = health
        self._guard = guard

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield every metric."""
        yield GaugeMetricFamily(
            "batchprogress_ready",
            "1 while what the server works with answers, and it does not drain.",
            value=self._health.is_ready,
        )
        yield GaugeMetricFamily(
            "batchprogress_files_stale",
            "1 while a certificate, key or token file holds what cannot be used; the old content is in use.",
            value=self._guard.is_stale,
        )
        expiry = self._guard.certificate_expiry
        if expiry is not None:
            yield GaugeMetricFamily(
                "batchprogress_certificate_expiry_timestamp_seconds",
                "When the certificate in use expires.",
                value=expiry,
            )
