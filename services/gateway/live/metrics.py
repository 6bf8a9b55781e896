"""Metrics of the viewers of events, read at each scrape."""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.gateway.live.event_stream import EventStreams


@dataclass(frozen=True, slots=True)
class ViewerCollector(Collector):
    """Reads the numbers of viewers and watches, from the thread of the scrape."""

    streams: EventStreams

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield every metric."""
        yield GaugeMetricFamily(
            "batchprogress_event_viewers", "Open streams of /v1/batch/events.", value=self.streams.viewers
        )
        yield GaugeMetricFamily(
            "batchprogress_event_viewers_max",
            "Maximum number of those streams.",
            value=self.streams.viewers_max,
        )
        yield GaugeMetricFamily(
            "batchprogress_event_watches",
            "Watches of the progress server for those streams, one for each batch.",
            value=self.streams.watches,
        )
