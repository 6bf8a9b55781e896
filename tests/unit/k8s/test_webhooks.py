"""components/webhooks: notifiers beside the servers."""

from collections.abc import Callable
from ipaddress import ip_address, ip_network

import pytest

from services.notifier.addresses import is_public
from services.notifier.wiring import SERVICE
from tests.unit.k8s.layout import ROOT, Layout, Manifest, Pod, title

NAME = "notifier"


@pytest.fixture
def notified(with_components: Callable[..., Layout]) -> Layout:
    """Return overlays/secured with the component."""
    return with_components("webhooks", overlay="secured")


@pytest.fixture
def pod(notified: Layout) -> Pod:
    """Return the pod of the notifier."""
    (pod,) = (one for one in notified.pods() if one.deployable == NAME)
    return pod


def test_the_loss_of_one_notifier_is_survived(notified: Layout) -> None:
    spec, server = (notified.named("Deployment", name)["spec"] for name in (NAME, "job-status"))
    assert (spec["replicas"], spec["strategy"]) == (server["replicas"], server["strategy"])
    budget, other = (notified.named("PodDisruptionBudget", name)["spec"] for name in (NAME, "job-status"))
    assert {**budget, "selector": None} == {**other, "selector": None}
    keys = [
        [spread["topologyKey"] for spread in one["template"]["spec"]["topologySpreadConstraints"]]
        for one in (spec, server)
    ]
    assert keys[0] == keys[1]


def test_probes_use_the_admin_port(notified: Layout, pod: Pod) -> None:
    """Readiness checks the notifier by its name in health, the other probes only the process."""
    ports = {one["name"]: one["containerPort"] for one in pod.container["ports"]}
    assert ports.keys() == {"admin", "metrics"}
    settings = notified.settings()
    listening = {name: settings[f"NOTIFIER_{name.upper()}_LISTEN"] for name in ports}
    assert listening == {name: f"0.0.0.0:{number}" for name, number in ports.items()}
    probes = {"startupProbe": "liveness", "livenessProbe": "liveness", "readinessProbe": SERVICE}
    for probe, service in probes.items():
        assert pod.container[probe]["grpc"] == {"port": ports["admin"], "service": service}


def test_the_secret_has_the_file_of_subscriptions(pod: Pod) -> None:
    """As k8s/README.md creates it."""
    (volume,) = (one["secret"] for one in pod.spec["volumes"] if one["name"] == "webhooks")
    command = f"kubectl create secret generic {volume['secretName']} --from-file=subscriptions.toml "
    assert command in (ROOT / "k8s/README.md").read_text()


def test_notifiers_reach_https_at_public_addresses_alone(notified: Layout) -> None:
    """Only Prometheus reaches them, on the port of the metrics."""
    policy = notified.named("NetworkPolicy", NAME)["spec"]
    (rule,) = policy["ingress"]
    (peer,) = rule["from"]
    assert peer == {"namespaceSelector": {"matchLabels": {"batchprogress.dev/metrics": "true"}}}
    assert rule["ports"] == [{"port": "metrics", "protocol": "TCP"}]
    (rule,) = policy["egress"]
    assert rule["ports"] == [{"port": 443, "protocol": "TCP"}]


@pytest.mark.parametrize(
    "address",
    [
        *("93.184.216.34", "2606:2800:220::1"),
        *("10.1.2.3", "172.20.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "fd00::1", "fe80::1"),
    ],
)
def test_the_policy_agrees_with_the_check_of_addresses(notified: Layout, address: str) -> None:
    (rule,) = notified.named("NetworkPolicy", NAME)["spec"]["egress"]
    permitted = any(_is_in(peer["ipBlock"], address) for peer in rule["to"])
    assert permitted == is_public(address)


def test_notifiers_reach_the_database(notified: Layout, with_components: Callable[..., Layout]) -> None:
    """Also through the proxy, in either order of the components."""
    for layout in (
        notified,
        with_components("webhooks", "database-proxy"),
        with_components("database-proxy", "webhooks"),
    ):
        spec = layout.named("NetworkPolicy", "database")["spec"]
        assert NAME in spec["podSelector"]["matchExpressions"][0]["values"]
        for rule in spec.get("ingress", []):
            assert NAME in rule["from"][0]["podSelector"]["matchExpressions"][0]["values"]


def test_nothing_else_changes(notified: Layout, secured: Layout) -> None:
    """Except one setting, and the policy of the database."""

    def others(layout: Layout) -> list[str]:
        return [title(one) for one in layout.objects if not _is_mine(one)]

    assert others(notified) == others(secured)
    added = notified.settings().items() - secured.settings().items()
    assert {name for name, _ in added} == {"NOTIFIER_SUBSCRIPTIONS_FILE"}


def _is_in(block: Manifest, address: str) -> bool:
    found = ip_address(address)
    return found in ip_network(block["cidr"]) and not any(found in ip_network(one) for one in block["except"])


def _is_mine(manifest: Manifest) -> bool:
    return NAME in title(manifest) or manifest["kind"] == "ConfigMap"
