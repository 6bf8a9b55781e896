"""What a command says when it cannot do what it was asked: a sentence on standard error, and a code."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from database_servers.ports import free_port
from tests.integration.cli.command import SECONDS_MAX, CommandLine
from tests.support.progress import ROOT, progress_process

ON_SQLITE = pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)


@ON_SQLITE
@pytest.mark.parametrize(
    "command",
    [
        "show nope",
        "seal nope",
        "cancel nope",
        "add nope 1",
        "failures nope",
        "failures nope --jobs --json",
        "watch nope",
        "report nope j failed",
    ],
)
async def test_not_found(cli: CommandLine, command: str) -> None:
    """A batch that is not there is exit 4 and one sentence with what to do, from every command."""
    ended = await cli.run(*command.split())
    assert (ended.code, ended.out) == (4, "")
    advice = "`batchprogress list` shows the batches that exist"
    assert ended.err == f"batchprogress: there is no batch nope: {advice}\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("show", "a b"), "must be 1 to 128 printable ASCII characters"),
        (("watch", "fine", "x" * 129), "must be 1 to 128 printable ASCII characters"),
        (("create", "--total", "-1"), "--total"),
        (("create", "--total", "1", "--label", "team"), "'team' is not KEY=VALUE"),
        (("report", "b", "j"), "give a job and its outcome"),
        (("report", "b", "j", "failed", "--from", "-"), "--from takes the place"),
        (("report", "b", "--from", "/no/such/file"), "/no/such/file"),
        (("list", "--token-file", "/dev/null"), "holds no token"),
    ],
)
async def test_wrong_arguments(command: tuple[str, ...], said: str) -> None:
    """Wrong arguments are exit 2, told before any server is asked."""
    ended = await CommandLine("127.0.0.1:1").run(*command)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert "waiting" not in ended.err


@pytest.mark.parametrize("command", ["list", "watch b"])
async def test_a_server_that_is_away(command: str) -> None:
    """A server that is away is told once, and ends the command with 5 after --timeout."""
    server = f"127.0.0.1:{free_port()}"
    ended = await CommandLine(server).run(*command.split(), "--timeout", "3")
    assert (ended.code, ended.out) == (5, "")
    waiting, sentence = ended.err.splitlines()
    assert waiting.startswith(f"batchprogress: waiting for the server at {server}")
    assert sentence.startswith(f"batchprogress: the server at {server} did not answer for 3 s")


async def test_a_server_that_comes_back(tmp_path: Path) -> None:
    """A command that waits for its server does its work as soon as the server is there."""
    port = free_port()
    async with CommandLine(f"127.0.0.1:{port}").running(
        "create", "b", "--total", "1", "--timeout", str(SECONDS_MAX)
    ) as command:
        await command.tells("waiting for the server")
        async with progress_process(f"sqlite+aiosqlite:///{tmp_path}/t.db", listen=f"127.0.0.1:{port}"):
            ended = await command.ended()
    assert (ended.code, ended.out) == (0, "b\n")


async def test_a_server_that_hangs(tmp_path: Path) -> None:
    """A server that takes a call and does not answer is told too, and its answer is taken when it comes."""
    async with progress_process(f"sqlite+aiosqlite:///{tmp_path}/t.db") as server:
        server.send(signal.SIGSTOP)
        create = ("create", "b", "--total", "1", "--timeout", str(SECONDS_MAX))
        async with CommandLine(server.target).running(*create) as command:
            await command.tells("waiting for the server")
            server.send(signal.SIGCONT)
            ended = await command.ended()
    assert (ended.code, ended.out) == (0, "b\n")


async def test_ctrl_c_while_waiting() -> None:
    """Ctrl-C ends a command that waits for its server with 130 and without a traceback."""
    async with CommandLine(f"127.0.0.1:{free_port()}").running(
        "list", "--timeout", str(SECONDS_MAX)
    ) as command:
        await command.tells("waiting for the server")
        command.process.send_signal(signal.SIGINT)
        ended = await command.ended()
    assert (ended.code, ended.out, ended.err) == (130, "", "")


async def test_without_the_extra() -> None:
    """Where typer is not installed one sentence tells what to install."""
    code = "import sys; sys.modules['typer'] = None; from batchprogress.cli import main; main()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    _, err = await process.communicate()
    assert process.returncode == 1
    assert err.decode() == ("batchprogress: the command line needs typer: pip install 'batchprogress[cli]'\n")


async def test_completion() -> None:
    """A shell that asks is told the commands."""
    command_line = CommandLine("127.0.0.1:1")
    ended = await command_line.run(
        _BATCHPROGRESS_COMPLETE="complete_bash", COMP_WORDS="batchprogress wa", COMP_CWORD="1"
    )
    assert (ended.code, ended.lines) == (0, ["watch"])


async def test_help_tells_the_exit_codes() -> None:
    """Help tells every exit code, for the commands as for the whole."""
    ended = await CommandLine("127.0.0.1:1").run("--help")
    assert [
        line.split()[0] for line in ended.lines if line.startswith("  ") and line.split()[0].isdigit()
    ] == [
        *map(str, range(8)),
        "130",
    ]
