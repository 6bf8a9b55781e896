"""components/database-proxy: haproxy with the file of deploy/, between our pods and the database."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from database_servers.errors import CommandFailed, PackageUnavailable
from database_servers.haproxy import CONFIGURATION, haproxy_command
from tests.support import not_run
from tests.unit.k8s.layout import Layout, Manifest, Pod, title
from tests.unit.k8s.test_manifests import OLDEST_KUBERNETES

NAME = "database-proxy"
CHECK_SECONDS_MAX = 30


@pytest.fixture
def proxied(with_components: Callable[..., Layout]) -> Layout:
    """Return overlays/secured with the component."""
    return with_components(NAME, overlay="secured")


@pytest.fixture
def pod(proxied: Layout) -> Pod:
    """Return the pod of haproxy."""
    (pod,) = (one for one in proxied.pods() if one.deployable == NAME)
    return pod


def data_of(proxied: Layout, name: str) -> Any:
    """Return the content of the ConfigMap with this name, which also ends in a hash."""
    return proxied.named("ConfigMap", name)["data"]


def test_the_file_is_that_of_deploy(proxied: Layout, pod: Pod) -> None:
    (volume,) = pod.spec["volumes"]
    assert data_of(proxied, volume["configMap"]["name"]) == {"database.cfg": CONFIGURATION.read_text()}
    (mount,) = pod.container["volumeMounts"]
    assert mount == {"name": volume["name"], "mountPath": "/config", "readOnly": True}
    assert pod.container["command"] == ["haproxy", "-db", "-f", "/config/database.cfg"]


def test_haproxy_takes_the_file_with_these_settings(proxied: Layout, pod: Pod, tmp_path: Path) -> None:
    """Its nodes are names that are looked up later, and warnings are errors."""
    (source,) = pod.container["envFrom"]
    settings = data_of(proxied, source["configMapRef"]["name"])
    assert settings["DATABASE_LISTEN"] == f"*:{port_of(pod, 'mysql')}"
    assert settings["DATABASE_METRICS_LISTEN"] == f"*:{port_of(pod, 'metrics')}"
    file = tmp_path / "database.cfg"
    file.write_text(CONFIGURATION.read_text())
    try:
        command = [*haproxy_command(), "-c", "-f", str(file)]
    except (PackageUnavailable, CommandFailed) as error:
        not_run.without(f"no haproxy: {error}")
    checked = subprocess.run(
        command, env=os.environ | settings, check=False, capture_output=True, timeout=CHECK_SECONDS_MAX
    )
    assert checked.returncode == 0, checked.stderr
    assert b"WARNING" not in checked.stderr


def test_the_service_leads_to_haproxy(proxied: Layout, pod: Pod) -> None:
    service = proxied.named("Service", NAME)["spec"]
    assert service["selector"].items() <= pod.labels.items()
    assert service["ports"] == [{"name": "mysql", "port": 3306, "targetPort": "mysql"}]
    assert "clusterIP" not in service


def test_the_loss_of_one_haproxy_is_survived(proxied: Layout, pod: Pod) -> None:
    spec = proxied.named("Deployment", NAME)["spec"]
    assert (spec["replicas"], spec["strategy"]["rollingUpdate"]["maxUnavailable"]) == (2, 0)
    budget = proxied.named("PodDisruptionBudget", NAME)["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"]["matchLabels"].items() <= pod.labels.items()


def test_the_pod_satisfies_pod_security_restricted(proxied: Layout, pod: Pod) -> None:
    """The image names its user instead of a number, which Kubernetes needs."""
    assert pod.spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 99,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert pod.container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod.spec["enableServiceLinks"] is False
    assert (
        proxied.named("ServiceAccount", pod.spec["serviceAccountName"])["automountServiceAccountToken"]
        is False
    )


def test_probes_do_not_depend_on_the_database(pod: Pod) -> None:
    """Without a node that takes writes, a restart of haproxy helps nobody."""
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert pod.container[probe]["httpGet"] == {"path": "/health", "port": "metrics"}


@pytest.mark.parametrize("version", [OLDEST_KUBERNETES, kubernetes_validate.latest_version()])
def test_objects_fit_the_schema(proxied: Layout, version: str) -> None:
    mine = [one for one in proxied.objects if NAME in title(one) or title(one) == "NetworkPolicy/database"]
    assert len(mine) == 7
    for manifest in mine:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_nothing_else_changes(proxied: Layout, secured: Layout) -> None:
    """Except the policy of the database, which test_network has."""

    def others(layout: Layout) -> list[Manifest]:
        mine = ("database-proxy", "NetworkPolicy/database")
        return [one for one in layout.objects if not any(part in title(one) for part in mine)]

    assert others(proxied) == others(secured)


def port_of(pod: Pod, name: str) -> int:
    """Return the number of a port."""
    return next(int(one["containerPort"]) for one in pod.container["ports"] if one["name"] == name)
