"""How a failing command ends: one sentence on standard error, and an exit code."""

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
async def test_an_unknown_batch_ends_every_command_with_4(cli: CommandLine, command: str) -> None:
    """The sentence says how to list the batches that exist."""
    ended = await cli.run(*command.split())
    assert (ended.code, ended.out) == (4, "")
    advice = "`batchprogress list` shows the batches that exist"
    assert ended.err == f"batchprogress: there is no batch nope: {advice}\n"


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("show", "a b"), "must be 1 to 128 printable ASCII characters"),
        (("watch", "fine", "x" * 129), "must be 1 to 128 printable ASCII characters"),
        (("create", "--total", "-1"), "--total"),
        (("create", "--total", "1", "--label", "team"), "'team' is not KEY=VALUE"),
        (("report", "b", "j"), "give a batch, a job and its outcome"),
        (("report", "b", "j", "failed", "--from", "-"), "--from replaces"),
        (("report", "b", "--from", "/no/such/file"), "/no/such/file"),
        (("list", "--token-file", "/dev/null"), "holds no token"),
    ],
)
async def test_wrong_arguments_end_a_command_with_2(command: tuple[str, ...], sentence: str) -> None:
    """They are reported before the server is called."""
    ended = await CommandLine("127.0.0.1:1").run(*command)
    assert (ended.code, ended.out) == (2, "")
    assert sentence in ended.err
    assert "waiting" not in ended.err


@pytest.mark.parametrize("command", ["list", "watch b"])
async def test_an_unavailable_server_ends_a_command_with_5_after_the_timeout(command: str) -> None:
    """One line says that the command waits, one why it gave up."""
    server = f"127.0.0.1:{free_port()}"
    ended = await CommandLine(server).run(*command.split(), "--timeout", "3")
    assert (ended.code, ended.out) == (5, "")
    waiting, sentence = ended.err.splitlines()
    assert waiting.startswith(f"batchprogress: waiting for the server at {server}")
    assert sentence.startswith(f"batchprogress: the server at {server} did not answer for 3 s")


async def test_a_command_waits_for_its_server(tmp_path: Path) -> None:
    """It succeeds once the server is up."""
    port = free_port()
    async with CommandLine(f"127.0.0.1:{port}").running(
        "create", "b", "--total", "1", "--timeout", str(SECONDS_MAX)
    ) as command:
        await command.warns("waiting for the server")
        async with progress_process(f"sqlite+aiosqlite:///{tmp_path}/t.db", listen=f"127.0.0.1:{port}"):
            ended = await command.ended()
    assert (ended.code, ended.out) == (0, "b\n")


async def test_a_command_says_that_its_server_hangs(tmp_path: Path) -> None:
    """It succeeds once the server answers."""
    async with progress_process(f"sqlite+aiosqlite:///{tmp_path}/t.db") as server:
        server.send(signal.SIGSTOP)
        create = ("create", "b", "--total", "1", "--timeout", str(SECONDS_MAX))
        async with CommandLine(server.target).running(*create) as command:
            await command.warns("waiting for the server")
            server.send(signal.SIGCONT)
            ended = await command.ended()
    assert (ended.code, ended.out) == (0, "b\n")


async def test_ctrl_c_ends_a_waiting_command_with_130() -> None:
    """It prints no traceback."""
    async with CommandLine(f"127.0.0.1:{free_port()}").running(
        "list", "--timeout", str(SECONDS_MAX)
    ) as command:
        await command.warns("waiting for the server")
        command.process.send_signal(signal.SIGINT)
        ended = await command.ended()
    assert (ended.code, ended.out, ended.err) == (130, "", "")


async def test_the_missing_extra_is_named() -> None:
    """If typer is missing, one sentence says what to install."""
    code = "import sys; sys.modules['typer'] = None; from batchprogress.cli import main; main()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    _, err = await process.communicate()
    assert process.returncode == 1
    assert err.decode() == ("batchprogress: the command line needs typer: pip install 'batchprogress[cli]'\n")


async def test_a_shell_can_complete_commands() -> None:
    """The completions of `wa` are `watch` and `watch-token`."""
    command_line = CommandLine("127.0.0.1:1")
    ended = await command_line.run(
        _BATCHPROGRESS_COMPLETE="complete_bash", COMP_WORDS="batchprogress wa", COMP_CWORD="1"
    )
    assert (ended.code, ended.lines) == (0, ["watch", "watch-token"])


async def test_help_lists_every_exit_code() -> None:
    """These are the exit codes 0 to 7, and 130 for Ctrl-C."""
    ended = await CommandLine("127.0.0.1:1").run("--help")
    assert [
        line.split()[0] for line in ended.lines if line.startswith("  ") and line.split()[0].isdigit()
    ] == [
        *map(str, range(8)),
        "130",
    ]
