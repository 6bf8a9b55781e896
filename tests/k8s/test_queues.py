"""job-status with the components for other queues."""

import json
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from redis import Redis
from rq.job import Job

from batchprogress.integrations.job_ids import JOB_IDS_KEY_PREFIX
from database_servers.ports import free_port
from database_servers.redis import redis_server
from tests.integration.job_status.servers import Client
from tests.k8s.cluster import Namespace, eventually
from tests.k8s.pod_process import start_container
from tests.k8s.probes import pass_probes
from tests.k8s.stand_in import SCHEDULED_BY_TESTS
from tests.unit.k8s.layout import ROOT, write_kustomization

pytestmark = pytest.mark.xdist_group("kubernetes")

BATCH = "sync"
JOBS = ("a", "b")
ACCOUNT = "--as=system:serviceaccount:batchprogress:job-status"
"""The account in access.yaml."""


@pytest.fixture
def redis_url() -> Iterator[str]:
    """Run a Redis with a batch of RQ and one of Celery: one job has succeeded, one is waiting."""
    with redis_server() as server, Redis.from_url(server.url) as redis:
        redis.hset(Job.key_for(JOBS[0]), "status", "finished")
        redis.hset(Job.key_for(JOBS[1]), "status", "queued")
        redis.sadd(f"{JOB_IDS_KEY_PREFIX}{BATCH}", *JOBS)
        # In the format of Celery's backend, whose own results would need this Redis until they are collected.
        tasks = [[[job_id, None], None] for job_id in JOBS]
        redis.set(f"celery-taskset-meta-{BATCH}", json.dumps({"result": [[BATCH, None], tasks]}))
        redis.set(f"celery-task-meta-{JOBS[0]}", json.dumps({"status": "SUCCESS", "result": None}))
        yield server.url


@pytest.mark.usefixtures("controllers")
@pytest.mark.parametrize("component", ["rq", "celery-in-redis"])
async def test_component_connects_job_status_to_redis(
    namespace: Namespace, redis_url: str, component: str, tmp_path: Path
) -> None:
    """With the component and the Secret, job-status is ready and knows the batch."""
    port, admin_port = free_port(), free_port()
    namespace.put_secret("batchprogress-queue", url=redis_url)
    ports = {"LISTEN": port, "ADMIN_LISTEN": admin_port, "METRICS_LISTEN": 0}
    settings = {
        "name": "batchprogress-settings",
        "behavior": "merge",
        "literals": [f"JOB_STATUS_{name}=127.0.0.1:{number}" for name, number in ports.items()],
    }
    (tmp_path / "mine").mkdir()
    namespace.apply(
        write_kustomization(
            tmp_path / "mine",
            "overlays/trusted-network",
            components=[f"components/{component}"],
            configMapGenerator=[settings],
            patches=SCHEDULED_BY_TESTS,
        )
    )
    (pod, *_) = eventually(lambda: namespace.all_of("pods", "app.kubernetes.io/name=job-status"))
    process = await start_container(namespace, pod, tmp_path / "root")
    try:
        await pass_probes(pod, admin_port)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            counts = await Client(channel).counts(BATCH)
        assert (counts.total, counts.succeeded, counts.pending) == (2, 1, 1)
    finally:
        process.kill()
        await process.communicate()


def test_access_permits_only_to_list_jobs_of_its_namespace(namespace: Namespace) -> None:
    """It is the namespace in which access.yaml is applied."""
    access = ROOT / "k8s/components/kubernetes-jobs-elsewhere/access.yaml"
    namespace.kubectl("apply", "--server-side", "-f", str(access))
    requests = [("get", "jobs"), ("list", "jobs"), ("delete", "jobs"), ("list", "pods"), ("list", "secrets")]
    allowed = [one for one in requests if _may(namespace, *one)]
    assert allowed == [("list", "jobs")]
    assert not _may(namespace, "list", "jobs", "--namespace=default")


def _may(namespace: Namespace, *request: str) -> bool:
    return namespace.try_kubectl("auth", "can-i", *request, ACCOUNT).out.strip() == "yes"
