"""Which names and websites reach the plain reads and the events."""

import pytest

from tests.support.events import events, path_of
from tests.support.gateway import Door, gateway
from tests.support.progress import Served

FOREIGN, OURS = "https://evil.example", "https://app.example"
PATHS = ["/v1/batch?batch_id=b", "/v1/batches", path_of("b")]


@pytest.mark.parametrize("path", PATHS)
async def test_a_foreign_host_is_refused(closed_door: Door, path: str) -> None:
    answer = await closed_door.send("GET", path, host="evil.example")
    assert (answer.status, answer.json["code"]) == (421, "permission_denied")


@pytest.mark.parametrize("path", PATHS)
async def test_a_foreign_page_reads_nothing(closed_door: Door, path: str) -> None:
    """Its browser keeps the answer from it, and sends no token without asking first."""
    read = await closed_door.send("GET", path, origin=FOREIGN)
    asked = await closed_door.send("OPTIONS", path, origin=FOREIGN, access_control_request_method="GET")
    assert asked.status == 405
    assert not {name for name in asked.headers | read.headers if name.startswith("access-control")}
    assert read.headers["cross-origin-resource-policy"] == "same-origin"


async def test_a_page_of_an_allowed_origin_views_a_batch(progress: Served) -> None:
    await progress.create("b", 1)
    async with gateway(f"127.0.0.1:{progress.port}", cors_origins=OURS) as door:
        asked = await door.send(
            "OPTIONS",
            path_of("b"),
            origin=OURS,
            access_control_request_method="GET",
            access_control_request_headers="authorization,last-event-id",
        )
        assert (asked.status, asked.headers["access-control-allow-origin"]) == (200, OURS)
        refused = await door.send("GET", path_of("unknown"), origin=OURS)
        assert (refused.status, refused.headers["access-control-allow-origin"]) == (404, OURS)
        async with events(door, "b", origin=OURS) as found:
            assert (await anext(found)).name == "batch"
