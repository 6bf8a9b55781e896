"""What a job of RQ carries."""

import operator
from typing import Any

import pytest
from rq import Queue

from batchprogress.integrations.job_ids import BATCH_KEY, NAME_KEY
from batchprogress.integrations.rq_jobs import tagged


class Exporter:
    """An object that is called as a job."""

    def __call__(self, table: str) -> None:
        """Do nothing."""

    def export(self, table: str) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("function", "name"),
    [
        ("sync.tasks.sync_row", "sync.tasks.sync_row"),
        (operator.index, "_operator.index"),
        (Exporter().export, f"{__name__}.Exporter.export"),
        (Exporter(), f"{__name__}.Exporter"),
    ],
)
def test_a_job_carries_its_batch_and_the_name_of_its_function(function: Any, name: str) -> None:
    """Its own metadata stay, and its arguments are not in the name: they may be personal data."""
    (job,) = tagged("b", [Queue.prepare_data(function, ("secret",), meta={"tenant": "x"})])
    assert job.meta == {"tenant": "x", BATCH_KEY: "b", NAME_KEY: name}


def test_a_job_carries_its_arguments_only_if_asked() -> None:
    """A long description is cut to the contract's limit."""
    jobs = [Queue.prepare_data("sync_row", (17, "ü" * 300), {"dry_run": True})]
    (job,) = tagged("b", jobs, describe_arguments=True)
    assert job.meta[NAME_KEY] == f"sync_row(17, '{'ü' * 300}"[:200]
    (job,) = tagged("b", [Queue.prepare_data("sync_row", (17,), {"dry_run": True})], describe_arguments=True)
    assert job.meta[NAME_KEY] == "sync_row(17, dry_run=True)"
