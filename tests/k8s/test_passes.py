"""The reconciler, started by its schedule and manually."""

import asyncio
import os
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import pytest_asyncio

from batches.batch import BatchState
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from tests.integration.reconciler.scenes import Finished, Process, Scene, jobs
from tests.k8s.cluster import Namespace, eventually
from tests.k8s.pod_process import start_container
from tests.k8s.stand_in import SCHEDULED_BY_TESTS
from tests.support.queue_fake import FakeBatch, QueueFake, served
from tests.unit.k8s.layout import ROOT, Manifest, kubectl, write_kustomization

pytestmark = [
    pytest.mark.xdist_group("kubernetes"),
    pytest.mark.usefixtures("controllers"),
    pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True),
]

SCHEDULE_SECONDS_MAX = 100.0
"""The schedule of every minute plus the delay of the controller."""
MANUAL = "manual"
SCRIPT_SECONDS_MAX = 30.0
"""It asks every two seconds whether the Job has ended."""


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
    """Return a namespace with an installation that uses the database and the queue of the scene."""
    namespace.put_secret("batchprogress-database", url=scene.url)
    namespace.put_secret("batchprogress-queue", url=scene.url)
    settings = {
        "name": "batchprogress-settings",
        "behavior": "merge",
        "literals": [f"RECONCILER_JOB_STATUS_TARGET={scene.target}", "RECONCILER_STUCK_AFTER=0"],
    }
    folder = tmp_path / "mine"
    folder.mkdir()
    namespace.apply(
        write_kustomization(
            folder, "overlays/trusted-network", configMapGenerator=[settings], patches=SCHEDULED_BY_TESTS
        )
    )
    return namespace


async def test_run_by_hand_repairs_the_stuck_batch_and_leaves_the_history_alone(
    scene: Scene, installed: Namespace, tmp_path: Path
) -> None:
    """The CronJob does not own its Job, and the pass is kept as one by hand."""
    async with _by_hand(installed, "--all") as (script, job):
        (manifest,) = [one for one in installed.all_of("jobs") if one["metadata"]["name"] == job]
        assert "ownerReferences" not in manifest["metadata"]
        assert manifest["spec"]["ttlSecondsAfterFinished"] > 0
        finished = await _finish(installed, job, tmp_path / "root")
        assert (finished.code, finished.summary["completed"]) == (0, 1), finished
        await asyncio.wait_for(script.wait(), SCRIPT_SECONDS_MAX)  # no node has the pod, so it finds no log
    assert (await scene.store.get_batch("sync")).state is BatchState.COMPLETED
    (kept,) = (await scene.store.list_passes(before_key=None, size=10)).items
    assert (kept.manual, kept.numbers.batches_repaired) == (True, 1)


async def test_dry_run_reports_the_repair_and_writes_nothing(
    scene: Scene, installed: Namespace, tmp_path: Path
) -> None:
    """For all batches and for one."""
    before = await scene.tables()
    for arguments in (["--dry-run"], ["--batch-id", "sync", "--dry-run"]):
        async with _by_hand(installed, *arguments) as (_, job):
            finished = await _finish(installed, job, tmp_path / job)
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


def _unscheduled(namespace: Namespace) -> set[str]:
    """Return the other Jobs: a test that runs when the schedule is due has one of it, too."""
    names = {one["metadata"]["name"] for one in namespace.all_of("jobs")}
    return names.difference(_scheduled(namespace))


def _pod_of(namespace: Namespace, job: str) -> Manifest:
    (pod,) = eventually(lambda: namespace.pods_of(job))
    found: Manifest = pod
    return found


@asynccontextmanager
async def _by_hand(
    namespace: Namespace, *arguments: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Start the script of the README; yield its process and the name of its Job."""
    before = _unscheduled(namespace)
    with TemporaryDirectory() as folder:
        environment = {**os.environ, "PATH": f"{_kubectl_of(namespace, folder)}:{os.environ['PATH']}"}
        script = await asyncio.create_subprocess_exec(
            str(ROOT / "k8s/run-reconciler.sh"), *arguments, env=environment
        )
        try:
            yield script, await asyncio.to_thread(_new_job, namespace, before)
        finally:
            if script.returncode is None:
                script.terminate()
                await script.wait()


def _kubectl_of(namespace: Namespace, folder: str) -> str:
    """Put a kubectl that uses the namespace into a folder; return the folder."""
    command = (*kubectl(), f"--kubeconfig={namespace.kubeconfig}", f"--namespace={namespace.name}")
    wrapper = Path(folder, "kubectl")
    wrapper.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    wrapper.chmod(0o700)
    return folder


def _new_job(namespace: Namespace, before: set[str]) -> str:
    (job,) = eventually(lambda: _unscheduled(namespace) - before)
    return str(job)


async def _finish(namespace: Namespace, job: str, root: Path) -> Finished:
    """Run the pod of a Job, and tell Kubernetes how it ended."""
    pod = await asyncio.to_thread(_pod_of, namespace, job)
    finished = await _run(namespace, pod, root)
    namespace.end_pod(pod, finished.code)
    return finished
