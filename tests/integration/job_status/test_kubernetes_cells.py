"""What docs/job-status-source.md claims of Kubernetes Jobs: each test bears the name of its row."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from batches.result import JobOutcome
from services.job_status.settings import JobStatusSettings
from services.job_status.source import BatchUnknown, JobsNotListed, QueueContradiction, QueueUnavailable
from services.job_status.sources.kubernetes import KubernetesSource
from services.job_status.wiring import open_source
from tests.integration.job_status.kubernetes_api import ApiServer, kubeconfig, serving_api
from tests.integration.job_status.source_contract import listed

LABEL = "batchprogress.dev/batch-id"
INDEXED = {"completionMode": "Indexed", "completions": 3}
COMPLETE = [{"type": "Complete", "status": "True", "reason": "SuccessPolicy"}]
FAILED = [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]


@pytest.fixture
def api() -> ApiServer:
    """Return an API server without Jobs."""
    return ApiServer()


@pytest.fixture
async def source(api: ApiServer, tmp_path: Path) -> AsyncIterator[KubernetesSource]:
    """Yield the source over the API server."""
    file = tmp_path / "kubeconfig"
    async with serving_api(api) as url:
        file.write_text(kubeconfig(url))
        source = KubernetesSource("queue", LABEL, config_file=file)
        yield source
        await source.close()


def put(
    api: ApiServer, name: str = "sync", spec: dict[str, Any] | None = None, jobs: str = "", **status: Any
) -> None:
    """Create a Job of the batch, by default an Indexed Job with three indexes."""
    annotations = {"batchprogress.dev/jobs": jobs} if jobs else {}
    metadata = {"name": name, "labels": {LABEL: "batch"}, "annotations": annotations}
    api.jobs[name] = {"metadata": metadata, "spec": INDEXED if spec is None else spec, "status": status}


@pytest.mark.parametrize("answer", [[], {"kind": "Status"}, {"items": []}])
async def test_what_lists_no_jobs_is_not_the_api_server(
    api: ApiServer, source: KubernetesSource, answer: Any
) -> None:
    """As a proxy that has JSON for everyone."""
    api.answer = answer
    with pytest.raises(QueueUnavailable):
        await source.check()


async def test_no_jobs_may_be_null(api: ApiServer, source: KubernetesSource) -> None:
    """Programs in Go write so for a list that nobody has filled."""
    api.answer = {"metadata": {}, "items": None}
    with pytest.raises(BatchUnknown):
        await source.batch_counts("batch")


class TestCells:
    """The cells."""

    async def test_job_status_source_is_kubernetes(self, tmp_path: Path) -> None:
        """The name opens this source."""
        config = tmp_path / "kubeconfig"
        config.touch()
        settings = {"kubernetes_namespace": "queue", "kubernetes_config": config}
        source = open_source(JobStatusSettings(source="kubernetes", **settings))  # type: ignore[arg-type]
        assert isinstance(source, KubernetesSource)
        await source.close()

    async def test_reads_jobs_with_a_label(self, api: ApiServer, source: KubernetesSource) -> None:
        """Other Jobs are not read."""
        put(api)
        api.jobs["other"] = {"metadata": {"name": "other"}, "spec": INDEXED, "status": {}}
        assert (await source.batch_counts("batch")).total == 3

    async def test_from_one_namespace(self, api: ApiServer, source: KubernetesSource) -> None:
        """The only requests are lists of its Jobs."""
        put(api)
        await source.batch_counts("batch")
        assert set(api.requests) == {("GET", "/apis/batch/v1/namespaces/queue/jobs")}

    async def test_a_batch_is_the_jobs_labelled_with_its_id(
        self, api: ApiServer, source: KubernetesSource
    ) -> None:
        """There may be several."""
        put(api)
        put(api, "late", {})
        assert (await source.batch_counts("batch")).total == 4

    async def test_a_job_id_is_job_and_index_or_job(self, api: ApiServer, source: KubernetesSource) -> None:
        """The separator is a character that no name has."""
        put(api)
        put(api, "late", {})
        ids = [one.job_id for one in await listed(source, "batch", 10)]
        assert ids == ["late", "sync/0", "sync/1", "sync/2"]

    async def test_lists_jobs_yes_but_not_with_several_pods_without_indexes(
        self, api: ApiServer, source: KubernetesSource
    ) -> None:
        """They cannot be told apart."""
        put(api)
        assert (await source.batch_counts("batch")).lists_jobs
        put(api, "pods", {"completions": 2})
        assert not (await source.batch_counts("batch")).lists_jobs
        with pytest.raises(JobsNotListed):
            await source.job_page("batch", None, 10)

    async def test_succeeded_is_completed_indexes_or_succeeded(
        self, api: ApiServer, source: KubernetesSource
    ) -> None:
        """The set of indexes is Kubernetes' truth."""
        put(api, completedIndexes="0,2", succeeded=9)
        put(api, "pods", {"completions": 5}, succeeded=4)
        assert (await source.batch_counts("batch")).succeeded == 6

    async def test_failed_is_failed_indexes_and_the_rest_of_a_failed_job(
        self, api: ApiServer, source: KubernetesSource
    ) -> None:
        """A succeeded index stays succeeded."""
        put(api, failedIndexes="1")
        assert await outcomes(source) == [None, JobOutcome.FAILED, None]
        put(api, completedIndexes="0", conditions=FAILED)
        assert await outcomes(source) == [JobOutcome.SUCCEEDED, JobOutcome.FAILED, JobOutcome.FAILED]

    async def test_skipped_is_the_rest_of_a_job_that_a_success_policy_completed(
        self, api: ApiServer, source: KubernetesSource
    ) -> None:
        """They did not have to run."""
        put(api, completedIndexes="0", conditions=COMPLETE)
        assert await outcomes(source) == [JobOutcome.SUCCEEDED, JobOutcome.SKIPPED, JobOutcome.SKIPPED]

    async def test_pending_are_all_others_also_of_a_suspended_job(
        self, api: ApiServer, source: KubernetesSource
    ) -> None:
        """It can be resumed."""
        put(api, conditions=[{"type": "Suspended", "status": "True"}])
        assert await outcomes(source) == [None, None, None]

    async def test_a_job_to_be_retried_is_pending(self, api: ApiServer, source: KubernetesSource) -> None:
        """Failed pods are attempts."""
        put(api, failed=2, active=1)
        assert await outcomes(source) == [None, None, None]

    async def test_attempt_is_1(self, api: ApiServer, source: KubernetesSource) -> None:
        """Kubernetes does not count pods by index."""
        put(api, completedIndexes="0", failed=7)
        assert {one.attempt for one in await listed(source, "batch", 10)} == {1}

    async def test_a_job_that_ran_twice_is_counted_once(
        self, api: ApiServer, source: KubernetesSource
    ) -> None:
        """An index is in the set once, however many pods it had."""
        put(api, completedIndexes="0-2", succeeded=3, failed=3)
        assert await outcomes(source) == [JobOutcome.SUCCEEDED] * 3

    async def test_an_expired_result_does_not_exist(self, api: ApiServer, source: KubernetesSource) -> None:
        """Results are kept as long as their Job."""
        put(api, completedIndexes="0-2")
        assert await outcomes(source) == [JobOutcome.SUCCEEDED] * 3

    async def test_a_deleted_job_is_a_contradiction_or_makes_the_batch_unknown(
        self, api: ApiServer, source: KubernetesSource
    ) -> None:
        """The annotation tells how many Jobs there were."""
        put(api, jobs="2")
        put(api, "late", {}, jobs="2")
        del api.jobs["late"]
        with pytest.raises(QueueContradiction):
            await source.batch_counts("batch")
        del api.jobs["sync"]
        with pytest.raises(BatchUnknown):
            await source.batch_counts("batch")

    async def test_an_expired_pruned_or_deleted_batch_is_unknown(
        self, api: ApiServer, source: KubernetesSource
    ) -> None:
        """It is never an empty batch."""
        put(api)
        api.jobs.clear()
        with pytest.raises(BatchUnknown):
            await source.batch_counts("batch")

    async def test_finished_when_no_job_is_pending_if_the_jobs_have_the_annotation(
        self, api: ApiServer, source: KubernetesSource
    ) -> None:
        """Without it more Jobs may be created."""
        for jobs in ("1", ""):
            put(api, jobs=jobs, completedIndexes="0-2")
            assert (await source.batch_counts("batch")).finished == bool(jobs)
        put(api, jobs="1", completedIndexes="0-1")
        assert not (await source.batch_counts("batch")).finished

    async def test_cancelled_never(self, api: ApiServer, source: KubernetesSource) -> None:
        """A suspended Job is not cancelled."""
        put(api, conditions=FAILED)
        assert not (await source.batch_counts("batch")).cancelled

    async def test_unreadable_data_is_a_contradiction(self, api: ApiServer, source: KubernetesSource) -> None:
        """The problem names what cannot be read, not its content."""
        broken: list[dict[str, Any]] = [{"completedIndexes": "2-0"}, {"jobs": "9" * 5_000}]
        for changed in broken:
            put(api, **changed)
            with pytest.raises(QueueContradiction) as caught:
                await source.batch_counts("batch")
            assert "9" not in caught.value.problem


async def outcomes(source: KubernetesSource) -> list[JobOutcome | None]:
    """Return the outcomes in the order of the ids; the counts agree with the listing."""
    counts = await source.batch_counts("batch")
    found = [one.outcome for one in await listed(source, "batch", 10)]
    numbers = (counts.succeeded, counts.failed, counts.skipped, counts.pending)
    assert numbers == tuple(found.count(one) for one in (*JobOutcome, None))
    return found
