"""The display names of jobs."""

from dataclasses import replace

from batches.repair import RepairPlan
from batches.result import JOB_NAME_CHARACTERS_MAX, JobResult
from batches.store.batch_store import BatchStore
from tests.integration.store.steps import create, recorded, report
from tests.support.samples import FAILED, result, results


def named(name: str, job_id: str = "job", attempt: int = 1) -> JobResult:
    """Return a report of a failure with a name."""
    return replace(result(job_id, FAILED, attempt=attempt), display_name=name)


async def names(store: BatchStore) -> dict[str, str]:
    """Return the recorded names by job_id."""
    return {job_id: row.display_name for job_id, row in (await recorded(store)).items()}


async def test_a_result_has_the_name_of_its_report(store: BatchStore) -> None:
    """Whatever its alphabet, and whatever other results of its group have."""
    longest = "🎉" * JOB_NAME_CHARACTERS_MAX
    await create(store, 10)
    await report(store, named(longest, "a"), result("b"), named("sync.tasks.sync_row", "c"))
    await report(store, result("d"))
    assert await names(store) == {"a": longest, "b": "", "c": "sync.tasks.sync_row", "d": ""}


async def test_a_later_attempt_replaces_the_name_only_by_another_one(store: BatchStore) -> None:
    """A repair of the same job may come from a queue that does not know the name."""
    await create(store, 10)
    await report(store, named("first"), named("kept", "other"))
    await report(store, named("", attempt=2), named("new", "other", attempt=2))
    assert await names(store) == {"job": "first", "other": "new"}


async def test_results_of_a_repair_have_names_too(store: BatchStore) -> None:
    """They are recorded by the same statements as reports."""
    batch = await create(store, 2)
    await store.write_repair(
        RepairPlan("batch", batch.revision, "reason", results=(named("sync_row"), result("other")))
    )
    assert await names(store) == {"job": "sync_row", "other": ""}


async def test_groups_with_and_without_names_follow_each_other(store: BatchStore) -> None:
    """The columns of one group do not stay for the next one."""
    await create(store, 100)
    for first in (0, 10, 20):
        await report(store, *results(5, first=first))
        await report(store, *(replace(one, display_name="name") for one in results(5, first=first + 5)))
    assert list((await names(store)).values()) == (["" for _ in range(5)] + ["name"] * 5) * 3
