"""How the story reaches a server: a channel, and the name of the stub's type."""

from typing import TypeAlias

import grpc

from batchprogress.v1 import progress_pb2_grpc

Progress: TypeAlias = "progress_pb2_grpc.ProgressServiceAsyncStub"  # known to the type checker only


def open_channel(target: str) -> grpc.aio.Channel:
    """Return a channel to a server of this machine, to which no proxy of the user's has a way."""
    return grpc.aio.insecure_channel(target, [("grpc.enable_http_proxy", 0)])


def progress_on(channel: grpc.aio.Channel) -> Progress:
    """Return ProgressService at the other end of a channel."""
    return progress_pb2_grpc.ProgressServiceStub(channel)
