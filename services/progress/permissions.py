"""Which role each method of ProgressService needs. A method without a line here is let in for nobody."""

from batchprogress.v1 import progress_pb2
from rpc.callers.principal import Role
from rpc.serving.server import REFLECTION_METHODS

SERVICE = progress_pb2.DESCRIPTOR.services_by_name["ProgressService"].full_name

_ROLES = {
    "CreateBatch": Role.OPERATOR,
    "AddJobs": Role.OPERATOR,
    "SealBatch": Role.OPERATOR,
    "CancelBatch": Role.OPERATOR,
    "GetBatch": Role.READER,
    "ListBatches": Role.READER,
    "ListJobResults": Role.READER,
    "ListFailureGroups": Role.READER,
    "ListRepairs": Role.READER,
    "WatchBatch": Role.READER,
    "ReportJobResult": Role.WORKER,
    "ReportJobResults": Role.WORKER,
}

NEEDED = {
    **{f"/{SERVICE}/{name}": role for name, role in _ROLES.items()},
    **dict.fromkeys(REFLECTION_METHODS, Role.READER),
}
"""The same by the full name of the method."""
