"""Kubernetes Jobs, from the API server that is given (`make test-k8s`), and from a small one of ours."""

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
def given() -> Iterator[ControlPlane]:
    """Return the API server that is given."""
    with control_plane() as running:
        yield running


@pytest.fixture(params=["stand-in", "given"])
async def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cluster]:
    """Return each API server there is, with a namespace of this test's own."""
    if request.param == "stand-in":
        async with stand_in(tmp_path) as cluster:
            yield cluster
        return
    if reason := needs.server_missing():
        not_run.absent(reason)
    async with cluster_of(request.getfixturevalue("given")) as cluster:
        yield cluster


@pytest.fixture
async def source(cluster: Cluster) -> AsyncIterator[KubernetesSource]:
    """Return the source over it."""
    source = KubernetesSource(cluster.namespace, LABEL, config_file=cluster.config_file)
    yield source
    await source.close()


async def test_indexed_job(cluster: Cluster, source: KubernetesSource) -> None:
    """An Indexed Job lists its indexes, also a suspended one, in counts and in pages."""
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


async def test_large_job(cluster: Cluster, source: KubernetesSource) -> None:
    """A Job of 100,000 indexes is counted and listed, the last page too."""
    await cluster.put("large", "batch", **indexed(100_000))
    done = ",".join(f"{first}-{first + 8}" for first in range(0, 100_000, 10))
    await cluster.set_status("large", completedIndexes=done, succeeded=90_000)
    counts = await source.batch_counts("batch")
    assert (counts.succeeded, counts.pending) == (90_000, 10_000)
    page = await source.job_page("batch", "large/99994", 5_000)
    assert [status.job_id for status in page.statuses] == [f"large/{one}" for one in range(99_995, 100_000)]
    assert page.next_key is None


async def test_many_jobs(cluster: Cluster, source: KubernetesSource) -> None:
    """More Jobs than the API server gives at once are one batch; neighbours' are not in it."""
    number = JOBS_PER_PAGE + 3
    for place in range(number):
        await cluster.put(f"one-{place}", "batch", number=number)
    await cluster.put("other", "batch-2")
    assert (await source.batch_counts("batch")).total == number
    assert len({status.job_id for status in await listed(source, "batch", 200)}) == number


async def test_names_that_look_like_an_index(cluster: Cluster, source: KubernetesSource) -> None:
    """Index 1 of the Job `a` and the Job `a-1` are two jobs of one batch, in the list as in the counts."""
    await cluster.put("a", "batch", number=2, **indexed(2))
    await cluster.put("a-1", "batch", number=2)
    assert (await source.batch_counts("batch")).total == 3
    assert [status.job_id for status in await listed(source, "batch", 1)] == ["a/0", "a/1", "a-1"]


async def test_counted_job(cluster: Cluster, source: KubernetesSource) -> None:
    """A Job whose pods have no index is counted, not listed."""
    await cluster.put("sync", "batch", completions=4, parallelism=1)
    counts = await source.batch_counts("batch")
    assert (counts.pending, counts.lists_jobs) == (4, False)
    with pytest.raises(JobsNotListed):
        await source.job_page("batch", None, 10)


async def test_deleted_job(cluster: Cluster, source: KubernetesSource) -> None:
    """A batch without its only Job is unknown; one without one of several is a contradiction."""
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
async def test_unknown_batch(batch_id: str, cluster: Cluster, source: KubernetesSource) -> None:
    """An id that no label holds, or that cannot be one's value, is an unknown batch."""
    await cluster.put("sync", "batch")
    with pytest.raises(BatchUnknown):
        await source.batch_counts(batch_id)


async def test_no_access(cluster: Cluster, tmp_path: Path) -> None:
    """Without a right to list Jobs the queue does not answer, and no batch is said to be unknown."""
    wrong = tmp_path / "wrong"
    text = cluster.config_file.read_text(encoding="utf-8")
    wrong.write_text(text.replace('token": "', 'token": "x').replace("token: ", "token: x"), encoding="utf-8")
    source = KubernetesSource(cluster.namespace, LABEL, config_file=wrong)
    for ask in (source.check(), source.batch_counts("batch")):
        with pytest.raises(QueueUnavailable):
            await ask
    await source.close()


async def test_away(tmp_path: Path, unused_port: int) -> None:
    """A server that is not there, and a pod's account outside a pod, are a queue that does not answer."""
    file = tmp_path / "kubeconfig"
    file.write_text(kubeconfig(f"http://127.0.0.1:{unused_port}"))
    for config_file in (file, None):
        source = KubernetesSource("queue", LABEL, config_file=config_file)
        with pytest.raises(QueueUnavailable):
            await source.check()
        await source.close()


async def test_only_lists(tmp_path: Path) -> None:
    """What is asked of the API server is what the Role allows: to list Jobs, in one namespace."""
    api, file = ApiServer(), tmp_path / "kubeconfig"
    async with serving_api(api) as url:
        file.write_text(kubeconfig(url))
        source = KubernetesSource("queue", LABEL, config_file=file)
        await source.check()
        with pytest.raises(BatchUnknown):
            await source.batch_counts("batch")
        await source.close()
    assert set(api.requests) == {("GET", "/apis/batch/v1/namespaces/queue/jobs")}
