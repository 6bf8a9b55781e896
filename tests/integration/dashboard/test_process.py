"""The dashboard as a process: how it starts and how it ends."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.dashboard import SECONDS_MAX, Page, dashboard_process, start
from tests.support.progress import Served


async def test_sigterm_ends_the_streams_of_pages(progress: Served) -> None:
    """Pages can then connect to the next process; the exit code is 0."""
    await progress.create("b", 1)
    async with dashboard_process(f"127.0.0.1:{progress.port}") as process:
        page = Page(f"http://{process.target}")
        async with page.events("b") as events:
            assert (await anext(events)).name == "history"
            process.send(signal.SIGTERM)
            assert {event.name async for event in events} <= {"state"}
        assert await process.ended() == 0
    assert '"event": "stopped"' in process.log
    assert "Traceback" not in process.log


async def test_help_explains_the_settings() -> None:
    """It names the variables."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.dashboard", "--help"), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert b"DASHBOARD_PROGRESS_TARGET" in out


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DASHBOARD_LISTEN", "8080"),
        ("DASHBOARD_LISTEN", ":8080"),
        ("DASHBOARD_LISTEN", "127.0.0.1:99999"),
        ("DASHBOARD_VIEWERS_MAX", "0"),
        ("DASHBOARD_PROGRESS_CA_FILE", "/nowhere/ca.pem"),
        ("DASHBOARD_PROGRESS_TOKEN_FILE", "/nowhere/token"),
    ],
)
async def test_invalid_setting_exits_78(name: str, value: str) -> None:
    """The message names the variable."""
    process = await start(**{name: value})
    async with asyncio.timeout(SECONDS_MAX):
        _, said = await process.communicate()
    assert process.returncode == 78
    assert said.decode().startswith(f"configuration: {name}: ")


async def test_a_port_in_use_exits_78(progress: Served) -> None:
    """The message says that the dashboard cannot listen."""
    process = await start(DASHBOARD_LISTEN=f"127.0.0.1:{progress.port}")
    async with asyncio.timeout(SECONDS_MAX):
        _, said = await process.communicate()
    assert (process.returncode, b"cannot listen" in said) == (78, True)


async def test_a_deleted_token_file_is_reported(progress: Served, tmp_path: Path) -> None:
    """The dashboard then sends no request, answers 502, and logs the problem once."""
    token = tmp_path / "token"
    token.write_text("secret")
    environment = {"DASHBOARD_PROGRESS_TOKEN_FILE": str(token)}
    async with dashboard_process(f"127.0.0.1:{progress.port}", **environment) as process:
        page = Page(f"http://{process.target}")
        assert (await page.get("/api/batches")).status == 200
        token.unlink()
        assert (await page.get("/api/batches", text="x")).status == 502
        assert (await page.get("/api/batches", text="y")).status == 502
    assert "secret" not in process.log
    assert process.log.count("cannot use the token file") == 1


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"CERTIFICATE": "own.pem"}, "KEY_FILE must be set together"),
        ({"CERTIFICATE": "own.pem", "KEY": "other.key"}, "are not a PEM pair"),
        ({"CERTIFICATE": "own.key", "KEY": "own.key"}, "are not a PEM pair"),
        ({"CA": "own.key"}, "CA_FILE contains no PEM certificate"),
    ],
)
async def test_unusable_certificates_exit_78(tmp_path: Path, files: dict[str, str], named: str) -> None:
    """They are reported at the start instead of as an unavailable server later."""
    for name in ("own", "other"):
        Authority("ours").sign(name).write(tmp_path, name)
    environment = {f"DASHBOARD_PROGRESS_{what}_FILE": str(tmp_path / name) for what, name in files.items()}
    process = await start(**environment)
    async with asyncio.timeout(SECONDS_MAX):
        _, said = await process.communicate()
    assert (process.returncode, named in said.decode()) == (78, True)
