"""The limits of the port of the metrics."""

import asyncio
import http.client
from contextlib import closing, suppress

import pytest
from prometheus_client import CollectorRegistry

from rpc.telemetry import metrics_port
from rpc.telemetry.metrics_port import MetricsPort

SECONDS_MAX = 20.0


def status_of(port: int) -> int:
    """Scrape; return the HTTP status, 0 if the connection was cut."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS_MAX)) as connection:
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().status
        except (ConnectionError, http.client.BadStatusLine):
            return 0


async def test_number_of_connections_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silent connections occupy a limited number of threads; a closed connection makes room."""
    monkeypatch.setattr(metrics_port, "CONNECTIONS_MAX", 2)
    monkeypatch.setattr(metrics_port, "REQUEST_SECONDS_MAX", 3 * SECONDS_MAX)  # far beyond this test
    metrics = MetricsPort(CollectorRegistry(), "127.0.0.1:0")
    silent = [await asyncio.open_connection("127.0.0.1", metrics.port) for _ in range(2)]
    assert await asyncio.to_thread(status_of, metrics.port) == 0
    silent[0][1].close()
    async with asyncio.timeout(SECONDS_MAX):
        while await asyncio.to_thread(status_of, metrics.port) != http.client.OK:  # noqa: ASYNC110  # the server notices by itself
            await asyncio.sleep(0.01)
    silent[1][1].close()
    await metrics.close()


async def test_slow_request_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit applies to the whole request: a byte now and then does not extend it."""
    monkeypatch.setattr(metrics_port, "REQUEST_SECONDS_MAX", 0.2)
    metrics = MetricsPort(CollectorRegistry(), "127.0.0.1:0")
    reader, writer = await asyncio.open_connection("127.0.0.1", metrics.port)
    async with asyncio.timeout(SECONDS_MAX):
        while not reader.at_eof():
            writer.write(b"G")
            with suppress(TimeoutError, ConnectionError):
                await asyncio.wait_for(reader.read(1), 0.05)
    writer.close()
    await metrics.close()
