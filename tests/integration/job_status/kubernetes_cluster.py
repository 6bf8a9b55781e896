"""A user who runs Jobs on an API server, real or stand-in."""

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes.aio.client import ApiClient, BatchV1Api, Configuration, CoreV1Api, V1Job, V1Namespace
from kubernetes.aio.config import load_kube_config

from tests.integration.job_status.kubernetes_api import ApiServer, kubeconfig, serving_api
from tests.support.control_plane import ControlPlane

LABEL = "batchprogress.dev/batch-id"
NO_NODE = {"batchprogress.dev/no-node": "true"}
"""A selector that matches no node: on any cluster the test alone decides how pods end."""


@dataclass
class Cluster:
    """A namespace of an API server."""

    api: BatchV1Api
    config_file: Path
    namespace: str
    has_controllers: bool = False
    """Whether controllers create pods for Jobs."""

    async def put(self, name: str, batch_id: str, *, number: int | None = None, **spec: Any) -> None:
        """Create a Job, suspended by default: without pods, only the test changes its status."""
        pod = {
            "restartPolicy": "Never",
            "nodeSelector": NO_NODE,
            "containers": [{"name": "work", "image": "none"}],
        }
        annotations = {} if number is None else {"batchprogress.dev/jobs": str(number)}
        metadata = {"name": name, "labels": {LABEL: batch_id}, "annotations": annotations}
        body = {"metadata": metadata, "spec": {"suspend": True, "template": {"spec": pod}, **spec}}
        created = await self.api.create_namespaced_job_without_preload_content(
            self.namespace, V1Job.model_validate(body)
        )
        assert created.status < 300, await created.text()

    async def set_status(self, name: str, **status: Any) -> None:
        """Write a status as the Job controller does."""
        changed = await self.api.patch_namespaced_job_status_without_preload_content(
            name, self.namespace, {"status": status}
        )
        assert changed.status < 300, await changed.text()

    async def job(self, name: str) -> dict[str, Any]:
        """Read a Job."""
        read = await self.api.read_namespaced_job_without_preload_content(name, self.namespace)
        found: dict[str, Any] = json.loads(await read.read())
        return found

    async def pods(self, job: str) -> list[dict[str, Any]]:
        """Read the pods that the controller created for a Job."""
        listed = await CoreV1Api(self.api.api_client).list_namespaced_pod_without_preload_content(
            self.namespace, label_selector=f"batch.kubernetes.io/job-name={job}"
        )
        found: list[dict[str, Any]] = json.loads(await listed.read())["items"]
        return found

    async def end_pod(self, name: str, phase: str) -> None:
        """Report the end of a pod as the kubelet does."""
        changed = await CoreV1Api(self.api.api_client).patch_namespaced_pod_status_without_preload_content(
            name, self.namespace, {"status": {"phase": phase}}
        )
        assert changed.status < 300, await changed.text()

    async def delete(self, name: str) -> None:
        """Delete a Job and its pods."""
        await self.api.delete_namespaced_job_without_preload_content(
            name, self.namespace, propagation_policy="Background"
        )


@asynccontextmanager
async def stand_in(folder: Path) -> AsyncIterator[Cluster]:
    """Yield the stand-in, which has no controllers."""
    file = folder / "kubeconfig"
    async with serving_api(ApiServer()) as url:
        file.write_text(kubeconfig(url))
        async with await _connected(file) as client:
            yield Cluster(BatchV1Api(client), file, "queue")


@asynccontextmanager
async def cluster_of(control: ControlPlane) -> AsyncIterator[Cluster]:
    """Yield a new namespace of a real API server; deletes it at exit."""
    async with await _connected(control.kubeconfig) as client:
        namespace = f"batchprogress-test-{secrets.token_hex(4)}"
        core = CoreV1Api(client)
        await core.create_namespace(V1Namespace.model_validate({"metadata": {"name": namespace}}))
        try:
            yield Cluster(BatchV1Api(client), control.kubeconfig, namespace, control.has_controllers)
        finally:
            await core.delete_namespace_without_preload_content(namespace)


def indexed(completions: int, **more: Any) -> dict[str, Any]:
    """Return the spec of an Indexed Job."""
    return {"completionMode": "Indexed", "completions": completions, "parallelism": 1, **more}


async def _connected(file: Path) -> ApiClient:
    configuration = Configuration()
    await load_kube_config(config_file=str(file), client_configuration=configuration, persist_config=False)
    return ApiClient(configuration)
