"""Metrics of what stands around the calls of a server: readiness, certificates and token files."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from rpc.serving.guard import Guard
from rpc.serving.health import Health


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
