"""The metrics of the notifier, read at each scrape without a query."""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from batches.delivery import DeliveryOverview, DeliveryState
from services.notifier.notifier import Notifier
from services.overview_reader import OverviewReader

_RESULTS = {
    DeliveryState.DELIVERED: "delivered",
    DeliveryState.PENDING: "failed",
    DeliveryState.DEAD: "dead",
}


@dataclass(frozen=True, slots=True, eq=False)
class NotifierCollector(Collector):
    """Reads the parts of a notifier at each scrape, from the thread of the scrape."""

    notifier: Notifier
    overview: OverviewReader[DeliveryOverview]

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Yield every metric."""
        attempts = CounterMetricFamily(
            "batchprogress_webhook_attempts",
            "Attempts of this process to send webhooks; failed ones are tried again, dead ones are not.",
            labels=["result"],
        )
        for state, result in _RESULTS.items():
            attempts.add_metric([result], self.notifier.outcomes[state])
        yield attempts
        if (overview := self.overview.newest) is not None:
            yield GaugeMetricFamily(
                "batchprogress_webhooks_pending", "Webhooks that are not delivered yet.", overview.pending
            )
            yield GaugeMetricFamily(
                "batchprogress_webhooks_dead",
                "Webhooks that were given up, kept for 30 days.",
                overview.dead,
            )
            yield GaugeMetricFamily(
                "batchprogress_webhooks_oldest_undelivered_seconds",
                "Age of the oldest event that is not delivered; 0 without one.",
                overview.oldest_pending_seconds,
            )
