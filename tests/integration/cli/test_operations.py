"""passes and info."""

import json
import re

import pytest

from batches.passes import PassKind, PassNumbers
from batches.store.batch_store import BatchStore
from tests.integration.cli.command import CommandLine

pytestmark = pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)

LEFT = PassNumbers(batches_looked_at=1_234, batches_left={"still_pending": 2, "contradiction": 1}, errors=1)
BY_HAND = PassKind(manual=True)


async def test_passes_are_listed_newest_first(store: BatchStore, cli: CommandLine) -> None:
    """Those by hand are told apart, and one that was cut short says why."""
    await store.end_pass(await store.begin_pass(), LEFT)
    cut = PassNumbers(batches_looked_at=1, batches_repaired=1, cut_short="stopped by a signal")
    await store.end_pass(await store.begin_pass(BY_HAND), cut)
    await store.begin_pass()
    ended = await cli.run("passes")
    head, *lines = [re.sub(r" {2,}", "|", line) for line in ended.out.splitlines()]
    assert head == "began|seconds|by|looked at|repaired|left|errors|details"
    running, by_hand, scheduled = [line.partition(" UTC|")[2] for line in lines]
    assert running == "schedule|0|0|0|0|running, or killed"
    assert re.fullmatch(r"\d\.\d\|hand\|1\|1\|0\|0\|stopped by a signal", by_hand)
    assert re.fullmatch(r"\d\.\d\|schedule\|1,234\|0\|3\|1\|1 contradiction, 2 still_pending", scheduled)


async def test_the_last_scheduled_pass_is_one_command(store: BatchStore, cli: CommandLine) -> None:
    await store.end_pass(await store.begin_pass(), LEFT)
    for _ in range(3):
        await store.end_pass(await store.begin_pass(BY_HAND), PassNumbers())
    ended = await cli.run("passes", "--scheduled", "--limit", "1", "--json")
    (line,) = ended.out.splitlines()
    shown = json.loads(line)
    assert (shown["manual"], shown["batches_looked_at"], shown["errors"]) == (False, 1_234, 1)
    assert shown["batches_left"] == {"still_pending": 2, "contradiction": 1}


async def test_a_server_without_passes_says_so(cli: CommandLine) -> None:
    ended = await cli.run("passes")
    assert (ended.code, ended.out, ended.err) == (0, "", "batchprogress: no passes\n")


async def test_info_shows_the_server_and_the_last_pass(store: BatchStore, cli: CommandLine) -> None:
    lines = (await cli.run("info")).out.splitlines()
    assert lines[1].startswith("database     SQLite 3.")
    assert lines[2:] == [
        "caller       anyone: the server requires no token",
        "roles        worker, reader, operator",
        "batches      all",
        "last pass    none has ended",
    ]
    await store.end_pass(await store.begin_pass(), PassNumbers())
    shown = json.loads((await cli.run("info", "--json")).out)
    assert (shown["caller"], shown["roles"]) == ("", ["worker", "reader", "operator"])
    assert shown["last_pass_time"].endswith("Z")
