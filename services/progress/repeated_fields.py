"""The repeated fields of requests, which are counted before the request is decoded."""

from google.protobuf.message import Message

from batchprogress.v1 import progress_pb2 as pb
from rpc.answers.repeated_fields import RepeatedField
from services.progress.permissions import SERVICE
from services.progress.requests import LABELS_MAX, LABELS_RULE, RESULTS_MAX, RESULTS_RULE


def _field(request: type[Message], name: str, elements_max: int, description: str) -> RepeatedField:
    number = request.DESCRIPTOR.fields_by_name[name].number
    return RepeatedField(name, number, elements_max, description)


REPEATED_FIELDS = {
    f"/{SERVICE}/CreateBatch": _field(pb.CreateBatchRequest, "labels", LABELS_MAX, LABELS_RULE),
    f"/{SERVICE}/ListBatches": _field(pb.ListBatchesRequest, "labels", LABELS_MAX, LABELS_RULE),
    f"/{SERVICE}/WatchBatches": _field(pb.WatchBatchesRequest, "labels", LABELS_MAX, LABELS_RULE),
    f"/{SERVICE}/ReportJobResults": _field(pb.ReportJobResultsRequest, "results", RESULTS_MAX, RESULTS_RULE),
}
