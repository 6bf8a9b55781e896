"""`Batches` of version 0.1, until 0.3. Use `Client`, or `batches` of an integration."""

from batchprogress._calls.attempts import CALL_SECONDS_MAX
from batchprogress._grpc.connection import Connection, Credentials, Token
from batchprogress.integrations.best_effort import BestEffortClient


class Batches(BestEffortClient):
    """Creates batches, adds jobs to them and seals them; logs a failed call and returns False.

    Args:
        target: host:port, or any gRPC name.
        credentials: TLS, from TlsFiles or grpc.ssl_channel_credentials(). Default: plaintext.
        token: a bearer token, or a function that returns the current one.
        strict: raise a failure instead of logging it.
        answer_seconds_max: how many seconds a call may take with all its tries.

    """

    def __init__(
        self,
        target: str,
        *,
        credentials: Credentials | None = None,
        token: Token | None = None,
        strict: bool = False,
        answer_seconds_max: float = CALL_SECONDS_MAX,
    ) -> None:
        connection = Connection(target, credentials, token)
        super().__init__(connection, strict=strict, timeout=answer_seconds_max)
