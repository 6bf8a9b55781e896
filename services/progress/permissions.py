"""The role that each method of the server requires; a method without an entry is forbidden to all."""

from batchprogress.v1 import operations_pb2, progress_pb2
from rpc.callers.authorization import RequiredRoles
from rpc.callers.principal import Role
from rpc.serving.server import REFLECTION_METHODS

SERVICE = progress_pb2.DESCRIPTOR.services_by_name["ProgressService"].full_name
OPERATIONS_SERVICE = operations_pb2.DESCRIPTOR.services_by_name["OperationsService"].full_name

_ROLES = {
    "CreateBatch": Role.OPERATOR,
    "AddJobs": Role.OPERATOR,
    "SealBatch": Role.OPERATOR,
    "CancelBatch": Role.OPERATOR,
    "DeleteBatch": Role.OPERATOR,
    "GetBatch": Role.READER,
    "ListBatches": Role.READER,
    "GetJobResult": Role.READER,
    "ListJobResults": Role.READER,
    "ListFailureGroups": Role.READER,
    "ListRepairs": Role.READER,
    "ListPendingJobs": Role.READER,
    "GetBatchHistory": Role.READER,
    "WatchBatch": Role.READER,
    "WatchBatches": Role.READER,
    "CreateWatchToken": Role.READER,
    "ReportJobResult": Role.WORKER,
    "ReportJobResults": Role.WORKER,
}

_OPERATIONS_ROLES = {
    "GetServerInfo": None,
    "ListPasses": Role.READER,
    "ListDeliveries": Role.READER,
    "RetryDelivery": Role.OPERATOR,
}

REQUIRED_ROLES: RequiredRoles = {
    **{f"/{SERVICE}/{name}": role for name, role in _ROLES.items()},
    **{f"/{OPERATIONS_SERVICE}/{name}": role for name, role in _OPERATIONS_ROLES.items()},
    **dict.fromkeys(REFLECTION_METHODS, Role.READER),
}
"""The roles by the full names of the methods."""

WATCH_TOKEN_METHODS = frozenset(
    f"/{SERVICE}/{name}" for name in ("GetBatch", "GetBatchHistory", "ListFailureGroups", "WatchBatch")
)
"""What the holder of a watch token may call, for one batch."""
