"""What the manifests set is what the code reads."""

import importlib
import pkgutil
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from process.configuration import load
from tests.support.certificates import Authority
from tests.unit.k8s.layout import ROOT, Layout, Pod, values

PACKAGES = ("batches", "process", "reconciler", "rpc", "services")
"""What the image runs."""

READ_BY = {
    "progress": ("services.progress.settings", "batches.settings"),
    "job-status": ("services.job_status.settings",),
    "dashboard": ("services.dashboard.settings",),
    "reconciler": ("reconciler.settings", "batches.settings"),
    "migrate": ("batches.settings",),
}
"""Which of them each deployable reads."""

AUTHORITY = Authority("of the tests")
PAIR = AUTHORITY.sign("pod")
SECRETS = {
    "_CA_FILE": AUTHORITY.certificate,
    "_CERTIFICATE_FILE": PAIR.certificate,
    "_KEY_FILE": PAIR.key,
    "_REDIS_URL_FILE": b"rediss://user:password@redis:6379/0",
    "_DATABASE_URL_FILE": b"mysql+asyncmy://user:password@mysql/batches",
    "_FILE": b"a token",
}
"""What the files of the Secrets hold, by the ends of the variables that name them."""

QUEUE_URLS = ("JOB_STATUS_DATABASE_URL", "JOB_STATUS_REDIS_URL")
"""Either is what the queue is read by."""

SECRETS_FOLDER = "/secrets/"
"""Where the pods mount them."""

EXIT_SECONDS_MIN = 5
"""What a drained server needs to close the database and exit."""


def test_settings_exist(layout: Layout) -> None:
    """Every variable of the ConfigMap and of every container is a setting of some deployable."""
    known = {name for settings in all_settings() for name in _variables(settings)}
    for pod in layout.pods():
        assert layout.environment(pod).keys() - known == set(), pod.owner


def test_every_setting_is_in_the_config_map() -> None:
    """The ConfigMap's file names every setting that is no secret nor the file of one, set or as a comment."""
    fields = {name: field for settings in all_settings() for name, field in _variables(settings).items()}
    secrets = {name for name, field in fields.items() if "SecretStr" in str(field.annotation)}
    expected = fields.keys() - secrets - {f"{name}_FILE" for name in secrets}
    assert {name for _, name, _ in _listed()} == expected


def test_comments_tell_the_defaults() -> None:
    """A setting that is commented out stands there with the value that it has in the code."""
    fields = {name: field for settings in all_settings() for name, field in _variables(settings).items()}
    for is_set, name, value in _listed():
        if not is_set:
            kind: Any = fields[name].annotation
            told = None if value == "" else TypeAdapter(kind).validate_python(value)
            assert told == fields[name].default, name


@pytest.mark.parametrize("deployable", READ_BY)
def test_settings_are_accepted(layout: Layout, deployable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every deployable starts with the values that its pod gets."""
    for pod in layout.pods():
        if pod.deployable == deployable:
            assert _load(layout, pod, monkeypatch)


def test_source_exists(layout: Layout) -> None:
    """The queue that job-status asks is one it knows; its settings take any name."""
    sources = importlib.import_module("services.job_status.wiring").SOURCES
    assert layout.settings()["JOB_STATUS_SOURCE"] in sources


def test_stuck_means_one_thing(layout: Layout) -> None:
    """Watchers are told the time after which the reconciler really looks at a batch."""
    settings = layout.settings()
    assert settings["PROGRESS_STUCK_AFTER"] == settings["RECONCILER_STUCK_AFTER"]


def test_secrets_reach_their_readers(layout: Layout) -> None:
    """A pod gets the URLs that it reads and no other's: each Secret has as few holders as possible."""
    for pod in layout.pods():
        read = {name for name in _read_by(pod) if name.endswith(("_DATABASE_URL", "_REDIS_URL"))}
        given = {name.removesuffix("_FILE") for name in layout.environment(pod)}
        urls = {name for name in given if name.endswith(("_DATABASE_URL", "_REDIS_URL"))}
        assert urls - layout.settings().keys() <= read, pod.owner
        assert len(urls & read) == len(read - set(QUEUE_URLS)) + any(one in read for one in QUEUE_URLS)


def test_secrets_are_files(layout: Layout) -> None:
    """No pod has a secret in its environment; the files it reads are the keys of the Secrets it mounts."""
    for pod in layout.pods():
        assert list(values(pod.spec, "secretKeyRef")) == list(values(pod.spec, "secretRef")) == []
        folders = {one["name"]: one["mountPath"] for one in pod.container.get("volumeMounts", [])}
        mounted = {
            f"{folders[volume['name']]}/{item['path']}"
            for volume in pod.spec.get("volumes", [])
            for item in volume.get("secret", {}).get("items", [])
        }
        read = _read_by(pod)
        named = {
            value
            for name, value in layout.environment(pod).items()
            if value and value.startswith(SECRETS_FOLDER) and name in read
        }
        assert named == mounted, pod.owner


def test_grace_period(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server is killed only after the preStop sleep, its drain and the time to exit."""
    for pod in layout.pods():
        if pod.owner.startswith("Deployment/"):
            sleep = pod.container["lifecycle"]["preStop"]["sleep"]["seconds"]
            drain = max(getattr(one, "drain_seconds", 0) for one in _load(layout, pod, monkeypatch))
            assert pod.spec["terminationGracePeriodSeconds"] >= sleep + drain + EXIT_SECONDS_MIN


def test_commands_exist(layout: Layout) -> None:
    """Every container runs a module of this checkout."""
    for pod in layout.pods():
        folder = ROOT.joinpath(*pod.container["args"][0].split("."))
        assert (folder / "__main__.py").is_file(), pod.owner
        assert "command" not in pod.container, "the image's entrypoint is python -m"


def all_settings() -> list[type[BaseSettings]]:
    """Return each class of settings with a prefix, of every module called settings."""
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
        if isinstance(one, type) and issubclass(one, BaseSettings) and one.model_config.get("env_prefix")
    ]


def _listed() -> Iterator[tuple[bool, str, str]]:
    """Yield whether it is set, name and value of every setting in the ConfigMap's file."""
    for line in (ROOT / "k8s/base/settings.env").read_text().splitlines():
        if found := re.fullmatch(r"(#?)([A-Z_]+)=(.*)", line):
            yield found[1] == "", found[2], found[3]


def _load(layout: Layout, pod: Pod, monkeypatch: pytest.MonkeyPatch) -> list[BaseSettings]:
    """Read a pod's settings as its process does, with a file of our own for each of its Secrets."""
    with tempfile.TemporaryDirectory(prefix="batchprogress-secret-") as folder:
        for name, value in layout.environment(pod).items():
            is_secret = value is not None and value.startswith(SECRETS_FOLDER)
            monkeypatch.setenv(name, str(_secret_file(name, Path(folder))) if is_secret else value or "")
        return [load(_settings(module)) for module in READ_BY[pod.deployable]]


def _secret_file(variable: str, folder: Path) -> Path:
    """Return a file with something that the variable may name."""
    end = next(end for end in SECRETS if variable.endswith(end))
    file = folder / end
    file.write_bytes(SECRETS[end])
    return file


def _read_by(pod: Pod) -> set[str]:
    """Return the variables that the process of a pod reads."""
    return {name for module in READ_BY[pod.deployable] for name in _variables(_settings(module))}


def _settings(module: str) -> type[BaseSettings]:
    (settings,) = (one for one in all_settings() if one.__module__ == module)
    return settings


def _variables(settings: type[BaseSettings]) -> dict[str, FieldInfo]:
    prefix = settings.model_config.get("env_prefix", "")
    return {f"{prefix}{name}".upper(): field for name, field in settings.model_fields.items()}
