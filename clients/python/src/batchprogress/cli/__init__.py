"""The command line `batchprogress`. It needs the extra `cli` (typer and rich), which workers do without."""

import sys

EXIT_NOT_INSTALLED = 1
EXIT_INTERRUPTED = 130
"""128 + SIGINT, as a shell counts."""
EXTRA = frozenset({"typer", "rich"})


def main() -> None:
    """Run the command line."""
    try:
        from batchprogress.cli.app import app  # noqa: PLC0415  # without the extra it cannot be imported
    except ModuleNotFoundError as error:
        if error.name not in EXTRA:
            raise
        sys.stderr.write(
            f"batchprogress: the command line needs {error.name}: pip install 'batchprogress[cli]'\n"
        )
        sys.exit(EXIT_NOT_INSTALLED)
    except KeyboardInterrupt:  # once typer runs, it handles Ctrl-C itself
        sys.exit(EXIT_INTERRUPTED)
    app(prog_name="batchprogress")
