"""The settings in the manifests are those that the code reads."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from process.settings import Settings
from tests.support.program_settings import (
    READ_BY,
    all_settings,
    load_settings,
    variables,
    variables_read_by,
)
from tests.unit.k8s.layout import ROOT, Layout, Pod, values

QUEUE_URLS = ("JOB_STATUS_DATABASE_URL", "JOB_STATUS_REDIS_URL")
"""The queue has one of them."""
SECRETS_FOLDER = "/secrets/"
"""The folder in which pods mount Secrets."""
EXIT_SECONDS_MIN = 5
"""The time that a drained server needs to close the database and exit."""


def test_every_variable_is_a_setting(layout: Layout) -> None:
    """This includes the variables of the ConfigMap and of the containers."""
    known = {name for settings in all_settings() for name in variables(settings)}
    for pod in layout.pods():
        assert layout.environment(pod).keys() - known == set(), pod.owner


def test_config_map_lists_every_setting() -> None:
    """Settings are set or commented out, except secrets and the files of secrets."""
    fields = {name: field for settings in all_settings() for name, field in variables(settings).items()}
    secrets = {name for name, field in fields.items() if "SecretStr" in str(field.annotation)}
    expected = fields.keys() - secrets - {f"{name}_FILE" for name in secrets}
    assert {name for _, name, _ in _listed()} == expected


def test_commented_settings_have_their_default_value() -> None:
    fields = {name: field for settings in all_settings() for name, field in variables(settings).items()}
    for is_set, name, value in _listed():
        if not is_set:
            kind: Any = fields[name].annotation
            listed = None if value == "" else TypeAdapter(kind).validate_python(value)
            default = fields[name].default
            assert listed == (None if default == "" else default), name


@pytest.mark.parametrize("deployable", READ_BY)
def test_settings_are_accepted(layout: Layout, deployable: str, tmp_path: Path) -> None:
    """Every program starts with the settings of its pod."""
    for pod in layout.pods():
        if pod.deployable == deployable:
            assert _load(layout, pod, tmp_path)


def test_source_of_job_status_exists(layout: Layout) -> None:
    """The setting accepts any name."""
    sources = importlib.import_module("services.job_status.wiring").SOURCES
    assert layout.settings()["JOB_STATUS_SOURCE"] in sources


def test_stuck_after_is_the_same_everywhere(layout: Layout) -> None:
    """Watchers see the time after which the reconciler really checks a batch."""
    settings = layout.settings()
    assert settings["PROGRESS_STUCK_AFTER"] == settings["RECONCILER_STUCK_AFTER"]


def test_each_pod_gets_only_the_urls_that_it_reads(layout: Layout) -> None:
    """A Secret is in as few pods as possible."""
    for pod in layout.pods():
        names = variables_read_by(pod.deployable)
        read = {name for name in names if name.endswith(("_DATABASE_URL", "_REDIS_URL"))}
        given = {name.removesuffix("_FILE") for name in layout.environment(pod)}
        urls = {name for name in given if name.endswith(("_DATABASE_URL", "_REDIS_URL"))}
        assert urls - layout.settings().keys() <= read, pod.owner
        assert len(urls & read) == len(read - set(QUEUE_URLS)) + any(one in read for one in QUEUE_URLS)


def test_secrets_are_mounted_files(layout: Layout) -> None:
    """No variable contains a secret, and a pod mounts exactly the files that it reads."""
    for pod in layout.pods():
        assert list(values(pod.spec, "secretKeyRef")) == list(values(pod.spec, "secretRef")) == []
        folders = {one["name"]: one["mountPath"] for one in pod.container.get("volumeMounts", [])}
        mounted = {
            f"{folders[volume['name']]}/{item['path']}"
            for volume in pod.spec.get("volumes", [])
            for item in volume.get("secret", {}).get("items", [])
        }
        read = variables_read_by(pod.deployable)
        whole = {
            folders[volume["name"]]
            for volume in pod.spec.get("volumes", [])
            if "secret" in volume and "items" not in volume["secret"]
        }
        named = {
            value
            for name, value in layout.environment(pod).items()
            if value and value.startswith(SECRETS_FOLDER) and name in read
        }
        in_whole = {path for path in named if str(Path(path).parent) in whole}
        assert (named - in_whole, {str(Path(path).parent) for path in in_whole}) == (mounted, whole), (
            pod.owner
        )


def test_grace_period_covers_the_drain(layout: Layout, tmp_path: Path) -> None:
    """A server is killed only after the preStop sleep, its drain and the time to exit."""
    for pod in layout.pods():
        if pod.owner.startswith("Deployment/"):
            sleep = sum(one["seconds"] for one in values(pod.container.get("lifecycle"), "sleep"))
            drain = max(getattr(one, "drain_seconds", 0) for one in _load(layout, pod, tmp_path))
            assert pod.spec["terminationGracePeriodSeconds"] >= sleep + drain + EXIT_SECONDS_MIN


def test_every_container_runs_a_module(layout: Layout) -> None:
    """The module is in this checkout."""
    for pod in layout.pods():
        folder = ROOT.joinpath(*pod.container["args"][0].split("."))
        assert (folder / "__main__.py").is_file(), pod.owner
        assert "command" not in pod.container, "the image's entrypoint is python -m"


def _listed() -> Iterator[tuple[bool, str, str]]:
    """Yield each setting of the ConfigMap's file: whether it is set, its name and its value."""
    for line in (ROOT / "k8s/base/settings.env").read_text().splitlines():
        if found := re.fullmatch(r"(#?)([A-Z_]+)=(.*)", line):
            yield found[1] == "", found[2], found[3]


def _load(layout: Layout, pod: Pod, folder: Path) -> list[Settings]:
    return load_settings(pod.deployable, layout.environment(pod), SECRETS_FOLDER, folder)
