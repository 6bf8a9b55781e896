"""The reconciler, started by its schedule and manually."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from batches.batch import BatchState
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from tests.integration.reconciler.scenes import Finished, Process, Scene, jobs
from tests.k8s.cluster import Namespace, eventually
from tests.k8s.pod_process import start_container
from tests.support.queue_fake import FakeBatch, QueueFake, served
from tests.unit.k8s.layout import ROOT, Manifest, write_kustomization

pytestmark = [
    pytest.mark.xdist_group("kubernetes"),
    pytest.mark.usefixtures("controllers"),
    pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True),
]

SCHEDULE_SECONDS_MAX = 100.0
"""The schedule of every minute plus the delay of the controller."""
MANUAL = "manual"


@pytest_asyncio.fixture
async def scene(database_url: str, database: Database, store: BatchStore) -> AsyncIterator[Scene]:
    """Yield a batch that is stuck at 11 of 1,037 jobs, and a queue that knows all results."""
    queue = QueueFake()
    async with served(queue) as target:
        scene = Scene(database_url, database, store, queue, target)
        await scene.batch("sync", FakeBatch(jobs(1_037, failed=7)), jobs(1_037)[11:])
        yield scene


@pytest.fixture
def installed(scene: Scene, namespace: Namespace, tmp_path: Path) -> Namespace:
    """Return a namespace with production, which uses the database and the queue of the scene."""
    namespace.put_secret("batchprogress-database", url=scene.url)
    namespace.put_secret("batchprogress-queue", url=scene.url)
    settings = {
        "name": "batchprogress-settings",
        "behavior": "merge",
        "literals": [f"RECONCILER_JOB_STATUS_TARGET={scene.target}", "RECONCILER_STUCK_AFTER=0"],
    }
    folder = tmp_path / "mine"
    folder.mkdir()
    namespace.apply(write_kustomization(folder, "overlays/production", configMapGenerator=[settings]))
    return namespace


async def test_manual_pass_repairs_the_stuck_batch(
    scene: Scene, installed: Namespace, tmp_path: Path
) -> None:
    """`kubectl create job --from` starts it, and the Job completes."""
    installed.kubectl("create", "job", "--from=cronjob/reconciler", MANUAL)
    pod = _pod_of(installed, MANUAL)
    finished = await _run(installed, pod, tmp_path / "root")
    assert (finished.code, finished.summary["completed"]) == (0, 1), finished
    assert (await scene.store.get_batch("sync")).state is BatchState.COMPLETED
    installed.end_pod(pod, finished.code)
    installed.kubectl("wait", "--for=condition=complete", f"job/{MANUAL}", "--timeout=50s")


async def test_dry_run_reports_the_repair_and_writes_nothing(
    scene: Scene, installed: Namespace, tmp_path: Path
) -> None:
    """It is started as in the README, for all batches and for one."""
    before = await scene.tables()
    for arguments in (["--dry-run"], ["--batch-id", "sync", "--dry-run"]):
        job = f"{MANUAL}-{len(arguments)}"
        _create_with_arguments(installed, job, arguments)
        pod = _pod_of(installed, job)
        finished = await _run(installed, pod, tmp_path / job)
        assert (finished.code, finished.summary["dry_run"], finished.summary["completed"]) == (0, True, 1)
    assert await scene.tables() == before


@pytest.mark.usefixtures("scene")
async def test_schedule_starts_one_pass_at_a_time(installed: Namespace, tmp_path: Path) -> None:
    """The next pass does not start while the first one is running."""
    installed.kubectl("patch", "cronjob", "reconciler", "--patch", '{"spec": {"schedule": "* * * * *"}}')
    (job,) = eventually(lambda: _scheduled(installed), SCHEDULE_SECONDS_MAX)
    pod = _pod_of(installed, job)
    finished = await _run(installed, pod, tmp_path / "root")
    assert (finished.code, finished.summary["completed"]) == (0, 1), finished
    assert installed.get("cronjob", "reconciler")["status"]["active"][0]["name"] == job
    installed.end_pod(pod, finished.code)
    eventually(lambda: "active" not in installed.get("cronjob", "reconciler")["status"])
    eventually(lambda: installed.get("cronjob", "reconciler")["status"].get("lastSuccessfulTime"))


def test_pass_with_invalid_settings_is_not_retried(installed: Namespace) -> None:
    """Exit code 78 fails the Job at once."""
    installed.kubectl("create", "job", "--from=cronjob/reconciler", MANUAL)
    installed.end_pod(_pod_of(installed, MANUAL), 78)
    installed.kubectl("wait", "--for=condition=failed", f"job/{MANUAL}", "--timeout=50s")
    (reason,) = (
        one["reason"]
        for one in installed.get("job", MANUAL)["status"]["conditions"]
        if one["type"] == "Failed"
    )
    assert reason == "PodFailurePolicy"
    assert len(installed.pods_of(MANUAL)) == 1


async def _run(namespace: Namespace, pod: Manifest, root: Path) -> Finished:
    return await Process(await start_container(namespace, pod, root)).finished()


def _scheduled(namespace: Namespace) -> list[str]:
    return [
        one["metadata"]["name"]
        for one in namespace.all_of("jobs")
        if any(owner["kind"] == "CronJob" for owner in one["metadata"].get("ownerReferences", []))
    ]


def _pod_of(namespace: Namespace, job: str) -> Manifest:
    (pod,) = eventually(lambda: namespace.pods_of(job))
    found: Manifest = pod
    return found


def _create_with_arguments(namespace: Namespace, job: str, arguments: list[str]) -> None:
    """Create a Job from the CronJob and patch arguments into it, as in the README."""
    readme = (ROOT / "k8s/README.md").read_text()
    (path,) = set(re.findall(r'"path": "(/spec/template/[^"]+/args/-)"', readme))
    manifest = namespace.kubectl(
        "create", "job", "--from=cronjob/reconciler", job, "--dry-run=client", "--output=yaml"
    )
    patch = json.dumps([{"op": "add", "path": path, "value": one} for one in arguments])
    patched = namespace.kubectl(
        "patch", "--local", "-f", "-", "--type=json", "--output=yaml", "-p", patch, stdin=manifest
    )
    namespace.kubectl("create", "-f", "-", stdin=patched)
