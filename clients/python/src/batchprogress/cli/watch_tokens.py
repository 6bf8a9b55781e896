"""watch-token: a token with which a browser watches one batch."""

from typing import Annotated

import typer

from batchprogress.cli.arguments import BatchId
from batchprogress.cli.client import say
from batchprogress.cli.formatting import moment
from batchprogress.cli.session import Session

SECONDS_MIN, SECONDS_MAX, SECONDS_DEFAULT = 10, 24 * 3_600, 3_600
"""The limits and the default of the contract."""


def watch_token(
    session: Session,
    batch_id: BatchId,
    *,
    expires_in: Annotated[
        int,
        typer.Option(
            min=SECONDS_MIN, max=SECONDS_MAX, metavar="SECONDS", help="How long the token is valid."
        ),
    ] = SECONDS_DEFAULT,
) -> None:
    """Print a token that lets a browser read one batch.

    It cannot be revoked.
    """
    created = session.client.create_watch_token(batch_id, ttl=expires_in)
    if session.out.as_json:
        session.out.message(created.message)
        return
    session.out.line(created.token)
    say(f"the token expires at {moment(created.expire_time)}")
