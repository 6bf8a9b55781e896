"""The traffic that the network policies permit, evaluated like a network plugin does."""

from collections.abc import Callable

import pytest
import yaml

from tests.unit.k8s.layout import COMPOSITIONS, ROOT, Layout, Manifest, Pod, values

CONNECTIONS = {
    ("reconciler", "job-status", "grpc"),
    ("dashboard", "progress", "grpc"),
    ("gateway", "progress", "grpc"),
}
"""The permitted connections between our pods."""

DATABASE = ["3306"]
NAMES = ["53", "53"]
"""DNS uses UDP and TCP."""
OUTSIDE = {
    "dashboard": NAMES,
    "gateway": NAMES,
    "job-status": [*DATABASE, *NAMES],
    "migrate": [*DATABASE, *NAMES],
    "progress": [*DATABASE, *NAMES],
    "reconciler": [*DATABASE, *NAMES],
}
"""The ports outside that each pod may reach."""

QUEUES = {
    "rq": ["6379"],
    "celery-in-redis": ["6379"],
    "celery-in-database": ["3306"],
    "queue-in-postgresql": ["5432"],
    "kubernetes-jobs": ["443", "6443"],
    "kubernetes-jobs-elsewhere": ["443", "6443"],
}
"""The ports of the queue with each component."""
COLLECTOR = ["4317"]


@pytest.fixture
def policies(trusted_network: Layout) -> list[Manifest]:
    """Return the specs of the policies."""
    return policies_of(trusted_network)


def policies_of(layout: Layout) -> list[Manifest]:
    """Return the specs of a layout's policies."""
    return [one["spec"] for one in layout.of_kind("NetworkPolicy")]


def test_all_traffic_is_denied_by_default(trusted_network: Layout) -> None:
    """A policy selects all our pods and permits nothing in both directions."""
    spec = trusted_network.named("NetworkPolicy", "default-deny")["spec"]
    assert all(_selects(spec["podSelector"], pod) for pod in trusted_network.pods())
    assert spec.keys() == {"podSelector", "policyTypes"}
    assert spec["policyTypes"] == ["Ingress", "Egress"]


def test_pods_reach_only_the_pods_that_they_call(trusted_network: Layout, policies: list[Manifest]) -> None:
    """No pod reaches an admin port."""
    found = {
        (client.deployable, server.deployable, port["name"])
        for client in trusted_network.pods()
        for server in trusted_network.pods()
        for port in server.container.get("ports", [])
        if _lets_out(policies, client, server, port["name"])
        and _lets_in(policies, server, client, port["name"])
    }
    assert found == CONNECTIONS


def test_pods_reach_only_dns_and_their_database_or_queue(
    trusted_network: Layout, policies: list[Manifest]
) -> None:
    assert {pod.deployable: _outside(policies, pod) for pod in trusted_network.pods()} == OUTSIDE


@pytest.mark.parametrize("component", QUEUES)
def test_job_status_reaches_only_the_port_of_its_queue(
    component: str, with_components: Callable[..., Layout]
) -> None:
    """A component changes nothing else."""
    layout = with_components(component)
    found = {pod.deployable: _outside(policies_of(layout), pod) for pod in layout.pods()}
    assert found == {**OUTSIDE, "job-status": sorted([*QUEUES[component], *NAMES])}


def test_only_pods_with_the_database_reach_its_proxy(with_components: Callable[..., Layout]) -> None:
    """The proxy reaches only the nodes of the database, and names."""
    layout = with_components("database-proxy")
    policies = policies_of(layout)
    pods = {pod.deployable: pod for pod in layout.pods()}
    proxy = pods["database-proxy"]
    reaching = {name for name, pod in pods.items() if _lets_in(policies, proxy, pod, "mysql")}
    assert reaching == {"progress", "reconciler", "migrate"}
    assert not any(_lets_in(policies, proxy, pod, "metrics") for pod in pods.values())
    outside = {name: _outside(policies, pod) for name, pod in pods.items()}
    assert outside == {**OUTSIDE, "database-proxy": [*DATABASE, *NAMES]}


def test_only_servers_reach_a_collector_of_traces(with_components: Callable[..., Layout]) -> None:
    layout = with_components("traces")
    found = {pod.deployable: _outside(policies_of(layout), pod) for pod in layout.pods()}
    servers = {name: sorted([*OUTSIDE[name], *COLLECTOR]) for name in ("progress", "job-status")}
    assert found == {**OUTSIDE, **servers}


def test_components_add_no_policy_to_a_layout_without_policies(
    with_components: Callable[..., Layout],
) -> None:
    """A policy would deny all other traffic of its pods."""
    alone = ["kubernetes-jobs", "kubernetes-jobs-elsewhere", "database-proxy"]
    composed = (one.split()[1:] for one in COMPOSITIONS if "webhooks" not in one)  # not for this layout
    for components in (*composed, *([one] for one in alone)):
        assert with_components(*components, overlay="local").of_kind("NetworkPolicy") == []


def test_any_pod_of_the_namespace_may_report_and_watch(
    trusted_network: Layout, policies: list[Manifest]
) -> None:
    """Pods of labelled namespaces may, too."""
    (progress,) = (pod for pod in trusted_network.pods() if pod.deployable == "progress")
    stranger = Pod("Deployment/stranger", {}, {})
    assert _lets_in(policies, progress, stranger, "grpc")
    assert not _lets_in(policies, progress, stranger, "admin")
    others = values(_rules(policies, progress, "ingress"), "namespaceSelector")
    labels = sorted(key for one in others for key in one["matchLabels"])
    assert labels == ["batchprogress.dev/client", "batchprogress.dev/metrics"]


def test_policies_select_existing_pods_and_ports(trusted_network: Layout, policies: list[Manifest]) -> None:
    for policy in policies:
        selected = [pod for pod in trusted_network.pods() if _selects(policy["podSelector"], pod)]
        assert selected, policy
        for rule in policy.get("ingress", []):
            for port in rule["ports"]:
                for pod in selected:
                    assert port["port"] in {one["name"] for one in pod.container["ports"]}


def _outside(policies: list[Manifest], pod: Pod) -> list[str]:
    """Return the ports that a pod may reach at any address."""
    return sorted(
        str(port["port"])
        for rule in _rules(policies, pod, "egress")
        if not _peers(rule, "to")
        for port in rule["ports"]
    )


def _lets_in(policies: list[Manifest], server: Pod, client: Pod, port: str) -> bool:
    return any(
        port in {one["port"] for one in rule["ports"]}
        and any(_selects(one, client) for one in _peers(rule, "from"))
        for rule in _rules(policies, server, "ingress")
    )


def _lets_out(policies: list[Manifest], client: Pod, server: Pod, port: str) -> bool:
    return any(
        port in {one["port"] for one in rule["ports"]}
        and any(_selects(one, server) for one in _peers(rule, "to"))
        for rule in _rules(policies, client, "egress")
    )


def _rules(policies: list[Manifest], pod: Pod, direction: str) -> list[Manifest]:
    applying = (one for one in policies if _selects(one["podSelector"], pod))
    return [rule for one in applying for rule in one.get(direction, [])]


def _peers(rule: Manifest, side: str) -> list[Manifest]:
    """Return the selectors in a rule for pods of the same namespace."""
    return [
        peer["podSelector"]
        for peer in rule.get(side, [])
        if "podSelector" in peer and "namespaceSelector" not in peer
    ]


def _selects(selector: Manifest, pod: Pod) -> bool:
    equal = selector.get("matchLabels", {}).items() <= pod.labels.items()
    among = all(pod.labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", []))
    return equal and among


def test_prometheus_reaches_the_pods_that_its_operator_selects(trusted_network: Layout) -> None:
    """Both the monitor and the policy use the name of the port."""
    monitor = yaml.safe_load((ROOT / "observability/pod-monitor.yaml").read_text())["spec"]
    (endpoint,) = monitor["podMetricsEndpoints"]
    found = {
        pod.deployable
        for pod in trusted_network.pods()
        if _selects(monitor["selector"], pod)
        and endpoint["port"] in [one["name"] for one in pod.container.get("ports", [])]
    }
    scraped = {
        pod.deployable
        for pod in trusted_network.pods()
        for rule in _rules(policies_of(trusted_network), pod, "ingress")
        if {"batchprogress.dev/metrics": "true"} in list(values(rule, "matchLabels"))
        and [port["port"] for port in rule["ports"]] == ["metrics"]
    }
    assert found == scraped == {"gateway", "job-status", "progress"}
