"""The role that each method of JobStatusService requires; a method without an entry is forbidden to all."""

from batchprogress.v1 import job_status_pb2
from rpc.callers.principal import Role
from rpc.serving.server import REFLECTION_METHODS

SERVICE = job_status_pb2.DESCRIPTOR.services_by_name["JobStatusService"].full_name

REQUIRED_ROLES = {
    f"/{SERVICE}/GetBatchStatus": Role.READER,
    f"/{SERVICE}/ListJobStatuses": Role.READER,
    **dict.fromkeys(REFLECTION_METHODS, Role.READER),
}
