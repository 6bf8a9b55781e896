"""Kubernetes Jobs: a batch is the Jobs of one namespace that carry its id in a label.

The label is `batchprogress.dev/batch-id` (a setting). A batch whose id is not a valid label value (more than
63 characters, or characters other than letters, digits and `-_.` in between) cannot have Jobs, so it is
unknown.

| a Job | its jobs | their ids |
| --- | --- | --- |
| Indexed | one per index; `completedIndexes` succeeded, `failedIndexes` failed | `<Job>/<index>`: `$(JOB_NAME)/$(JOB_COMPLETION_INDEX)` |
| not indexed, `completions` 1 or unset (a work queue) | one | `<Job>` |
| not indexed, `completions` N | N, known only as a count: the batch does not list jobs | |

A job id contains a slash because the name of a Job cannot: the pod of index 1 of `a` has the name of the Job
`a-1`.

| state of a Job | its jobs without a result of their own |
| --- | --- |
| running, or waiting to start | pending |
| suspended | pending: it can be resumed at any time |
| SuccessCriteriaMet or FailureTarget, but not ended | pending: pods are still running |
| Complete by a successPolicy | skipped, with the reason |
| Failed: backoffLimit, activeDeadlineSeconds, podFailurePolicy, maxFailedIndexes | failed, with the reason and message of Kubernetes |
| being deleted | as in its state above; pending jobs stay pending until it is gone |
| deleted, the only Job of its batch | the batch is unknown |
| deleted, one of several | a contradiction, detected by the annotation below |

Deleting a Job deletes its results, and the remaining Jobs would look like the whole batch. Each Job of a
batch with several Jobs should therefore carry the annotation `batchprogress.dev/jobs`, the number of Jobs in
the batch. It is required if the Jobs delete themselves (`ttlSecondsAfterFinished`). Without the annotation a
batch is never finished, even one with a single Job, because more Jobs may be created.

Failures of pods are attempts. Kubernetes does not count them by index, so every attempt is reported as 1. A
batch is never cancelled: deleting its Jobs makes it unknown.
"""  # noqa: E501  # the rows of tables

import asyncio
import json
import re
import ssl
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from kubernetes.aio.client import BatchV1Api
from kubernetes.aio.client.exceptions import OpenApiException
from kubernetes.aio.config import ConfigException

from services.job_status.source import BatchCounts, BatchUnknown, JobPage, JobsNotListed, QueueUnavailable
from services.job_status.sources.kubernetes_connection import AccountRefused, KubernetesConnection, Question
from services.job_status.sources.kubernetes_jobs import KubernetesJob, counts_of, page_of, parse_job
from services.job_status.sources.outages import OutageLog

ANSWER_SECONDS_MAX = 10.0
"""The limit for all pages of a list of Jobs: the API server lists a thousand of them in a second."""
JOBS_PER_PAGE = 500
"""The page size of kubectl: about 2 MB per page."""
HTTP_OK = 200
HTTP_UNAUTHORIZED = 401
STRICT_TLS_CODES = range(80, 95)
"""OpenSSL's numbers of what only its strict check refuses, such as 92, an authority without keyUsage."""

Answer = TypeVar("Answer")

_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?", re.ASCII)


class KubernetesSource:
    """Reads counts and jobs from the API server. The only request it makes is to list Jobs in one namespace.

    Args:
        namespace: the namespace of the Jobs.
        batch_label: the label that holds the batch id.
        config_file: a kubeconfig; None uses the pod's service account.
        strict_tls: whether certificates must be as RFC 5280 demands, where this is Python's default (3.13).
        answer_seconds_max: the time-out for all pages of a list.

    """

    def __init__(
        self,
        namespace: str,
        batch_label: str,
        *,
        config_file: Path | None = None,
        strict_tls: bool = True,
        answer_seconds_max: float = ANSWER_SECONDS_MAX,
    ) -> None:
        self._namespace = namespace
        self._batch_label = batch_label
        self._connection = KubernetesConnection(config_file, is_strict=strict_tls)
        self._answer_seconds_max = answer_seconds_max
        self._outages = OutageLog("the Kubernetes API server does not answer")

    async def batch_counts(self, batch_id: str) -> BatchCounts:
        """Count the jobs of a batch."""
        return counts_of(await self._jobs(batch_id))

    async def job_page(self, batch_id: str, after: str | None, size: int) -> JobPage:
        """List jobs by the name of their Job, then by index."""
        jobs = await self._jobs(batch_id)
        if not all(job.lists_jobs for job in jobs):
            raise JobsNotListed
        # One more job than requested shows whether there is a next page.
        statuses = page_of(jobs, after, size + 1)
        next_key = statuses[size - 1].job_id if len(statuses) > size else None
        return JobPage(statuses[:size], next_key)

    async def check(self) -> None:
        """Read at most one Job."""
        await self._ask(lambda api: self._page(api, 1))

    async def close(self) -> None:
        """Close all connections."""
        await self._connection.close()

    async def _jobs(self, batch_id: str) -> list[KubernetesJob]:
        if _LABEL_VALUE.fullmatch(batch_id) is None:
            raise BatchUnknown
        manifests = await self._list(f"{self._batch_label}={batch_id}")
        if not manifests:
            raise BatchUnknown
        return [parse_job(manifest) for manifest in manifests]

    async def _list(self, label_selector: str) -> list[dict[str, Any]]:
        """Return all Jobs with a label, as of a single point in time."""
        return await self._ask(lambda api: self._all_pages(api, label_selector))

    async def _all_pages(self, api: BatchV1Api, label_selector: str) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = []
        token: str | None = None
        while True:
            page = await self._page(api, JOBS_PER_PAGE, label_selector, token)
            jobs += page["items"] or []  # null, if the API server has no Jobs
            token = page["metadata"].get("continue")
            if not token:
                return jobs

    async def _page(
        self, api: BatchV1Api, limit: int, label_selector: str | None = None, token: str | None = None
    ) -> dict[str, Any]:
        # The raw response: the package's models take a second to parse a thousand Jobs.
        response = await api.list_namespaced_job_without_preload_content(
            self._namespace, limit=limit, label_selector=label_selector, _continue=token
        )
        body = await response.read()
        if response.status == HTTP_UNAUTHORIZED:
            raise AccountRefused("the API server refuses the token (401)")
        if response.status != HTTP_OK:
            raise OSError(f"the API server answers {response.status}")
        page: Any = json.loads(body)
        if not (isinstance(page, dict) and {"items", "metadata"} <= page.keys()):
            raise OSError("what answers at the API server's address does not list Jobs: is it a proxy?")
        return page

    async def _ask(self, question: Question[Answer]) -> Answer:
        """Ask the API; raise every error and a time-out as QueueUnavailable."""
        try:
            async with asyncio.timeout(self._answer_seconds_max):
                answer = await self._connection.ask(question)
        except (OpenApiException, aiohttp.ClientError, ConfigException, OSError, ValueError) as error:
            self._outages.failed(_explained(error))
            raise QueueUnavailable from error
        self._outages.recovered()
        return answer


def _explained(error: Exception) -> Exception:
    """Return an error for the log, which names the setting if it is the strict check that failed."""
    failed = getattr(error, "certificate_error", error)
    if not isinstance(failed, ssl.SSLCertVerificationError) or failed.verify_code not in STRICT_TLS_CODES:
        return error
    return OSError(
        f"a certificate of the API server is not as RFC 5280 demands ({failed.verify_message}): renew the"
        " cluster's authority, or set JOB_STATUS_KUBERNETES_STRICT_TLS=false"
    )
