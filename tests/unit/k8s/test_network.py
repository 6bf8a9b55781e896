"""Who may talk to whom in production, read from its policies as a network plugin does."""

from collections.abc import Callable

import pytest
import yaml

from tests.unit.k8s.layout import COMPOSITIONS, ROOT, Layout, Manifest, Pod, values

CONNECTIONS = {("reconciler", "job-status", "grpc"), ("dashboard", "progress", "grpc")}
"""What our pods may open into each other."""

DATABASE = ["3306"]
NAMES = ["53", "53"]
"""By UDP and by TCP."""
OUTSIDE = {
    "dashboard": NAMES,
    "job-status": [*DATABASE, *NAMES],
    "migrate": [*DATABASE, *NAMES],
    "progress": [*DATABASE, *NAMES],
    "reconciler": [*DATABASE, *NAMES],
}
"""The ports that each may reach elsewhere."""

QUEUES = {
    "rq": ["6379"],
    "celery-in-redis": ["6379"],
    "celery-in-database": ["3306"],
    "queue-in-postgresql": ["5432"],
    "kubernetes-jobs": ["443", "6443"],
    "kubernetes-jobs-elsewhere": ["443", "6443"],
}
"""The ports of the queue instead, by component."""
COLLECTOR = ["4317"]


@pytest.fixture
def policies(production: Layout) -> list[Manifest]:
    """Return the specs of all policies."""
    return policies_of(production)


def policies_of(layout: Layout) -> list[Manifest]:
    """Return the specs of all policies of a layout."""
    return [one["spec"] for one in layout.of_kind("NetworkPolicy")]


def test_denied_by_default(production: Layout) -> None:
    """One policy takes every pod of ours and allows nothing, in both directions."""
    spec = production.named("NetworkPolicy", "default-deny")["spec"]
    assert all(_selects(spec["podSelector"], pod) for pod in production.pods())
    assert spec.keys() == {"podSelector", "policyTypes"}
    assert spec["policyTypes"] == ["Ingress", "Egress"]


def test_among_our_pods(production: Layout, policies: list[Manifest]) -> None:
    """Of our own pods each reaches what it calls and no other, and none a port of the admin."""
    found = {
        (client.deployable, server.deployable, port["name"])
        for client in production.pods()
        for server in production.pods()
        for port in server.container.get("ports", [])
        if _lets_out(policies, client, server, port["name"])
        and _lets_in(policies, server, client, port["name"])
    }
    assert found == CONNECTIONS


def test_outside(production: Layout, policies: list[Manifest]) -> None:
    """Every pod reaches the names, and a database and a queue if it has one; nothing else outside."""
    assert {pod.deployable: _outside(policies, pod) for pod in production.pods()} == OUTSIDE


@pytest.mark.parametrize("component", QUEUES)
def test_queue(component: str, with_components: Callable[..., Layout]) -> None:
    """With another queue job-status reaches that one's port instead of MySQL's; nothing else changes."""
    layout = with_components(component)
    found = {pod.deployable: _outside(policies_of(layout), pod) for pod in layout.pods()}
    assert found == {**OUTSIDE, "job-status": sorted([*QUEUES[component], *NAMES])}


def test_traces(with_components: Callable[..., Layout]) -> None:
    """With traces the servers, and only they, reach a collector besides."""
    layout = with_components("traces")
    found = {pod.deployable: _outside(policies_of(layout), pod) for pod in layout.pods()}
    servers = {name: sorted([*OUTSIDE[name], *COLLECTOR]) for name in ("progress", "job-status")}
    assert found == {**OUTSIDE, **servers}


def test_no_policies_without_a_default(with_components: Callable[..., Layout]) -> None:
    """No component brings a policy to a layout that has none: it would cut its pods off from all else."""
    kubernetes = ["production kubernetes-jobs", "production kubernetes-jobs-elsewhere"]
    for components in (one.split()[1:] for one in (*COMPOSITIONS, *kubernetes)):
        assert with_components(*components, overlay="local").of_kind("NetworkPolicy") == []


def test_workers(production: Layout, policies: list[Manifest]) -> None:
    """Any pod of this namespace, and of those that are labelled for it, may report and watch."""
    (progress,) = (pod for pod in production.pods() if pod.deployable == "progress")
    stranger = Pod("Deployment/stranger", {}, {})
    assert _lets_in(policies, progress, stranger, "grpc")
    assert not _lets_in(policies, progress, stranger, "admin")
    others = values(_rules(policies, progress, "ingress"), "namespaceSelector")
    labels = sorted(key for one in others for key in one["matchLabels"])
    assert labels == ["batchprogress.dev/client", "batchprogress.dev/metrics"]


def test_names_lead_to_pods(production: Layout, policies: list[Manifest]) -> None:
    """Every policy takes a pod of ours, and a port that is named is one of the pod behind it."""
    for policy in policies:
        taken = [pod for pod in production.pods() if _selects(policy["podSelector"], pod)]
        assert taken, policy
        for rule in policy.get("ingress", []):
            for port in rule["ports"]:
                for pod in taken:
                    assert port["port"] in {one["name"] for one in pod.container["ports"]}


def _outside(policies: list[Manifest], pod: Pod) -> list[str]:
    """Return the ports that a pod may reach anywhere."""
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
    taking = (one for one in policies if _selects(one["podSelector"], pod))
    return [rule for one in taking for rule in one.get(direction, [])]


def _peers(rule: Manifest, side: str) -> list[Manifest]:
    """Return the selectors of pods of this namespace on the other side of a rule."""
    return [
        peer["podSelector"]
        for peer in rule.get(side, [])
        if "podSelector" in peer and "namespaceSelector" not in peer
    ]


def _selects(selector: Manifest, pod: Pod) -> bool:
    equal = selector.get("matchLabels", {}).items() <= pod.labels.items()
    among = all(pod.labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", []))
    return equal and among


def test_metrics_are_found(production: Layout) -> None:
    """What the Prometheus operator selects are the pods whose policy lets it in, by the port's name."""
    monitor = yaml.safe_load((ROOT / "observability/pod-monitor.yaml").read_text())["spec"]
    (endpoint,) = monitor["podMetricsEndpoints"]
    found = {
        pod.deployable
        for pod in production.pods()
        if _selects(monitor["selector"], pod)
        and endpoint["port"] in [one["name"] for one in pod.container.get("ports", [])]
    }
    policy = production.named("NetworkPolicy", "observability")["spec"]
    assert found == {pod.deployable for pod in production.pods() if _selects(policy["podSelector"], pod)}
