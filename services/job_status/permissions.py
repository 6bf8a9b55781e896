"""Which role each method of JobStatusService needs: it is only read. Whatever is not here is for nobody."""

from batchprogress.v1 import job_status_pb2
from rpc.callers.principal import Role
from rpc.serving.server import REFLECTION_METHODS

SERVICE = job_status_pb2.DESCRIPTOR.services_by_name["JobStatusService"].full_name

NEEDED = {
    f"/{SERVICE}/GetBatchStatus": Role.READER,
    f"/{SERVICE}/ListJobStatuses": Role.READER,
    **dict.fromkeys(REFLECTION_METHODS, Role.READER),
}
