"""The channel, retries and error details of gRPC. Private: may change in any version.

gRPC reads its environment once, when it is imported. Its handlers of forks, which may hang inside os.fork(),
are switched off here unless somebody has set the switch or imported gRPC before.
"""

import os

SWITCH = "GRPC_ENABLE_FORK_SUPPORT"


def _import_grpc() -> None:
    if SWITCH in os.environ:  # noqa: TID251  # gRPC's variable, not a setting
        return
    os.environ[SWITCH] = "0"  # noqa: TID251
    try:
        import grpc  # noqa: F401, PLC0415
    finally:
        del os.environ[SWITCH]  # noqa: TID251


_import_grpc()
