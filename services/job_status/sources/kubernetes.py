"""Kubernetes Jobs: a batch is the Jobs of one namespace that carry its id in a label.

The label is `batchprogress.dev/batch-id` (a setting). A batch whose id cannot be a label's value (more
than 63 characters, or others than letters, digits and `-_.` inside) has no Jobs: it is unknown.

| a Job | its jobs | their ids |
| --- | --- | --- |
| Indexed | one for each index: `completedIndexes` succeeded, `failedIndexes` failed | `<Job>/<index>`: `$(JOB_NAME)/$(JOB_COMPLETION_INDEX)` |
| not indexed, `completions` 1, or none (a work queue) | one | `<Job>` |
| not indexed, `completions` N | N, only counted: then the batch lists no jobs | |

No name of a Job has a slash, so no two jobs share an id: the pod of index 1 of `a` is called like the Job `a-1`.

| what became of a Job | its jobs without a result of their own |
| --- | --- |
| it runs, or waits to be started | pending |
| suspended | pending: it can be resumed at any time |
| SuccessCriteriaMet or FailureTarget, but not yet ended | pending: pods still run |
| Complete, by a successPolicy | skipped, with the reason |
| Failed: backoffLimit, activeDeadlineSeconds, podFailurePolicy, maxFailedIndexes | failed, with Kubernetes' reason and message |
| being deleted | as above; pending ones stay so until it is gone |
| deleted, the only one | the batch is unknown |
| deleted, one of several | a contradiction, by the annotation below |

A Job that is deleted takes its results along, and the rest would pass for the batch. So each Job of a
batch of several carries the annotation `batchprogress.dev/jobs`, their number; it must be there if they
delete themselves (`ttlSecondsAfterFinished`). Without it one more may come, also of a single one: such a batch
is never called finished.

Failures of pods are attempts, which Kubernetes does not count by index: every attempt is told as 1. A
batch is never cancelled: whoever deletes its Jobs makes it unknown.
"""  # noqa: E501  # the rows of tables

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from kubernetes.aio.client import ApiClient, BatchV1Api, Configuration
from kubernetes.aio.client.exceptions import OpenApiException
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from services.job_status.source import BatchCounts, BatchUnknown, JobPage, JobsNotListed, QueueUnavailable
from services.job_status.sources.kubernetes_jobs import (
    KubernetesJob,
    counts_of,
    job_of,
    page_of,
)

ANSWER_SECONDS_MAX = 10.0
"""All a list of Jobs may take: a server needs a second for a thousand of them."""
JOBS_PER_PAGE = 500
"""As kubectl: some 2 MB a page."""
HTTP_OK = 200

_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?", re.ASCII)

_log = structlog.get_logger()


class KubernetesSource:
    """Counts and jobs from the API server; it only lists Jobs, in one namespace."""

    def __init__(
        self,
        namespace: str,
        batch_label: str,
        *,
        config_file: Path | None = None,
        answer_seconds_max: float = ANSWER_SECONDS_MAX,
    ) -> None:
        """Take a kubeconfig, or none for the pod's own service account; nothing is read yet."""
        self._namespace = namespace
        self._batch_label = batch_label
        self._config_file = config_file
        self._answer_seconds_max = answer_seconds_max
        self._client: ApiClient | None = None
        self._last_cause = ""

    async def batch_counts(self, batch_id: str) -> BatchCounts:
        """Count the jobs of a batch, from one list of its Jobs."""
        return counts_of(await self._jobs(batch_id))

    async def job_page(self, batch_id: str, after: str | None, size: int) -> JobPage:
        """List jobs by the names of their Jobs and then by index."""
        jobs = await self._jobs(batch_id)
        if not all(job.lists_jobs for job in jobs):
            raise JobsNotListed
        # One job more than asked for tells whether there is a next page.
        statuses = page_of(jobs, after, size + 1)
        next_key = statuses[size - 1].job_id if len(statuses) > size else None
        return JobPage(statuses[:size], next_key)

    async def check(self) -> None:
        """Read a Job, if there is one."""
        async with self._answering() as api:
            await self._page(api, 1)

    async def close(self) -> None:
        """Let go of every connection."""
        if self._client is not None:
            await self._client.close()

    async def _jobs(self, batch_id: str) -> list[KubernetesJob]:
        if _LABEL_VALUE.fullmatch(batch_id) is None:
            raise BatchUnknown
        manifests = await self._list(f"{self._batch_label}={batch_id}")
        if not manifests:
            raise BatchUnknown
        return [job_of(one) for one in manifests]

    async def _list(self, label_selector: str) -> list[dict[str, Any]]:
        """Return all Jobs with a label, of one moment."""
        jobs: list[dict[str, Any]] = []
        token: str | None = None
        async with self._answering() as api:
            while True:
                page = await self._page(api, JOBS_PER_PAGE, label_selector, token)
                jobs += page["items"]
                token = page["metadata"].get("continue")
                if not token:
                    return jobs

    async def _page(
        self, api: BatchV1Api, limit: int, label_selector: str | None = None, token: str | None = None
    ) -> dict[str, Any]:
        # As it was sent: the package's own models take a second for a thousand Jobs.
        listed = await api.list_namespaced_job_without_preload_content(
            self._namespace, limit=limit, label_selector=label_selector, _continue=token
        )
        body = await listed.read()
        if listed.status != HTTP_OK:
            raise OSError(f"the API server answers {listed.status}")
        page: dict[str, Any] = json.loads(body)
        return page

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[BatchV1Api]:
        """Give the API; whatever goes wrong, or takes too long, is QueueUnavailable."""
        try:
            async with asyncio.timeout(self._answer_seconds_max):
                yield BatchV1Api(await self._connected())
        except (OpenApiException, aiohttp.ClientError, ConfigException, OSError, ValueError) as error:
            self._log_once(error)
            raise QueueUnavailable from error
        self._last_cause = ""

    async def _connected(self) -> ApiClient:
        """Return the client, made at the first question: a pod's account may come after its start."""
        if self._client is None:
            configuration = Configuration()
            configuration.retries = False
            if self._config_file is None:
                load_incluster_config(client_configuration=configuration)
            else:
                await load_kube_config(
                    config_file=str(self._config_file),
                    client_configuration=configuration,
                    persist_config=False,
                )
            self._client = ApiClient(configuration)
        return self._client

    def _log_once(self, error: Exception) -> None:
        """Log a cause when it changes: readiness alone asks every two seconds."""
        cause = str(error) or type(error).__name__
        if cause != self._last_cause:
            _log.warning("the Kubernetes API server does not answer", cause=cause)
        self._last_cause = cause
