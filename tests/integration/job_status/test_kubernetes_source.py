"""Kubernetes Jobs, from the API server that is given (`make test-k8s`), and from a small one of ours."""

import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio.client import ApiClient, BatchV1Api, Configuration, CoreV1Api, V1Job, V1Namespace
from kubernetes.aio.config import load_kube_config

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
from tests.integration.job_status.source_contract import listed
from tests.k8s import needs
from tests.support import not_run
from tests.support.control_plane import control_plane

LABEL = "batchprogress.dev/batch-id"


@dataclass
class Cluster:
    """An API server, used as whoever runs Jobs uses it."""

    api: BatchV1Api
    config_file: Path
    namespace: str

    async def put(self, name: str, batch_id: str, *, number: int | None = None, **spec: Any) -> None:  # noqa: ANN401  # of any field
        """Create a suspended Job: no controller starts pods for it, so that its status is the test's."""
        pod = {"restartPolicy": "Never", "containers": [{"name": "work", "image": "none"}]}
        annotations = {} if number is None else {"batchprogress.dev/jobs": str(number)}
        metadata = {"name": name, "labels": {LABEL: batch_id}, "annotations": annotations}
        body = {"metadata": metadata, "spec": {"suspend": True, "template": {"spec": pod}, **spec}}
        created = await self.api.create_namespaced_job_without_preload_content(
            self.namespace, V1Job.model_validate(body)
        )
        assert created.status < 300, await created.text()

    async def set_status(self, name: str, **status: Any) -> None:  # noqa: ANN401  # as above
        """Write a status as the Job controller does."""
        changed = await self.api.patch_namespaced_job_status_without_preload_content(
            name, self.namespace, {"status": status}
        )
        assert changed.status < 300, await changed.text()

    async def delete(self, name: str) -> None:
        """Delete a Job, and its pods with it."""
        await self.api.delete_namespaced_job_without_preload_content(
            name, self.namespace, propagation_policy="Background"
        )


async def _connected(file: Path) -> ApiClient:
    configuration = Configuration()
    await load_kube_config(config_file=str(file), client_configuration=configuration, persist_config=False)
    return ApiClient(configuration)


@pytest.fixture(scope="session")
def given() -> Iterator[Path]:
    """Return the kubeconfig of the API server that is given."""
    with control_plane() as running:
        yield running.kubeconfig


@pytest.fixture(params=["stand-in", "given"])
async def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cluster]:
    """Return each API server there is, with a namespace of this test's own."""
    if request.param == "stand-in":
        file = tmp_path / "kubeconfig"
        async with serving_api(ApiServer()) as url:
            file.write_text(kubeconfig(url))
            async with await _connected(file) as client:
                yield Cluster(BatchV1Api(client), file, "queue")
        return
    if reason := needs.server_missing():
        not_run.absent(reason)
    file = request.getfixturevalue("given")
    async with await _connected(file) as client:
        namespace = f"batchprogress-test-{secrets.token_hex(4)}"
        core = CoreV1Api(client)
        await core.create_namespace(V1Namespace.model_validate({"metadata": {"name": namespace}}))
        yield Cluster(BatchV1Api(client), file, namespace)
        await core.delete_namespace_without_preload_content(namespace)


@pytest.fixture
async def source(cluster: Cluster) -> AsyncIterator[KubernetesSource]:
    """Return the source over it."""
    source = KubernetesSource(cluster.namespace, LABEL, config_file=cluster.config_file)
    yield source
    await source.close()


def indexed(completions: int) -> dict[str, Any]:
    """Return what makes a Job an Indexed one."""
    return {"completionMode": "Indexed", "completions": completions, "parallelism": 1}


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
