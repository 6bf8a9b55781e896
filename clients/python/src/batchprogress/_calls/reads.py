"""The calls of Client that only read."""

from batchprogress._calls import requests
from batchprogress._calls.batch_lists import BatchLists
from batchprogress._calls.caller import Caller
from batchprogress._limits import PAGE_SIZE_MAX
from batchprogress.models import (
    Batch,
    FailureGroup,
    HistoryPoint,
    JobOutcome,
    JobResult,
    Pass,
    PendingJobs,
    Repair,
    ServerInfo,
    WatchToken,
)
from batchprogress.paging import Pages


class Reads(BatchLists):
    """Reads batches and what belongs to them, and what the server tells about itself."""

    _caller: Caller

    def get(self, batch_id: str) -> Batch:
        """Return a batch as it is now.

        Args:
            batch_id: the batch.

        Returns:
            The batch.

        Raises:
            BatchNotFound: there is no such batch.

        Example:
            >>> batch = client.get("sync-2026-11")
            >>> print(f"{batch.percent_complete} %, {batch.failed_jobs} failed")

        """
        return self._caller.answer(requests.get(batch_id))

    def results(  # noqa: PLR0913  # options, by keyword only
        self,
        batch_id: str,
        *,
        outcome: JobOutcome | None = None,
        fingerprint: str = "",
        job_id_prefix: str = "",
        page_size: int = PAGE_SIZE_MAX,
        page_token: str = "",
    ) -> Pages[JobResult]:
        """List the recorded results of a batch, in ascending byte order of the job ids.

        Args:
            batch_id: the batch.
            outcome: only results with this outcome. Default: all.
            fingerprint: only failures of the group with this fingerprint; pages may be short. Default: all.
            job_id_prefix: only jobs whose ids begin with it. Default: all.
            page_size: the number of items to read at a time, 1 to 1,000.
            page_token: the next_page_token of an earlier page. Default: the first page.

        Returns:
            The results, to be iterated over, by item or by page.

        Raises:
            BatchNotFound: when the iteration reads a page; there is no such batch.
            ServerTooOld: the server ignores the fingerprint or the prefix.

        Example:
            >>> for result in client.results("sync-2026-11", outcome=JobOutcome.FAILED):
            ...     print(result.job_id, result.error_message)

        """
        return Pages(
            lambda token: self._caller.answer(
                requests.results_page(
                    batch_id, outcome, fingerprint, page_size, token, job_id_prefix=job_id_prefix
                )
            ),
            page_token,
        )

    def job_result(self, batch_id: str, job_id: str) -> JobResult:
        """Return the recorded result of a job, with the details of its error.

        The server keeps details, such as stack traces, of the first 100 failures of each group.

        Args:
            batch_id: the batch.
            job_id: the job.

        Returns:
            The result.

        Raises:
            BatchNotFound: there is no such batch.
            ResultNotFound: the job has no recorded result.
            ServerTooOld: the server does not know this call.

        Example:
            >>> result = client.job_result("sync-2026-11", "2")
            >>> print(result.error_message, result.error_details)

        """
        return self._caller.answer(requests.job_result(batch_id, job_id))

    def failures(
        self, batch_id: str, *, page_size: int = PAGE_SIZE_MAX, page_token: str = ""
    ) -> Pages[FailureGroup]:
        """List the failed jobs of a batch grouped by similar errors: at most 1,001 groups, the largest first.

        Args:
            batch_id: the batch.
            page_size: the number of items to read at a time, 1 to 1,000.
            page_token: the next_page_token of an earlier page. Default: the first page.

        Returns:
            The groups, to be iterated over, by item or by page.

        Raises:
            BatchNotFound: when the iteration reads a page; there is no such batch.

        Example:
            >>> for group in client.failures("sync-2026-11"):
            ...     print(group.failed_jobs, group.error_type, group.message_template)

        """
        return Pages(
            lambda token: self._caller.answer(requests.failures_page(batch_id, page_size, token)), page_token
        )

    def pending_jobs(self, batch_id: str) -> PendingJobs:
        """Return the jobs that were pending in the queue when the reconciler last looked at a batch.

        Jobs whose results were recorded since are left out.

        Args:
            batch_id: the batch.

        Returns:
            The first 1,000 jobs, when the reconciler looked, and why it left the batch open.

        Raises:
            BatchNotFound: there is no such batch.

        Example:
            >>> pending = client.pending_jobs("sync-2026-11")
            >>> print(pending.look_time, pending.reason, [job.job_id for job in pending.jobs])

        """
        return self._caller.answer(requests.pending_jobs(batch_id))

    def history(self, batch_id: str) -> tuple[HistoryPoint, ...]:
        """Return how the tallies of a batch grew: at most 300 points, in ascending order of time.

        The tallies of a point hold until the next one, so a stall has a point at each end. The first is the
        creation, and the last the batch as it is now.

        Args:
            batch_id: the batch.

        Returns:
            The points; none if the server kept no history, as servers of version 0.1 do.

        Raises:
            BatchNotFound: there is no such batch.
            ServerTooOld: the server has no histories.

        Example:
            >>> for point in client.history("sync-2026-11"):
            ...     print(point.time, point.ended_jobs, point.failed_jobs, point.total_jobs)

        """
        return self._caller.answer(requests.history(batch_id))

    def repairs(
        self, batch_id: str, *, page_size: int = PAGE_SIZE_MAX, page_token: str = ""
    ) -> Pages[Repair]:
        """List what the reconciler changed in a batch, newest first.

        Args:
            batch_id: the batch.
            page_size: the number of items to read at a time, 1 to 1,000.
            page_token: the next_page_token of an earlier page. Default: the first page.

        Returns:
            The repairs, to be iterated over, by item or by page.

        Raises:
            BatchNotFound: when the iteration reads a page; there is no such batch.

        Example:
            >>> for repair in client.repairs("sync-2026-11"):
            ...     print(repair.repair_time, repair.reason, repair.after.succeeded_jobs)

        """
        return Pages(
            lambda token: self._caller.answer(requests.repairs_page(batch_id, page_size, token)), page_token
        )

    def passes(self, *, page_size: int = PAGE_SIZE_MAX, page_token: str = "") -> Pages[Pass]:
        """List the passes of the reconciler, newest first: the last 1,000 of the schedule and by hand.

        Args:
            page_size: the number of passes to read at a time, 1 to 1,000.
            page_token: the next_page_token of an earlier page. Default: the first page.

        Returns:
            The passes, to be iterated over, by item or by page.

        Raises:
            PermissionDenied: when the iteration reads a page; the token is for the batches of a prefix.

        Example:
            >>> scheduled = [one for one in client.passes() if not one.manual]
            >>> if scheduled:
            ...     print(scheduled[0].end_time, scheduled[0].batches_repaired, scheduled[0].cut_short)

        """
        return Pages(lambda token: self._caller.answer(requests.passes_page(page_size, token)), page_token)

    def create_watch_token(self, batch_id: str, *, ttl: float | None = None) -> WatchToken:
        """Create a token that reads one batch for a while: for the page of a browser. It cannot be revoked.

        Args:
            batch_id: the batch.
            ttl: how long the token is valid, in seconds: 10 to 86,400. None: an hour.

        Returns:
            The token, and when it expires.

        Raises:
            BatchNotFound: there is no such batch.
            WatchTokensOff: the server has no key to sign with, or requires no tokens.

        Example:
            >>> token = client.create_watch_token("sync-2026-11", ttl=900)
            >>> print(token.expire_time)

        """
        return self._caller.answer(requests.create_watch_token(batch_id, ttl))

    def server_info(self) -> ServerInfo:
        """Return what the caller may know about the server, and about itself.

        Returns:
            The version and the database of the server, the caller's roles, and the time of the last pass.

        Raises:
            CallFailed: the server refused the call or did not answer in time.

        Example:
            >>> info = client.server_info()
            >>> print(info.version, info.database, info.roles, info.last_pass_time)

        """
        return self._caller.answer(requests.server_info())
