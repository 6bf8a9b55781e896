"""Metrics of the viewers of events, read at each scrape."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.gateway.live.event_stream import ViewerRoom


@dataclass(frozen=True, slots=True)
class ViewerCollector(Collector):
    """Reads the numbers of viewers and watches, from the thread of the scrape."""

    room: ViewerRoom
    watches: Callable[[], int]
    """Returns the number of watches of the progress server."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield every metric."""
        yield GaugeMetricFamily(
            "batchprogress_event_viewers",
            "Open streams of /v1/batch/events and /v1/batches/events.",
            value=self.room.viewers,
        )
        yield GaugeMetricFamily(
            "batchprogress_event_viewers_max",
            "Maximum number of those streams.",
            value=self.room.viewers_max,
        )
        yield GaugeMetricFamily(
            "batchprogress_event_watches",
            "Watches of the progress server for those streams, one for each batch or selection.",
            value=self.watches(),
        )
