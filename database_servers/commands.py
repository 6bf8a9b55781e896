"""Running another program to its end."""

import subprocess
from pathlib import Path

from database_servers.errors import CommandFailed


def output_of(*command: str | Path, seconds_max: float) -> str:
    """Return what a command wrote; CommandFailed says in one line why there is nothing to return."""
    name = Path(command[0]).name
    try:
        # The callers write their commands themselves; nothing comes from outside.
        done = subprocess.run(
            command,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds_max,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise CommandFailed(f"{name} could not be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{name} took longer than {seconds_max:g} s") from error
    except subprocess.CalledProcessError as error:
        raise CommandFailed(f"{name} failed: {_last_line(error.output)}") from error
    return done.stdout


def _last_line(text: str) -> str:
    """Return where programs put the reason: the end of what they wrote."""
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it wrote nothing"
