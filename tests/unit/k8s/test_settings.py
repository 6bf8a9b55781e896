"""What the manifests set is what the code reads."""

import importlib

import pytest
from pydantic_settings import BaseSettings

from tests.unit.k8s.layout import ROOT, Layout, Pod

SETTINGS = {
    "batches.settings": "DatabaseSettings",
    "reconciler.settings": "ReconcilerSettings",
    "services.dashboard.settings": "DashboardSettings",
    "services.job_status.settings": "JobStatusSettings",
    "services.progress.settings": "ProgressSettings",
}
READ_BY = {
    "progress": ("services.progress.settings", "batches.settings"),
    "job-status": ("services.job_status.settings",),
    "dashboard": ("services.dashboard.settings",),
    "reconciler": ("reconciler.settings", "batches.settings"),
    "migrate": ("batches.settings",),
}
"""Which of them each deployable reads."""

SECRET = "mysql+asyncmy://user:password@mysql/batches"
"""Stands for the content of any Secret: all of them are database URLs."""

EXIT_SECONDS_MIN = 5
"""What a drained server needs to close the database and exit."""


def test_settings_exist(layout: Layout) -> None:
    """Every variable of the ConfigMap and of every container is a setting of some deployable."""
    known = {name for module in SETTINGS for name in _variables(_settings(module))}
    for pod in layout.pods():
        assert layout.environment(pod).keys() - known == set(), pod.owner


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
        read = {name for module in READ_BY[pod.deployable] for name in _variables(_settings(module))}
        urls = {name for name in layout.environment(pod) if name.endswith("_DATABASE_URL")}
        assert urls - layout.settings().keys() <= read, pod.owner
        assert {name for name in read if name.endswith("_DATABASE_URL")} <= urls, pod.owner


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


def _load(layout: Layout, pod: Pod, monkeypatch: pytest.MonkeyPatch) -> list[BaseSettings]:
    """Read a pod's settings as its process does."""
    for name, value in layout.environment(pod).items():
        monkeypatch.setenv(name, SECRET if value is None else value)
    return [_settings(module)() for module in READ_BY[pod.deployable]]


def _settings(module: str) -> type[BaseSettings]:
    settings: type[BaseSettings] = getattr(importlib.import_module(module), SETTINGS[module])
    return settings


def _variables(settings: type[BaseSettings]) -> set[str]:
    prefix = settings.model_config.get("env_prefix", "")
    return {f"{prefix}{field}".upper() for field in settings.model_fields}
