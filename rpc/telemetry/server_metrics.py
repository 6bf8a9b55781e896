"""Metrics of readiness, processes, certificates and token files, read at each scrape."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector


@dataclass(frozen=True, slots=True)
class ServerCollector(Collector):
    """Reads the state of a server at each scrape, from the thread of the scrape."""

    is_ready: Callable[[], bool]
    has_stale_files: Callable[[], bool]
    certificate_expiry: Callable[[], float | None]
    """Unix time, in seconds; None without TLS."""
    is_restarted: bool = False
    """Whether this process took the place of one that ended."""

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Yield every metric."""
        yield GaugeMetricFamily("batchprogress_processes", "Running processes of the server.", value=1)
        yield CounterMetricFamily(
            "batchprogress_process_restarts",
            "Processes of the server that ended and were started again.",
            value=int(self.is_restarted),
        )
        yield GaugeMetricFamily(
            "batchprogress_ready",
            "1 while the backing store answers and the server does not drain.",
            value=self.is_ready(),
        )
        yield GaugeMetricFamily(
            "batchprogress_files_stale",
            "1 while a certificate, key or token file cannot be used and its old content stays in use.",
            value=self.has_stale_files(),
        )
        expiry = self.certificate_expiry()
        if expiry is not None:
            yield GaugeMetricFamily(
                "batchprogress_certificate_expiry_timestamp_seconds",
                "When the certificate in use expires.",
                value=expiry,
            )
