"""Kubernetes Jobs from a stand-in of the API server and, in `make test-k8s`, from a real one."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from batches.result import JobOutcome
from services.job_status.source import (
    BatchUnknown,
    JobsNotListed,
    JobStatus,
    QueueContradiction,
    QueueUnavailable,
)
from services.job_status.sources.kubernetes import JOBS_PER_PAGE, KubernetesSource
from tests.integration.job_status.kubernetes_api import ApiServer, kubeconfig, serving_api
from tests.integration.job_status.kubernetes_cluster import (
    LABEL,
    Cluster,
    cluster_of,
    indexed,
    stand_in,
)
from tests.integration.job_status.source_contract import listed
from tests.k8s import needs
from tests.support import not_run
from tests.support.control_plane import ControlPlane, control_plane


@pytest.fixture(scope="session")
def real_server() -> Iterator[ControlPlane]:
    """Yield the real API server."""
    with control_plane() as running:
        yield running


@pytest.fixture(params=["stand-in", "real"])
async def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cluster]:
    """Yield each API server with a new namespace."""
    if request.param == "stand-in":
        async with stand_in(tmp_path) as cluster:
            yield cluster
        return
    if reason := needs.server_missing():
        not_run.absent(reason)
    async with cluster_of(request.getfixturevalue("real_server")) as cluster:
        yield cluster


@pytest.fixture
async def source(cluster: Cluster) -> AsyncIterator[KubernetesSource]:
    """Yield the source over the namespace."""
    source = KubernetesSource(cluster.namespace, LABEL, config_file=cluster.config_file)
    yield source
    await source.close()


async def test_indexed_job_lists_its_indexes(cluster: Cluster, source: KubernetesSource) -> None:
    """It does so while it is suspended, too."""
    await cluster.put("sync", "batch", **indexed(5), backoffLimitPerIndex=1)
    assert (await source.batch_counts("batch")).pending == 5
    await cluster.set_status("sync", completedIndexes="0,3-4", succeeded=3, failedIndexes="1")
    counts = await source.batch_counts("batch")
    assert (counts.total, counts.succeeded, counts.failed, counts.pending) == (5, 3, 1, 1)
    assert await listed(source, "batch", 2) == [
        JobStatus("sync/0", JobOutcome.SUCCEEDED),
        JobStatus("sync/1", JobOutcome.FAILED, error_type="FailedIndexes"),
        JobStatus("sync/2", None),
        JobStatus("sync/3", JobOutcome.SUCCEEDED),
        JobStatus("sync/4", JobOutcome.SUCCEEDED),
    ]
    assert (await source.job_page("batch", None, 5)).next_key is None


async def test_job_with_100_000_indexes_is_counted_and_listed(
    cluster: Cluster, source: KubernetesSource
) -> None:
    await cluster.put("large", "batch", **indexed(100_000))
    done = ",".join(f"{first}-{first + 8}" for first in range(0, 100_000, 10))
    await cluster.set_status("large", completedIndexes=done, succeeded=90_000)
    counts = await source.batch_counts("batch")
    assert (counts.succeeded, counts.pending) == (90_000, 10_000)
    page = await source.job_page("batch", "large/99994", 5_000)
    assert [status.job_id for status in page.statuses] == [f"large/{one}" for one in range(99_995, 100_000)]
    assert page.next_key is None


async def test_batch_may_have_more_jobs_than_a_page_of_the_api(
    cluster: Cluster, source: KubernetesSource
) -> None:
    """It does not contain the Jobs of other batches."""
    number = JOBS_PER_PAGE + 3
    for position in range(number):
        await cluster.put(f"one-{position}", "batch", number=number)
    await cluster.put("other", "batch-2")
    assert (await source.batch_counts("batch")).total == number
    assert len({status.job_id for status in await listed(source, "batch", 200)}) == number


async def test_name_that_looks_like_an_index_is_another_job(
    cluster: Cluster, source: KubernetesSource
) -> None:
    """Index 1 of the Job `a` and the Job `a-1` are two jobs."""
    await cluster.put("a", "batch", number=2, **indexed(2))
    await cluster.put("a-1", "batch", number=2)
    assert (await source.batch_counts("batch")).total == 3
    assert [status.job_id for status in await listed(source, "batch", 1)] == ["a/0", "a/1", "a-1"]


async def test_job_without_indexes_is_counted_but_not_listed(
    cluster: Cluster, source: KubernetesSource
) -> None:
    await cluster.put("sync", "batch", completions=4, parallelism=1)
    counts = await source.batch_counts("batch")
    assert (counts.pending, counts.lists_jobs) == (4, False)
    with pytest.raises(JobsNotListed):
        await source.job_page("batch", None, 10)


async def test_batch_with_a_deleted_job_is_a_contradiction(
    cluster: Cluster, source: KubernetesSource
) -> None:
    """If it was the only Job, the batch is unknown."""
    await cluster.put("only", "alone")
    for name in ("a", "b"):
        await cluster.put(name, "pair", number=2)
    assert (await source.batch_counts("pair")).total == 2
    await cluster.delete("only")
    await cluster.delete("b")
    with pytest.raises(BatchUnknown):
        await source.batch_counts("alone")
    with pytest.raises(QueueContradiction):
        await source.batch_counts("pair")


@pytest.mark.parametrize("batch_id", ["x" * 64, "a=b", "a,b", "-a", "a b", "!", "BATCH"])
async def test_batch_without_a_label_is_unknown(
    batch_id: str, cluster: Cluster, source: KubernetesSource
) -> None:
    """Its id may be one that cannot be the value of a label."""
    await cluster.put("sync", "batch")
    with pytest.raises(BatchUnknown):
        await source.batch_counts(batch_id)


async def test_no_batch_is_unknown_without_permission(cluster: Cluster, tmp_path: Path) -> None:
    """Without the permission to list Jobs the queue is unavailable."""
    wrong = tmp_path / "wrong"
    text = cluster.config_file.read_text(encoding="utf-8")
    wrong.write_text(text.replace('token": "', 'token": "x').replace("token: ", "token: x"), encoding="utf-8")
    source = KubernetesSource(cluster.namespace, LABEL, config_file=wrong)
    for call in (source.check(), source.batch_counts("batch")):
        with pytest.raises(QueueUnavailable):
            await call
    await source.close()


async def test_missing_server_or_account_is_unavailable(tmp_path: Path, unused_port: int) -> None:
    """Outside a pod there is no service account."""
    file = tmp_path / "kubeconfig"
    file.write_text(kubeconfig(f"http://127.0.0.1:{unused_port}"))
    for config_file in (file, None):
        source = KubernetesSource("queue", LABEL, config_file=config_file)
        with pytest.raises(QueueUnavailable):
            await source.check()
        await source.close()


async def test_only_request_is_to_list_jobs_of_the_namespace(tmp_path: Path) -> None:
    """It is all that the Role permits."""
    api, file = ApiServer(), tmp_path / "kubeconfig"
    async with serving_api(api) as url:
        file.write_text(kubeconfig(url))
        source = KubernetesSource("queue", LABEL, config_file=file)
        await source.check()
        with pytest.raises(BatchUnknown):
            await source.batch_counts("batch")
        await source.close()
    assert set(api.requests) == {("GET", "/apis/batch/v1/namespaces/queue/jobs")}
