"""python -m services.job_status.conformance TARGET BATCH_ID…: check an implementation of JobStatusService."""

import asyncio
from typing import Annotated

import grpc
import typer

from process.version import ShowVersion
from services.job_status.conformance.caller import Caller
from services.job_status.conformance.suite import check

EXIT_BROKEN = 1
EXIT_UNAVAILABLE = 69
"""EX_UNAVAILABLE of sysexits.h."""
PROBLEMS_SHOWN_MAX = 5
"""Problems printed per rule: a thousand jobs without an id are a single mistake."""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    help="Check an implementation of JobStatusService against its contract, using batches that its queue"
    " knows. Exits 1 if a rule is broken, 69 if the service does not answer.",
)
def main(
    target: Annotated[str, typer.Argument(help="host:port of the service")],
    batch_ids: Annotated[list[str], typer.Argument(help="one batch that has ended and one that is running")],
    *,
    _version: ShowVersion = False,
) -> None:
    """Check the service and exit."""
    try:
        broken = asyncio.run(_check(target, batch_ids))
    except grpc.aio.AioRpcError as error:
        typer.echo(f"{target} does not answer: {error.code().name}", err=True)
        raise typer.Exit(EXIT_UNAVAILABLE) from None
    raise typer.Exit(EXIT_BROKEN if broken else 0)


async def _check(target: str, batch_ids: list[str]) -> int:
    """Print the result of every rule; return how many rules are broken."""
    broken = 0
    async with grpc.aio.insecure_channel(target) as channel:
        for batch_id in batch_ids:
            async for result in check(Caller(channel), batch_id):
                broken += bool(result.problems)
                typer.echo(f"{'BROKEN' if result.problems else 'kept  '}  {batch_id}: {result.rule}")
                for problem in result.problems[:PROBLEMS_SHOWN_MAX]:
                    typer.echo(f"        {problem}")
    return broken


if __name__ == "__main__":
    app()
