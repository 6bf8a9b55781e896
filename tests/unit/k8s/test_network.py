"""Who may talk to whom in production, read from its policies as a network plugin does."""

import pytest

from tests.unit.k8s.layout import Layout, Manifest, Pod

CONNECTIONS = {
    ("reconciler", "job-status", "grpc"),
    # Workers and watchers may run in this namespace; so may the dashboard.
    *((client, "progress", "grpc") for client in ("progress", "job-status", "reconciler", "migrate")),
}
"""What the pods of one namespace may open into each other, as far as ingress says."""


@pytest.fixture
def policies(production: Layout) -> list[Manifest]:
    """Return the specs of all policies."""
    return [one["spec"] for one in production.of_kind("NetworkPolicy")]


def test_denied_by_default(production: Layout) -> None:
    """One policy takes every pod of ours and allows nothing, in both directions."""
    spec = production.named("NetworkPolicy", "default-deny")["spec"]
    assert all(_selects(spec["podSelector"], pod) for pod in production.pods())
    assert spec.keys() == {"podSelector", "policyTypes"}
    assert spec["policyTypes"] == ["Ingress", "Egress"]


def test_who_may_come_in(production: Layout, policies: list[Manifest]) -> None:
    """Only workers, watchers and the reconciler reach a port of ours, and never a port of the admin."""
    found = {
        (client.deployable, server.deployable, port["name"])
        for client in production.pods()
        for server in production.pods()
        for port in server.container.get("ports", [])
        if any(_lets_in(policy, client, server, port["name"]) for policy in policies)
    }
    assert found == CONNECTIONS


def test_who_may_go_out(production: Layout, policies: list[Manifest]) -> None:
    """Every pod reaches the names and its database; of our own servers only the reconciler reaches one."""
    for pod in production.pods():
        taking = [one for one in policies if _selects(one["podSelector"], pod)]
        rules = [rule for one in taking for rule in one.get("egress", [])]
        ports = sorted(str(port["port"]) for rule in rules for port in rule["ports"])
        expected = ["3306", "53", "53"] + ["grpc"] * (pod.deployable == "reconciler")
        assert ports == expected, pod.owner


def test_names_lead_to_pods(production: Layout, policies: list[Manifest]) -> None:
    """Every policy takes a pod of ours, and a port that is named is one of the pod behind it."""
    for policy in policies:
        taken = [pod for pod in production.pods() if _selects(policy["podSelector"], pod)]
        assert taken, policy
        for rule in policy.get("ingress", []):
            for port in rule["ports"]:
                for pod in taken:
                    assert port["port"] in {one["name"] for one in pod.container["ports"]}


def _lets_in(policy: Manifest, client: Pod, server: Pod, port: str) -> bool:
    if not _selects(policy["podSelector"], server):
        return False
    return any(
        port in {one["port"] for one in rule["ports"]}
        and any("podSelector" in peer and _selects(peer["podSelector"], client) for peer in rule["from"])
        for rule in policy.get("ingress", [])
    )


def _selects(selector: Manifest, pod: Pod) -> bool:
    equal = selector.get("matchLabels", {}).items() <= pod.labels.items()
    among = all(pod.labels[one["key"]] in one["values"] for one in selector.get("matchExpressions", []))
    return equal and among
