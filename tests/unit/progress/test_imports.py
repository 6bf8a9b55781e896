"""The modules that the edge of the progress server loads."""

import subprocess
import sys

EDGE = ("convert", "requests", "scope", "servicer", "status")


def test_the_edge_names_batches_without_loading_the_database() -> None:
    """Importing the modules that know the contract loads neither SQLAlchemy nor a driver."""
    imports = ", ".join(f"services.progress.{module}" for module in EDGE)
    code = f"import sys, {imports}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    loaded = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True).stdout
    assert "grpc" in loaded.split()
    assert {"sqlalchemy", "alembic", "asyncmy", "aiosqlite"}.isdisjoint(loaded.split())


def test_a_server_loads_alembic_only_to_upgrade() -> None:
    """Its import takes a fifth of a second, and most starts find the schema up to date."""
    code = "import sys, services.progress.__main__, reconciler.__main__; print('alembic' in sys.modules)"
    loaded = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True).stdout
    assert loaded == "False\n"
