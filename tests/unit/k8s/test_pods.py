"""What every pod of every layout keeps: its rights, its resources and its probes."""

import importlib

import pytest
import yaml

from tests.unit.k8s.layout import ROOT, Layout, Pod

QUANTITIES = {"m": 0.001, "": 1, "Mi": 2**20, "Gi": 2**30}
"""The units our quantities are written in."""

SERVERS = {
    "progress": "batchprogress.v1.progress_pb2",
    "job-status": "batchprogress.v1.job_status_pb2",
}
"""The deployables that serve, and the stubs of the one service of each."""


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, layout: Layout) -> Pod:
    """Return each server's pod of each layout."""
    (pod,) = (one for one in layout.pods() if one.deployable == request.param)
    return pod


def test_restricted(layout: Layout) -> None:
    """Every pod passes Pod Security "restricted" and writes to its volumes only."""
    for pod in layout.pods():
        assert pod.spec["securityContext"]["runAsNonRoot"] is True
        assert pod.spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod.container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not pod.spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}


def test_namespace() -> None:
    """Our namespace enforces "restricted", and warns of it when something is applied."""
    labels = yaml.safe_load((ROOT / "k8s/namespace.yaml").read_text())["metadata"]["labels"]
    modes = ("enforce", "warn", "audit")
    assert labels == {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in modes}


def test_accounts(layout: Layout) -> None:
    """Every deployable has an account of its own name, and no pod gets its token."""
    for pod in layout.pods():
        assert pod.spec["serviceAccountName"] == pod.deployable
        assert layout.named("ServiceAccount", pod.deployable)["automountServiceAccountToken"] is False
        assert "automountServiceAccountToken" not in pod.spec


def test_no_service_links(layout: Layout) -> None:
    """No pod lets Kubernetes inject variables such as JOB_STATUS_PORT among our settings."""
    assert [pod.spec["enableServiceLinks"] for pod in layout.pods()] == [False] * len(layout.pods())


@pytest.mark.parametrize("resource", ["cpu", "memory"])
def test_resources(layout: Layout, resource: str) -> None:
    """Every container requests CPU and memory and has limits no lower; memory it requests in full."""
    for pod in layout.pods():
        requested = _quantity(pod.container["resources"]["requests"][resource])
        limit = _quantity(pod.container["resources"]["limits"][resource])
        assert 0 < requested <= limit, pod.owner
        assert resource != "memory" or requested == limit, pod.owner


def test_volumes_are_mounted(layout: Layout) -> None:
    """Every volume is a claim, bounded scratch space or a Secret that is only read, and is mounted."""
    for pod in layout.pods():
        volumes = {volume["name"]: volume for volume in pod.spec.get("volumes", [])}
        assert {mount["name"] for mount in pod.container.get("volumeMounts", [])} == volumes.keys()
        for volume in volumes.values():
            assert volume.keys() & {"persistentVolumeClaim", "secret"} or volume["emptyDir"]["sizeLimit"]
        for mount in pod.container.get("volumeMounts", []):
            assert "secret" not in volumes[mount["name"]] or mount["readOnly"]


@pytest.mark.parametrize(
    ("probe", "service"),
    [("startupProbe", "liveness"), ("livenessProbe", "liveness"), ("readinessProbe", None)],
)
def test_probes(server: Pod, probe: str, service: str | None) -> None:
    """On the admin port, liveness asks whether the process runs, readiness for the service by its name."""
    (readiness,) = importlib.import_module(SERVERS[server.deployable]).DESCRIPTOR.services_by_name.values()
    assert server.container[probe]["grpc"] == {
        "port": ports_of(server)["admin"],
        "service": service or readiness.full_name,
    }
    assert server.container[probe]["timeoutSeconds"] <= server.container[probe]["periodSeconds"]


def test_dashboard(layout: Layout) -> None:
    """The dashboard listens on its port, its probes ask what it answers, and its target is a Service."""
    (pod,) = (one for one in layout.pods() if one.deployable == "dashboard")
    (port,) = pod.container["ports"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert pod.container[probe]["httpGet"] == {"path": "/health", "port": port["name"]}
        assert pod.container[probe]["timeoutSeconds"] <= pod.container[probe]["periodSeconds"]
    assert layout.settings()["DASHBOARD_LISTEN"] == f"0.0.0.0:{port['containerPort']}"
    name, _, number = layout.settings()["DASHBOARD_PROGRESS_TARGET"].removeprefix("dns:///").partition(":")
    assert int(number) in {one["port"] for one in layout.named("Service", name)["spec"]["ports"]}


def test_liveness_is_the_name_that_is_served() -> None:
    """The servers answer for liveness under the name that the probes use."""
    assert importlib.import_module("rpc.serving.health").LIVENESS == "liveness"


def test_listens_on_its_ports(layout: Layout, server: Pod) -> None:
    """A server listens on all interfaces and on the ports its container names."""
    prefix = server.deployable.replace("-", "_").upper()
    for name, number in ports_of(server).items():
        setting = f"{prefix}_LISTEN" if name == "grpc" else f"{prefix}_{name.upper()}_LISTEN"
        assert layout.settings()[setting] == f"0.0.0.0:{number}"


def ports_of(server: Pod) -> dict[str, int]:
    """Return the numbers of a server's ports by their names."""
    ports = {one["name"]: one["containerPort"] for one in server.container["ports"]}
    assert ports.keys() == {"grpc", "admin", "metrics"}
    return ports


def _quantity(text: str) -> float:
    number = text.rstrip("GMim")
    return float(number) * QUANTITIES[text.removeprefix(number)]
