"""Fault 11: random sequences of calls and crashes, compared with a minimal model."""

import asyncio

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    run_state_machine_as_test,
)

from tests.faults import summary
from tests.faults.evidence import findings
from tests.faults.ledger import Ledger
from tests.faults.state_machine import Contract

MYSQL_AND_SQLITE = pytest.mark.parametrize("database_engine", ["sqlite", "mysql"], indirect=True)


@MYSQL_AND_SQLITE
def test_any_order_of_calls_equals_the_model(
    database_url: str, database_engine: str, seed: int, request: pytest.FixtureRequest, *, full: bool
) -> None:
    """After any sequence of calls, repairs and crashes, GetBatch equals the model."""
    examples, steps = (500, 50) if full else (20, 20)
    Contract.url, Contract.ledger, Contract.steps = database_url, Ledger(), 0
    run_state_machine_as_test(
        hypothesis.seed(seed)(Contract),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
        ),
    )
    ledger = Contract.ledger
    found = asyncio.run(findings(ledger, database_url))
    row = summary.Row.of(("state machine", database_engine, seed), Contract.steps, ledger, found)
    summary.note_row(request.node, row)
    assert not found, found
