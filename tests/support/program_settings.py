"""The settings that each program reads, to compare them with what a deployment sets."""

import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from process.configuration import load
from process.settings import Settings
from services.dashboard.settings import DashboardSettings
from tests.support.certificates import Authority

ROOT = Path(__file__).parents[2]

PACKAGES = ("batches", "process", "reconciler", "rpc", "services")
"""The packages of the image."""

READ_BY = {
    "progress": ("services.progress.settings", "batches.settings"),
    "job-status": ("services.job_status.settings",),
    "dashboard": ("services.dashboard.settings",),
    "gateway": ("services.gateway.settings",),
    "notifier": ("services.notifier.settings", "batches.settings"),
    "reconciler": ("reconciler.settings", "batches.settings"),
    "migrate": ("batches.settings",),
}
"""The settings modules that each program reads."""
OLD_NAMES = {"dashboard"}
"""Programs that are another one by its old name, for one version."""
OF_0_1 = {"listen", "allowed_hosts", "viewers_max", "watches_max", "drain_seconds"}
"""The settings of the dashboard, besides those of its connection to the progress server."""

AUTHORITY = Authority("of the tests")
PAIR = AUTHORITY.sign("program")
SECRETS = {
    "_CA_FILE": AUTHORITY.certificate,
    "_CERTIFICATE_FILE": PAIR.certificate,
    "_KEY_FILE": PAIR.key,
    "_REDIS_URL_FILE": b"rediss://user:password@redis:6379/0",
    "_DATABASE_URL_FILE": b"mysql+asyncmy://user:password@mysql/batches",
    "_FILE": b"a token",
}
"""Valid content for the file that a variable names, by the end of the variable's name."""


def all_settings() -> list[type[Settings]]:
    """Return every settings class with a prefix, from all modules named settings."""
    modules = [
        importlib.import_module(found.name)
        for package in PACKAGES
        for found in pkgutil.walk_packages([str(ROOT / package)], f"{package}.")
        if found.name.endswith(".settings")
    ]
    return [
        one
        for module in modules
        for one in vars(module).values()
        if isinstance(one, type)
        and issubclass(one, Settings)
        and one.__module__ == module.__name__
        and one.prefix
    ]


def variables(settings: type[Settings]) -> dict[str, FieldInfo]:
    """Return the fields of a settings class by the variables that set them."""
    return {
        settings.variable(name): field
        for name, field in settings.model_fields.items()
        if settings is not DashboardSettings or name in OF_0_1 or name.startswith("progress_")
    }


def variables_read_by(program: str) -> set[str]:
    """Return the variables that a program reads."""
    return {name for module in READ_BY[program] for name in variables(_settings(module))}


def load_settings(
    program: str, environment: Mapping[str, str | None], secrets_folder: str, own_folder: Path
) -> list[Settings]:
    """Read the settings of a program as its process does.

    Args:
        program: a key of READ_BY.
        environment: the variables of the process.
        secrets_folder: values below this folder name secret files.
        own_folder: an empty folder, in which valid secret files are created instead.

    Raises:
        SystemExit: a setting is invalid.

    """
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            is_secret = value is not None and value.startswith(secrets_folder)
            patch.setenv(name, str(_secret_file(name, own_folder)) if is_secret else value or "")
        return [load(_settings(module)) for module in READ_BY[program]]


def _secret_file(variable: str, folder: Path) -> Path:
    end = next(end for end in SECRETS if variable.endswith(end))
    file = folder / end
    file.write_bytes(SECRETS[end])
    return file


def _settings(module: str) -> type[Settings]:
    (settings,) = (one for one in all_settings() if one.__module__ == module)
    return settings
