"""The metrics of the progress server, read from its parts at each scrape."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from batches.overview import Overview
from batches.recording import Recording
from batches.result import JobResult
from batches.store.database import Database
from batches.store.node_warnings import NodeWarning
from batches.store.node_watch import NodeWatch
from batches.store.refusals import Refusal
from services.overview_reader import OverviewReader
from services.progress.change_feed import ChangeFeed
from services.progress.group_commit import GroupCommit, Record
from services.progress.settings import ProgressSettings
from services.progress.watch_hub import WatchHub

FLUSH_RESULTS_BUCKETS = (1, 3, 10, 30, 100, 300, 1_000, 2_000, 10_000)
FLUSH_SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

SUMMED_GAUGES = (
    "batchprogress_backlog_results",
    "batchprogress_backlog_results_max",
    "batchprogress_watches",
    "batchprogress_watches_max",
)
"""Gauges that several processes have together; of the others, the highest value tells of all."""

Metric = GaugeMetricFamily | CounterMetricFamily


@dataclass(frozen=True, slots=True, eq=False)
class ProgressCollector(Collector):
    """Reads the parts of a server at each scrape, without a query, from the thread of the scrape."""

    settings: ProgressSettings
    group_commit: GroupCommit
    hub: WatchHub
    feed: ChangeFeed
    overview: OverviewReader[Overview]
    node_watch: NodeWatch
    databases: Sequence[Database]

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        yield from self._of_the_server()
        yield from self._of_the_database()
        if (overview := self.overview.newest) is not None:
            yield from _of_the_batches(overview)

    def _of_the_server(self) -> Iterator[Metric]:
        settings, backlog = self.settings, self.group_commit.backlog_results
        yield _gauge("backlog_results", "Results that wait to be recorded.", backlog)
        yield _gauge("backlog_results_max", "The limit of backlog_results.", settings.backlog_results_max)
        yield _gauge(
            "backlog_full_share",
            "backlog_results / backlog_results_max, of the process whose backlog is fullest.",
            backlog / settings.backlog_results_max,
        )
        yield _gauge(
            "reconciler_period_seconds",
            "How often the reconciler should run: PROGRESS_RECONCILER_PERIOD.",
            settings.reconciler_period,
        )
        yield _gauge("watches", "Open watches.", self.hub.watches)
        yield _gauge("watches_max", "The limit of watches.", settings.watches_max)
        yield _gauge(
            "watches_full_share",
            "watches / watches_max, of the process that has most of them.",
            self.hub.watches / settings.watches_max,
        )
        yield _gauge(
            "feed_lag_seconds",
            "Seconds since the change feed read all watched batches: how late watchers learn of changes.",
            self.feed.lag_seconds,
        )

    def _of_the_database(self) -> Iterator[Metric]:
        retries, failures = Counter[Refusal | None](), Counter[Refusal | None]()
        for database in self.databases:
            retries.update(database.retries)
            failures.update(database.failures)
        yield _by_reason("database_retries", "Transactions that were retried, by reason.", retries)
        yield _by_reason(
            "database_failures", "Transactions that failed despite retries, by reason.", failures
        )
        warnings = GaugeMetricFamily(
            "batchprogress_database_warnings",
            "1 for each warning about how a database node is set up that the server has met lately.",
            labels=["warning"],
        )
        for warning in NodeWarning:
            warnings.add_metric([warning.value], warning in self.node_watch.warnings)
        yield warnings


class FlushMetrics:
    """The sizes of the groups of results and the durations of their transactions.

    Args:
        registry: where the metrics are registered.

    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._results = Histogram(
            "batchprogress_flush_results",
            "Results in one committed transaction, including those that were already recorded.",
            registry=registry,
            buckets=FLUSH_RESULTS_BUCKETS,
        )
        self._seconds = Histogram(
            "batchprogress_flush_seconds",
            "Seconds per transaction of results, including its retries, whether or not it succeeded.",
            registry=registry,
            buckets=FLUSH_SECONDS_BUCKETS,
        )

    def measured(self, record: Record) -> Record:
        """Return a function that records a group as `record` does, and measures it."""

        async def measure(results: Sequence[JobResult]) -> Recording:
            with self._seconds.time():
                recording = await record(results)
            self._results.observe(len(results))
            return recording

        return measure


def _of_the_batches(overview: Overview) -> Iterator[Metric]:
    batches = GaugeMetricFamily(
        "batchprogress_batches", "Batches by state, counted up to 100,000 each.", labels=["state"]
    )
    for state, number in overview.batches.items():
        batches.add_metric([state.name], number)
    yield batches
    yield _gauge(
        "stuck_batches",
        "Batches in progress without a result for PROGRESS_STUCK_AFTER.",
        overview.stuck_batches,
    )
    yield _gauge(
        "oldest_silence_seconds",
        "Seconds since the last result of the batch in progress that has waited longest for one.",
        overview.oldest_silence_seconds,
    )
    yield _gauge(
        "reconciler_silence_seconds",
        "Seconds since the newest pass of the reconciler over all batches; +Inf if there was none.",
        overview.reconciler_silence_seconds,
    )
    yield _gauge(
        "batches_need_person",
        "Batches in progress that no pass of the reconciler will end unless a person does something.",
        overview.batches_need_person,
    )
    yield _gauge(
        "clock_jump_seconds",
        "How far the database's clock has jumped ahead, by which the deletion of old batches is delayed.",
        overview.clock_jump_seconds,
    )
    yield _gauge("recent_repairs", "Batches repaired within the last hour.", overview.recent_repairs)
    yield _gauge(
        "recent_repaired_jobs",
        "Results within the last hour that only the queue knew.",
        overview.recent_repaired_jobs,
    )


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"batchprogress_{name}", text, value=value)


def _by_reason(name: str, text: str, counts: Mapping[Refusal | None, int]) -> CounterMetricFamily:
    """Return a counter with all its reasons, so that a rate can be computed before the first of a kind."""
    metric = CounterMetricFamily(f"batchprogress_{name}", text, labels=["reason"])
    for refusal in (*Refusal, None):
        metric.add_metric([refusal.value if refusal else "other"], counts.get(refusal, 0))
    return metric
