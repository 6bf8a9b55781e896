"""The modules that the programs load when they start."""

import subprocess
import sys

EDGE = ("convert", "requests", "scope", "servicer", "status")


def loaded_by(*modules: str) -> set[str]:
    """Import modules in a process of their own; return the names of all modules that it has loaded."""
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_edge_names_batches_without_loading_the_database() -> None:
    """Importing the modules that know the contract loads neither SQLAlchemy nor a driver."""
    loaded = loaded_by(*(f"services.progress.{module}" for module in EDGE))
    assert "grpc" in loaded
    assert {"sqlalchemy", "alembic", "asyncmy", "aiosqlite"}.isdisjoint(loaded)


def test_parent_of_processes_loads_nothing_that_does_not_survive_a_fork() -> None:
    """Neither gRPC, nor an event loop in C, nor what only children need."""
    loaded = loaded_by("services.progress.__main__")
    assert {"grpc", "uvloop", "prometheus_client", "alembic", "asyncmy", "aiosqlite"}.isdisjoint(loaded)
