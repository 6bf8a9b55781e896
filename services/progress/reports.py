"""Records the reports of a call: checks them, waits for their groups, and makes the answers."""

from batches.errors import BatchNotFound
from batches.result import JobResult
from batchprogress.v1 import progress_pb2 as pb
from rpc.answers.refusal import Refusal
from rpc.callers.principal import Principal, caller
from services.progress import convert, requests, scope
from services.progress.group_commit import GroupCommit
from services.progress.slices import Slices


class Reports:
    """Records reports.

    Args:
        group_commit: records results.
        slices: gives way to other calls while many results are checked and answered.

    """

    def __init__(self, group_commit: GroupCommit, slices: Slices) -> None:
        self._group_commit = group_commit
        self._slices = slices

    async def record_one(self, request: pb.ReportJobResultRequest) -> pb.ReportJobResultResponse:
        """Record one result.

        Raises:
            Refusal: a field is invalid.
            BatchError: the result was refused.
            CallerResultsFull, BacklogFull, ShuttingDown, DatabaseUnavailable: as `GroupCommit`.

        """
        result = _checked(request, caller())
        if isinstance(result, Exception):
            raise result
        (answer,) = await self._group_commit.record(scope.admit(1, self._group_commit), [result])
        return convert.to_response(answer)

    async def record_many(self, request: pb.ReportJobResultsRequest) -> pb.ReportJobResultsResponse:
        """Record many results, each on its own.

        Raises:
            Refusal: the number of results is invalid.
            CallerResultsFull, BacklogFull, ShuttingDown, DatabaseUnavailable: as `GroupCommit`.

        """
        principal = caller()
        call = scope.admit(requests.to_size(request), self._group_commit)
        try:
            checked = await self._slices.each(lambda one: _checked(one, principal), request.results)
        except BaseException:  # the call was cancelled
            self._group_commit.leave(call)
            raise
        valid = [one for one in checked if not isinstance(one, Exception)]
        answers = iter(await self._group_commit.record(call, valid))
        reported = convert.ReportedResults()

        def answer(one: JobResult | BatchNotFound | Refusal) -> None:
            reported.add(one if isinstance(one, Exception) else next(answers))

        await self._slices.each(answer, checked)
        return reported.response


def _checked(request: pb.ReportJobResultRequest, principal: Principal) -> JobResult | BatchNotFound | Refusal:
    """Check a result; that of a batch which does not exist for the caller is answered without the store."""
    result = requests.to_result(request)
    if isinstance(result, JobResult) and not principal.owns(result.batch_id):
        return BatchNotFound(result.batch_id)
    return result
