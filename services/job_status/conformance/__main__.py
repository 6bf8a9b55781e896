"""python -m services.job_status.conformance TARGET BATCH_ID…: does a JobStatusService keep the contract?"""

import asyncio
from typing import Annotated

import grpc
import typer

from services.job_status.conformance.caller import Caller
from services.job_status.conformance.suite import check

EXIT_BROKEN = 1
EXIT_AWAY = 69
"""EX_UNAVAILABLE of sysexits.h."""
BROKEN_SHOWN_MAX = 5
"""Of each rule: a thousand jobs without an id are one mistake."""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help="Check a JobStatusService by batches that its queue knows. Exit 1 if a rule is broken.")
def main(
    target: Annotated[str, typer.Argument(help="host:port")],
    batch_ids: Annotated[list[str], typer.Argument(help="A batch that has ended, and one that runs.")],
) -> None:
    """Print each rule, and exit."""
    try:
        broken = asyncio.run(_check(target, batch_ids))
    except grpc.aio.AioRpcError as error:
        typer.echo(f"{target} does not answer: {error.code().name}", err=True)
        raise typer.Exit(EXIT_AWAY) from None
    raise typer.Exit(EXIT_BROKEN if broken else 0)


async def _check(target: str, batch_ids: list[str]) -> int:
    """Return how many rules are broken."""
    broken = 0
    async with grpc.aio.insecure_channel(target) as channel:
        for batch_id in batch_ids:
            async for finding in check(Caller(channel), batch_id):
                broken += bool(finding.broken)
                typer.echo(f"{'BROKEN' if finding.broken else 'kept  '}  {batch_id}: {finding.rule}")
                for words in finding.broken[:BROKEN_SHOWN_MAX]:
                    typer.echo(f"        {words}")
    return broken


if __name__ == "__main__":
    app()
