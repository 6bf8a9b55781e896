"""Runs other programs to their end."""

import subprocess
from pathlib import Path

from database_servers.errors import CommandFailed


def output_of(*command: str | Path, seconds_max: float, folder: Path | None = None) -> str:
    """Return the output of a command, which runs in the folder.

    Raises:
        CommandFailed: it is missing, took too long or exited non-zero.

    """
    name = Path(command[0]).name
    try:
        # Commands are constants of the callers, without input from outside.
        done = subprocess.run(
            command,
            cwd=folder,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds_max,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise CommandFailed(f"{name} cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{name} took longer than {seconds_max:g} s") from error
    except subprocess.CalledProcessError as error:
        raise CommandFailed(f"{name} failed: {_last_line(error.output)}") from error
    return done.stdout


def _last_line(text: str) -> str:
    """Return the end of the output, where programs state the reason of a failure."""
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it wrote nothing"
