"""Calls are counted by method, status code and duration."""

import grpc
from prometheus_client import CollectorRegistry

from rpc.telemetry.metrics import CALL_SECONDS_BUCKETS, CallMetrics

METHOD = "/a.Service/Do"


def test_call_counts_in_each_bucket_that_its_duration_does_not_exceed() -> None:
    registry = CollectorRegistry()
    metrics = CallMetrics(registry, [METHOD])
    for seconds in (0.001, 0.02, 0.02, 100.0):
        metrics.observe(METHOD, grpc.StatusCode.OK, seconds)

    def counted(bound: str) -> float | None:
        labels = {"method": "Do", "code": "OK", "le": bound}
        return registry.get_sample_value("batchprogress_call_seconds_bucket", labels)

    found = [counted(str(float(bound))) for bound in CALL_SECONDS_BUCKETS]
    assert found == [1, 1, 1, 1, *[3] * 9]
    assert counted("+Inf") == 4
    of_all = {"method": "Do", "code": "OK"}
    assert registry.get_sample_value("batchprogress_call_seconds_count", of_all) == 4
    assert registry.get_sample_value("batchprogress_call_seconds_sum", of_all) == 100.041


def test_unknown_methods_share_a_series() -> None:
    registry = CollectorRegistry()
    metrics = CallMetrics(registry, [METHOD])
    for name in ("/made.Up/One", "/made.Up/Two"):
        for code in (grpc.StatusCode.OK, grpc.StatusCode.UNIMPLEMENTED):
            metrics.observe(name, code, 1.0)
    for name in ("OK", "UNIMPLEMENTED"):
        labels = {"method": "other", "code": name}
        assert registry.get_sample_value("batchprogress_call_seconds_count", labels) == 2
