"""Prometheus' own tools: those that are installed, else Debian's package, unpacked."""

import shutil
import subprocess
from pathlib import Path

from tests.support.databases.debian_packages import program_command, unpacked_package

PACKAGE = "prometheus"
TOOL = "promtool"
TOOL_SECONDS_MAX = 60.0
"""It takes a second."""


def promtool(*arguments: str | Path) -> str:
    """Run promtool; return what it said, and fail the test if it says that something is wrong.

    Raises:
        PackageUnavailable: it is not installed and this machine is no Debian to take it from.

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


def _command() -> tuple[str, ...]:
    program = shutil.which(TOOL)
    if program is not None:
        return (program,)
    return program_command(unpacked_package(PACKAGE), f"usr/bin/{TOOL}")
