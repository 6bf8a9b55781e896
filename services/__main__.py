"""python -m services: progress server, gateway and notifier by one command, each as a process of its own."""

import asyncio
import signal
import sys
from asyncio.subprocess import Process

import typer

from process.signals import EXIT_KILLED_BASE, STOP_SIGNALS

PROGRAMS = ("services.progress", "services.gateway", "services.notifier")
app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    help="Serve ProgressService and the gateway, and send webhooks, until SIGTERM or SIGINT, or until one of"
    " them ends. Each has its own settings; the gateway's GATEWAY_PROGRESS_TARGET must name the server's"
    " PROGRESS_LISTEN."
)
def main() -> None:
    """Run all of them, and exit with the first code that is not 0; it is 128 + n after signal n."""
    raise typer.Exit(asyncio.run(_serve()))


async def _serve() -> int:
    programs: list[Process] = []
    forwarded: list[int] = []

    def forward(number: int) -> None:
        forwarded.append(number)
        for program in programs:
            _send(program, number)

    # Before the first start: a signal that ended this process alone would leave programs behind.
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, forward, number)
    for name in PROGRAMS:
        programs.append(await _start(name))
        if forwarded:  # while it was started, so that it has not got the signal
            _send(programs[-1], forwarded[0])
            break
    ends = [asyncio.create_task(program.wait()) for program in programs]
    first, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    if not forwarded:  # a second signal would end the others at once
        forward(signal.SIGTERM)
    await asyncio.wait(ends)
    return next((_shell_code(end.result()) for end in (*first, *ends) if end.result()), 0)


async def _start(name: str) -> Process:
    # In a session of its own, so that Ctrl-C reaches it once, through this process: a second signal ends it.
    return await asyncio.create_subprocess_exec(sys.executable, "-m", name, start_new_session=True)


def _send(program: Process, number: int) -> None:
    if program.returncode is None:
        program.send_signal(number)


def _shell_code(code: int) -> int:
    """Return an exit code as shells report it; asyncio reports -n for a process that signal n has ended."""
    return code if code >= 0 else EXIT_KILLED_BASE - code


if __name__ == "__main__":
    app()
