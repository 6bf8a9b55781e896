"""The HTTP endpoints that pages request."""

from typing import Any

import pytest

from batches.look import Look, PendingJob, QueuePending
from batches.store import label_search, listings
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batchprogress.v1 import progress_pb2 as pb
from services.dashboard import api, listing
from services.dashboard.errors import ServerAway
from tests.integration.reconciler.scenes import Scene, jobs
from tests.support.dashboard import Page, dashboard
from tests.support.progress import Served
from tests.support.queue_fake import FakeBatch, QueueFake
from tests.support.queue_fake import served as queue_served


async def test_batches_are_listed_newest_first(progress: Served, page: Page) -> None:
    """They can be filtered by state, by labels, and by text in their name, id or labels."""
    for number, labels in enumerate([{"team": "a"}, {"team": "b"}, {"team": "a", "env": "Ünd"}, {}]):
        request = pb.CreateBatchRequest(
            batch_id=f"batch-{number}", total_jobs=1, display_name=f"Name <{number}>", labels=labels
        )
        await progress.stub.CreateBatch(request)
    await progress.report("batch-1", "1")
    assert await _ids(page) == ["batch-3", "batch-2", "batch-1", "batch-0"]
    assert await _ids(page, state="COMPLETED") == ["batch-1"]
    assert await _ids(page, label=["team=a"]) == ["batch-2", "batch-0"]
    assert await _ids(page, label=["team=a", "env=Ünd"]) == ["batch-2"]
    assert await _ids(page, text="name <3") == ["batch-3"]
    assert await _ids(page, text="env=ün") == ["batch-2"]
    assert await _ids(page, text="nowhere") == []


async def test_limit_of_failures_and_the_reason_of_the_end_are_passed_on(
    progress: Served, page: Page
) -> None:
    limit = pb.FailureLimit(jobs=0)
    await progress.stub.CreateBatch(pb.CreateBatchRequest(batch_id="b", total_jobs=2, failure_limit=limit))
    await progress.report("b", "1", pb.JOB_OUTCOME_FAILED)
    await progress.create("c", 1)
    listed = (await page.get("/api/batches")).json["batches"]
    assert [one.get("failure_limit") for one in listed] == [None, {"jobs": "0"}]
    assert [one["cancel_reason"] for one in listed] == ["UNSPECIFIED", "FAILURE_LIMIT"]


async def test_each_batch_is_on_one_page(
    progress: Served, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This holds for a filter by text too."""
    monkeypatch.setattr(listing, "PAGE_SIZE", 2)
    monkeypatch.setattr(listing, "SEARCHED_AT_A_TIME", 2)
    monkeypatch.setattr(listing, "SEARCHED_MAX", 4)
    for number in range(9):
        await progress.create(f"{'odd' if number % 2 else 'even'}-{number}", 1)
    assert await _all_ids(page) == [f"{'odd' if n % 2 else 'even'}-{n}" for n in reversed(range(9))]
    assert await _all_ids(page, text="odd") == ["odd-7", "odd-5", "odd-3", "odd-1"]


async def test_page_of_batches_with_labels_goes_on_where_the_server_found_none(
    progress: Served, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server searches a bounded number of batches in a call."""
    monkeypatch.setattr(label_search, "SEARCHED_MAX", 1)
    for number in range(6):
        labels = {"all": "1", "old" if number < 3 else "new": "1"}
        await progress.stub.CreateBatch(pb.CreateBatchRequest(batch_id=f"b{number}", labels=labels))
    assert await _ids(page, label=["all=1", "old=1"]) == ["b2", "b1", "b0"]


async def test_failures_are_listed_in_groups(progress: Served, page: Page) -> None:
    """Failures are grouped, and the jobs of a group can be listed."""
    await progress.create("b", 10)
    for job_id, error_type in (("1", "KeyError"), ("2", ""), ("3", "KeyError")):
        error = {"error_type": error_type, "error_message": f"no {job_id}"}
        await progress.report("b", job_id, pb.JOB_OUTCOME_FAILED, **error)
    groups = (await page.get("/api/batch/failures", id="b")).json["failure_groups"]
    assert [(group["error_type"], group["failed_jobs"]) for group in groups] == [("KeyError", "2"), ("", "1")]
    for group, job_ids in zip(groups, (["1", "3"], ["2"]), strict=True):
        answer = await page.get("/api/batch/failed-jobs", id="b", fingerprint=group["fingerprint"])
        assert [result["job_id"] for result in answer.json["job_results"]] == job_ids


async def test_failure_groups_are_listed_in_pages(
    progress: Served, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each page tells how many groups there are."""
    monkeypatch.setattr(api, "GROUPS_PAGE_SIZE", 2)
    await progress.create("b", 10)
    for job_id in ("1", "2", "3"):
        await progress.report("b", job_id, pb.JOB_OUTCOME_FAILED, error_type=f"E{job_id}")
    first = (await page.get("/api/batch/failures", id="b")).json
    rest = (await page.get("/api/batch/failures", id="b", page=first["next_page_token"])).json
    assert [len(one["failure_groups"]) for one in (first, rest)] == [2, 1]
    assert (first["total_size"], rest["total_size"], rest["next_page_token"]) == (3, 3, "")


async def test_pages_of_failed_jobs_may_be_short(
    progress: Served, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server searches a bounded number of failures in a call, and a page makes a few calls."""
    monkeypatch.setattr(listings, "RESULTS_SEARCHED_MAX", 1)
    monkeypatch.setattr(listing, "SHORT_PAGES_MAX", 2)
    await progress.create("b", 10)
    for job_id in ("1", "2", "3", "4"):
        await progress.report("b", job_id, pb.JOB_OUTCOME_FAILED, error_type="F" if job_id == "4" else "E")
    groups = (await page.get("/api/batch/failures", id="b")).json["failure_groups"]
    asked = {"id": "b", "fingerprint": groups[1]["fingerprint"]}
    first = (await page.get("/api/batch/failed-jobs", **asked)).json
    rest = (await page.get("/api/batch/failed-jobs", **asked, page=first["next_page_token"])).json
    assert [[job["job_id"] for job in one["job_results"]] for one in (first, rest)] == [[], ["4"]]


async def test_repairs_are_listed_with_their_tallies(sqlite_url: str, progress: Served, page: Page) -> None:
    """Each repair has its reason and the tallies before and after."""
    database, queue = Database(sqlite_url, connections_max=2), QueueFake()
    async with queue_served(queue) as target:
        scene = Scene(sqlite_url, database, BatchStore(database), queue, target)
        await scene.batch("b", FakeBatch(jobs(3)), jobs(3)[:1])
        await scene.run()
    await database.close()
    (repair,) = (await page.get("/api/batch/repairs", id="b")).json["repairs"]
    assert (repair["before"]["state"], repair["before"]["pending_jobs"]) == ("PROCESSING", "2")
    assert (repair["after"]["state"], repair["after"]["succeeded_jobs"]) == ("COMPLETED", "3")
    assert repair["reason"].startswith("2 of 3 results were missing")
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED


async def test_pending_jobs_are_listed_with_the_reason(sqlite_url: str, progress: Served, page: Page) -> None:
    """They are what the reconciler found when it last looked."""
    await progress.create("b", 2)
    never = (await page.get("/api/batch/pending-jobs", id="b")).json
    assert never == {"pending_jobs": [], "next_page_token": "", "reason": ""}
    await progress.create("looked", 2)
    database = Database(sqlite_url, connections_max=1)
    pending = QueuePending(1, lists_jobs=True, first_jobs=(PendingJob("<j>", "sync_row", 2),))
    look = Look("looked", "still_pending", "1 job is still pending in Celery", pending)
    await BatchStore(database).record_look(look)
    await database.close()
    found = (await page.get("/api/batch/pending-jobs", id="looked")).json
    assert found["pending_jobs"] == [{"job_id": "<j>", "display_name": "sync_row", "attempt": 2}]
    assert (found["reason"], "look_time" in found) == ("1 job is still pending in Celery", True)


INVALID_REQUESTS: tuple[tuple[str, dict[str, str], int], ...] = (
    ("/api/batches", {"state": "SLEEPING"}, 400),
    ("/api/batches", {"label": "team"}, 400),
    ("/api/batches", {"page": "no token"}, 400),
    ("/api/batches", {"text": "x" * 3_000}, 400),
    ("/api/batch/events", {}, 400),
    ("/api/batch/failures", {"id": "a b"}, 400),
    ("/api/batch/failures", {"id": "nope"}, 404),
    ("/api/batch/failed-jobs", {"id": "b"}, 400),
    ("/api/batch/failed-jobs", {"id": "b", "fingerprint": "1"}, 400),
    ("/api/batch/failed-jobs", {"id": "nope", "fingerprint": "0" * 16}, 404),
    ("/api/batch/repairs", {"id": "nope"}, 404),
    ("/api/batch/pending-jobs", {"id": "nope"}, 404),
    ("/nowhere", {}, 404),
    ("/static/../app.py", {}, 404),
)


async def test_invalid_requests_are_refused(page: Page) -> None:
    """No path leads to files other than ours."""
    for path, query, status in INVALID_REQUESTS:
        assert ((await page.get(path, **query)).status, path, query) == (status, path, query)


async def test_an_unavailable_server_is_reported_at_once() -> None:
    """The answer comes at once, says when to try again, and does not contain gRPC's message."""
    async with dashboard("127.0.0.1:1") as page:
        answer = await page.get("/api/batches")
        assert (answer.status, answer.json) == (503, {"message": str(ServerAway())})
        assert answer.headers["retry-after"]
        assert (await page.get("/health")).status == 200


async def _ids(page: Page, **query: Any) -> list[str]:
    return [batch["batch_id"] for batch in (await page.get("/api/batches", **query)).json["batches"]]


async def _all_ids(page: Page, **query: Any) -> list[str]:
    ids, token = [], None
    while token != "":
        answer = (await page.get("/api/batches", page=token or "", **query)).json
        ids += [batch["batch_id"] for batch in answer["batches"]]
        token = answer["next_page_token"]
    return ids
