"""deliveries: webhooks on their way, and sending one again."""

import json
import re

import pytest
import pytest_asyncio

from batches.delivery import DeliveryState
from batches.store.batch_store import BatchStore
from tests.integration.cli.command import CommandLine
from tests.integration.store.steps import create
from tests.support.webhooks import claim, hand_over, keep

pytestmark = pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)


@pytest_asyncio.fixture
async def dead_id(store: BatchStore) -> str:
    """Make two deliveries, the older of which is dead; return its id."""
    await store.want_events()
    for batch_id in ("a", "b"):
        await create(store, 0, batch_id)
    await hand_over(store)
    first, second = await claim(store)
    await keep(store, first, DeliveryState.DEAD)
    await keep(store, second, DeliveryState.DELIVERED)
    return first.delivery_id


@pytest.mark.usefixtures("dead_id")
async def test_deliveries_are_a_table(cli: CommandLine) -> None:
    head, *lines = [re.sub(r" {2,}", "|", one) for one in (await cli.run("deliveries")).out.splitlines()]
    assert head == "delivery|state|event|batch|to|tries|next|last answer"
    assert [line.partition("|")[2] for line in lines] == [
        "delivered|completed|b|billing|1|delivered",
        "dead|completed|a|billing|1|dead",
    ]


async def test_a_dead_delivery_is_found_and_sent_again(dead_id: str, cli: CommandLine) -> None:
    (line,) = (await cli.run("deliveries", "--dead", "--json")).out.splitlines()
    assert (json.loads(line)["delivery_id"], json.loads(line)["batch_id"]) == (dead_id, "a")
    ended = await cli.run("deliveries", "--retry", dead_id)
    assert (ended.code, ended.out) == (0, f"{dead_id}: pending\n")
    none = await cli.run("deliveries", "--dead", "--batch", "a")
    assert (none.code, none.out, none.err) == (0, "", "batchprogress: no deliveries\n")


async def test_what_does_not_exist_is_code_4(cli: CommandLine) -> None:
    ended = await cli.run("deliveries", "--retry", "x")
    assert (ended.code, ended.out) == (4, "")
    assert "there is no delivery x" in ended.err
    assert (await cli.run("deliveries", "--batch", "x")).code == 4
    assert (await cli.run("deliveries", "--retry", "x", "--dead")).code == 2
