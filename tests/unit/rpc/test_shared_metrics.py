"""One page of metrics for several processes."""

from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from rpc.telemetry.shared_metrics import SharedMetrics, forget_process
from tests.integration.observability.conftest import value


class Process:
    """The metrics of a process."""

    def __init__(self, folder: Path, number: int) -> None:
        registry = CollectorRegistry()
        self.calls = Counter("calls", "Calls.", ["code"], registry=registry)
        self.seconds = Histogram("seconds", "Seconds.", ["method"], registry=registry, buckets=(1, 2))
        self.watches = Gauge("watches", "Watches.", registry=registry)
        self.late = Gauge("late", "The latest.", registry=registry)
        self.ready = Gauge("batchprogress_ready", "Ready.", registry=registry)
        self.shared = SharedMetrics(registry, folder, number, ["watches"])

    def page(self) -> str:
        """Return the page that this process serves."""
        return generate_latest(self.shared.page).decode()


def values(page: str, *series: str) -> Iterator[float | None]:
    """Return the values of series."""
    return (value(page, one) for one in series)


def test_counters_and_histograms_are_added_up(tmp_path: Path) -> None:
    """Each process answers for all of them."""
    one, other = Process(tmp_path, 1), Process(tmp_path, 2)
    one.calls.labels("OK").inc(2)
    other.calls.labels("OK").inc(3)
    other.calls.labels("NOT_FOUND").inc()
    for process, seconds in ((one, 0.5), (one, 1.5), (other, 1.5), (other, 9)):
        process.seconds.labels("Get").observe(seconds)
    other.shared.write()
    assert [*values(one.page(), 'calls_total{code="OK"}', 'calls_total{code="NOT_FOUND"}')] == [5, 1]
    buckets = [f'seconds_bucket{{le="{bound}",method="Get"}}' for bound in ("1.0", "2.0", "+Inf")]
    assert [*values(other.page(), *buckets)] == [1, 3, 4]
    assert [*values(one.page(), 'seconds_count{method="Get"}', 'seconds_sum{method="Get"}')] == [4, 12.5]


def test_gauges_are_summed_or_told_by_what_they_mean(tmp_path: Path) -> None:
    """What processes have together is summed; of the rest, the highest or the lowest value counts."""
    one, other = Process(tmp_path, 1), Process(tmp_path, 2)
    for process, number, ready in ((one, 3, True), (other, 4, False)):
        process.watches.set(number)
        process.late.set(number)
        process.ready.set(ready)
        process.shared.write()
    assert [*values(one.page(), "watches", "late", "batchprogress_ready")] == [7, 4, 0]


def test_process_that_has_ended_leaves_its_counts_but_no_gauges(tmp_path: Path) -> None:
    """A counter that went back would look like a new start, and its whole value like an increase."""
    one, other = Process(tmp_path, 1), Process(tmp_path, 2)
    for process in (one, other):
        process.calls.labels("OK").inc(10)
        process.seconds.labels("Get").observe(1.5)
        process.watches.set(5)
        process.shared.write()
    forget_process(tmp_path, 2)
    assert [*values(one.page(), 'calls_total{code="OK"}', "watches")] == [20, 5]
    restarted = Process(tmp_path, 2)
    restarted.calls.labels("OK").inc()
    restarted.seconds.labels("Get").observe(0.5)
    restarted.shared.write()
    restarted.shared.write()
    page = one.page()
    assert [*values(page, 'calls_total{code="OK"}', "watches")] == [21, 5]
    assert [*values(page, 'seconds_bucket{le="1.0",method="Get"}', 'seconds_count{method="Get"}')] == [1, 3]


def test_metrics_without_samples_yet_are_no_error(tmp_path: Path) -> None:
    process = Process(tmp_path, 1)
    assert value(process.page(), "watches") == 0
    assert value(process.page(), 'calls_total{code="OK"}') is None
