"""The metrics of a flush."""

import pytest
from prometheus_client import CollectorRegistry

from batches.errors import DatabaseUnavailable
from services.progress.metrics import FlushMetrics
from tests.unit.progress.memory_store import MemoryStore, one


async def test_only_committed_results_are_counted() -> None:
    """A failed transaction counts with its duration, but without results."""
    store, registry = MemoryStore(), CollectorRegistry()
    measured = FlushMetrics(registry).measured(store.record)
    store.failures.append(DatabaseUnavailable())
    with pytest.raises(DatabaseUnavailable):
        await measured(one("j"))
    assert registry.get_sample_value("batchprogress_flush_results_count") == 0
    assert registry.get_sample_value("batchprogress_flush_results_sum") == 0
    assert registry.get_sample_value("batchprogress_flush_seconds_count") == 1
    await measured(one("j"))
    assert registry.get_sample_value("batchprogress_flush_results_sum") == 1
    assert registry.get_sample_value("batchprogress_flush_seconds_count") == 2
