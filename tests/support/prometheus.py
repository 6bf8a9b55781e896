"""Prometheus' own tools: those that are installed, else Debian's package, unpacked."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

from database_servers.debian_packages import program_command, unpacked_package
from database_servers.errors import CommandFailed, PackageUnavailable
from tests.support import not_run

PACKAGE = "prometheus"
TOOL = "promtool"
TOOL_SECONDS_MAX = 60.0
"""It takes a second."""


def promtool(*arguments: str | Path) -> str:
    """Run promtool; return what it said, and fail the test if it says that something is wrong.

    A machine that has none and is no Debian skips the test; on CI it fails, since a skip would go unnoticed.
    """
    ended = subprocess.run(
        [*_command(), *map(str, arguments)],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TOOL_SECONDS_MAX,
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


@cache
def _command() -> tuple[str, ...]:
    program = shutil.which(TOOL)
    if program is not None:
        return (program,)
    try:
        return program_command(unpacked_package(PACKAGE), f"usr/bin/{TOOL}")
    except (PackageUnavailable, CommandFailed) as error:
        not_run.without(f"for want of promtool: {error}")
