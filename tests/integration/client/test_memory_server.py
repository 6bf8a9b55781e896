"""The server of batchprogress.testing passes the tests of the contract that the real server passes.

The tests are the real server's own, with another fixture: a rule that changes there fails here.
"""

import inspect
from collections.abc import AsyncIterator
from types import ModuleType

import grpc
import pytest_asyncio

from batchprogress import testing
from tests.integration.progress import (
    test_bad_input,
    test_deletion,
    test_failure_limit,
    test_history,
    test_job_results,
    test_lifecycle,
    test_reporting,
    test_watching,
    test_watching_many,
)
from tests.support.progress import Served, stub_of

NOT_OF_THE_CONTRACT = {
    "test_malformed_bytes_are_refused": "no client of ours sends them",
    "test_oversized_message_is_refused": "the limits of memory are those of gRPC",
    "test_end_that_was_committed_late_is_sent_to_a_resumed_watch": "memory has no transactions",
    "test_ten_thousand_results_in_one_call": "the number of its transactions is the server's",
}
"""Tests of the real server that need no database and are not run here, with the reason."""
MODULES = (
    test_bad_input,
    test_deletion,
    test_failure_limit,
    test_history,
    test_job_results,
    test_lifecycle,
    test_reporting,
    test_watching,
    test_watching_many,
)


@pytest_asyncio.fixture
async def progress() -> AsyncIterator[Served]:
    """Serve from memory, without the database that the other servers of these tests have."""
    with testing.server() as server:
        async with grpc.aio.insecure_channel(server.target) as channel:
            yield Served(int(server.target.rpartition(":")[2]), channel, stub_of(channel))


def runnable(module: ModuleType) -> dict[str, object]:
    """Return the tests of a module that need nothing but a server, and those that cannot run here."""
    return {
        name: member
        for name, member in vars(module).items()
        if name.startswith("test_")
        and inspect.isfunction(member)
        and "progress" in (parameters := inspect.signature(member).parameters)
        and not {"database_url", "sqlite_url", "monkeypatch"} & parameters.keys()
        and name not in NOT_OF_THE_CONTRACT
    }


for _module in MODULES:
    globals().update(runnable(_module))


def test_the_tests_of_the_contract_are_found() -> None:
    """A change of a fixture's name must not leave this module empty."""
    assert sum(len(runnable(module)) for module in MODULES) >= 39  # those of version 0.2


def test_every_exception_names_a_test() -> None:
    assert NOT_OF_THE_CONTRACT.keys() <= {name for module in MODULES for name in vars(module)}
