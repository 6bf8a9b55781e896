"""The rules for every pod of every layout: permissions, resources and probes."""

import importlib

import pytest
import yaml

from tests.unit.k8s.layout import ROOT, Layout, Pod, quantity

START_SECONDS_MAX = 120
"""For a server that needs a minute, as on a node with two cores on which all pods start at once."""

SERVERS = {
    "progress": "batchprogress.v1.progress_pb2",
    "job-status": "batchprogress.v1.job_status_pb2",
}
"""The gRPC servers, and the module with the service of each."""


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, layout: Layout) -> Pod:
    """Return the pod of each server in each layout."""
    (pod,) = (one for one in layout.pods() if one.deployable == request.param)
    return pod


def test_pods_satisfy_pod_security_restricted(layout: Layout) -> None:
    """They can write only to their volumes."""
    for pod in layout.pods():
        assert pod.spec["securityContext"]["runAsNonRoot"] is True
        assert pod.spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod.container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not pod.spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}


def test_namespace_enforces_pod_security_restricted() -> None:
    """It also warns about violations when something is applied."""
    labels = yaml.safe_load((ROOT / "k8s/namespace.yaml").read_text())["metadata"]["labels"]
    modes = ("enforce", "warn", "audit")
    assert labels == {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in modes}


def test_every_program_has_its_own_account(layout: Layout) -> None:
    """No pod gets the account's token."""
    for pod in layout.pods():
        assert pod.spec["serviceAccountName"] == pod.deployable
        assert layout.named("ServiceAccount", pod.deployable)["automountServiceAccountToken"] is False
        assert "automountServiceAccountToken" not in pod.spec


def test_service_links_are_disabled(layout: Layout) -> None:
    """They would inject variables such as JOB_STATUS_PORT, which look like settings of ours."""
    assert [pod.spec["enableServiceLinks"] for pod in layout.pods()] == [False] * len(layout.pods())


@pytest.mark.parametrize("resource", ["cpu", "memory"])
def test_containers_have_requests_and_limits(layout: Layout, resource: str) -> None:
    """The request for memory equals the limit."""
    for pod in layout.pods():
        requested = quantity(pod.container["resources"]["requests"][resource])
        limit = quantity(pod.container["resources"]["limits"][resource])
        assert 0 < requested <= limit, pod.owner
        assert resource != "memory" or requested == limit, pod.owner


def test_every_volume_is_mounted(layout: Layout) -> None:
    """It is a claim, an emptyDir with a size limit, or a read-only Secret."""
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
def test_probes_use_the_admin_port(server: Pod, probe: str, service: str | None) -> None:
    """Readiness checks the service by its name, the other probes only the process."""
    (readiness,) = importlib.import_module(SERVERS[server.deployable]).DESCRIPTOR.services_by_name.values()
    assert server.container[probe]["grpc"] == {
        "port": ports_of(server)["admin"],
        "service": service or readiness.full_name,
    }
    assert server.container[probe]["timeoutSeconds"] <= server.container[probe]["periodSeconds"]


@pytest.mark.parametrize("deployable", ["dashboard", "gateway"])
def test_http_server_is_probed_on_its_port_and_its_target_is_a_service(
    layout: Layout, deployable: str
) -> None:
    (pod,) = (one for one in layout.pods() if one.deployable == deployable)
    port = pod.container["ports"][0]
    prefix = deployable.upper()
    is_encrypted = f"{prefix}_TLS_KEY_FILE" in layout.settings()
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        scheme = {"scheme": "HTTPS"} if is_encrypted else {}
        assert pod.container[probe]["httpGet"] == {"path": "/health", "port": port["name"], **scheme}
        assert pod.container[probe]["timeoutSeconds"] <= pod.container[probe]["periodSeconds"]
    assert layout.settings()[f"{prefix}_LISTEN"] == f"0.0.0.0:{port['containerPort']}"
    name, _, number = layout.settings()[f"{prefix}_PROGRESS_TARGET"].removeprefix("dns:///").partition(":")
    assert int(number) in {one["port"] for one in layout.named("Service", name)["spec"]["ports"]}


def test_servers_have_two_minutes_to_start(layout: Layout) -> None:
    """A restart of a server that starts slowly would only add to the load of its node."""
    probes = {
        pod.deployable: pod.container["startupProbe"]
        for pod in layout.pods()
        if "startupProbe" in pod.container
    }
    assert probes.keys() >= {"progress", "job-status", "dashboard", "gateway"}
    seconds = {name: probe["periodSeconds"] * probe["failureThreshold"] for name, probe in probes.items()}
    assert set(seconds.values()) == {START_SECONDS_MAX}


def test_servers_serve_the_name_of_the_liveness_probe() -> None:
    assert importlib.import_module("rpc.serving.health").LIVENESS == "liveness"


def test_server_listens_on_the_ports_of_its_container(layout: Layout, server: Pod) -> None:
    """On all interfaces."""
    prefix = server.deployable.replace("-", "_").upper()
    for name, number in ports_of(server).items():
        setting = f"{prefix}_LISTEN" if name == "grpc" else f"{prefix}_{name.upper()}_LISTEN"
        assert layout.settings()[setting] == f"0.0.0.0:{number}"


def ports_of(server: Pod) -> dict[str, int]:
    """Return a server's port numbers by their names."""
    ports = {one["name"]: one["containerPort"] for one in server.container["ports"]}
    assert ports.keys() == {"grpc", "admin", "metrics"}
    return ports
