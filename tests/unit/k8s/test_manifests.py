"""The rules for every object of every layout: schemas, enums, names and references."""

import functools
import re
import tomllib
from collections.abc import Iterator

import kubernetes_validate
import pytest
import yaml

from k8s.missing_secrets import missing_certificates, missing_keys, missing_tokens
from k8s.new_secrets import URLS
from tests.unit.k8s.layout import ROOT, Layout, Manifest, title, values

OLDEST_KUBERNETES = "1.31"
"""The first version in which podFailurePolicy is stable, and the sleep of preStop is enabled by default."""

ENUMS: dict[str, set[object]] = {
    "accessModes": {("ReadWriteOnce",)},
    "action": {"FailJob", "Ignore"},
    "clusterIP": {"None"},
    "concurrencyPolicy": {"Forbid"},
    "imagePullPolicy": {"IfNotPresent"},
    "fieldPath": {"metadata.namespace"},
    "operator": {"In"},
    "policyTypes": {("Ingress",), ("Egress",), ("Ingress", "Egress")},
    "protocol": {"TCP", "UDP"},
    "restartPolicy": {"Never"},
    "terminationMessagePolicy": {"FallbackToLogsOnError"},
    "topologyKey": {"kubernetes.io/hostname", "topology.kubernetes.io/zone"},
    "type": {
        *("RuntimeDefault", "DisruptionTarget", "Recreate", "RollingUpdate"),
        *("AverageValue", "Pods", "Resource"),
    },
    "unhealthyPodEvictionPolicy": {"AlwaysAllow"},
    "whenUnsatisfiable": {"ScheduleAnyway"},
}
"""The values that we use. The schemas accept any string here, and therefore typos."""

CERTIFICATES = ROOT / "k8s/components/secured/certificates.yaml"
CERTIFICATE_KEYS = ("tls.crt", "tls.key", "ca.crt")
"""The keys that cert-manager writes into the Secret of a certificate."""

WEBHOOKS = "batchprogress-webhooks"
"""The Secret whose keys the user chooses; k8s/README.md says how to create it."""

PROVIDED_KINDS = ("ConfigMap", "ServiceAccount", "PersistentVolumeClaim")
"""The kinds that a layout must contain if a pod refers to them."""


schema_contents = functools.cache(kubernetes_validate.utils.schema_contents)
"""The library reads all definitions, several MB, for every object."""


@pytest.mark.parametrize("version", [OLDEST_KUBERNETES, kubernetes_validate.latest_version()])
def test_schema(layout: Layout, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every object fits the strict schema of the oldest and of the newest Kubernetes."""
    monkeypatch.setattr(kubernetes_validate.utils, "schema_contents", schema_contents)
    for manifest in layout.objects:
        kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("key", ENUMS)
def test_enums_have_a_known_value(layout: Layout, key: str) -> None:
    found = (tuple(value) if isinstance(value, list) else value for value in values(layout.objects, key))
    assert ENUMS[key].issuperset(found)


def test_names_are_unique(layout: Layout) -> None:
    """Among the objects of a kind."""
    titles = [title(manifest) for manifest in layout.objects]
    assert len(titles) == len(set(titles))


def test_no_object_sets_a_namespace(layout: Layout) -> None:
    """The user chooses it when applying them."""
    assert [title(manifest) for manifest in layout.objects if "namespace" in manifest["metadata"]] == []


def test_image_has_the_version_of_the_checkout(layout: Layout) -> None:
    """It is never `latest`."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {pod.container["image"] for pod in layout.pods()} == {f"batchprogress:{version}"}


@pytest.mark.parametrize("kind", ["Deployment", "Service", "PodDisruptionBudget"])
def test_selector_selects_only_pods_of_the_same_name(layout: Layout, kind: str) -> None:
    for manifest in layout.of_kind(kind):
        selector = manifest["spec"]["selector"]
        labels = selector.get("matchLabels", selector)
        selected = [pod.owner for pod in layout.pods() if labels.items() <= pod.labels.items()]
        assert selected == [f"Deployment/{manifest['metadata']['name']}"]


def test_service_exposes_only_the_port_for_callers(layout: Layout) -> None:
    """The port has the same number, because a headless Service does not map ports."""
    for service in layout.of_kind("Service"):
        (pod,) = (one for one in layout.pods() if one.deployable == service["metadata"]["name"])
        ports = {port["name"]: port["containerPort"] for port in pod.container["ports"]}
        for_callers = {name: number for name, number in ports.items() if name in {"grpc", "http"}}
        assert {port["targetPort"]: port["port"] for port in service["spec"]["ports"]} == for_callers


def test_references_of_pods_exist(layout: Layout) -> None:
    """Objects are in the layout, and `make secrets` creates the Secrets."""
    provided = {*_documented_secrets(), *_objects(layout)}
    for pod in layout.pods():
        assert set(_references(pod.spec)) - provided == set(), pod.owner


def test_every_object_that_pods_can_use_is_used(layout: Layout) -> None:
    """ConfigMaps, service accounts and claims."""
    used = {reference for pod in layout.pods() for reference in _references(pod.spec)}
    assert set(_objects(layout)) - used == set()


def test_layouts_contain_no_secret(layout: Layout) -> None:
    """No setting contains a password either."""
    assert layout.of_kind("Secret") == []
    assert [name for name, value in layout.settings().items() if re.search("://[^/]*@", value)] == []


def _references(spec: Manifest) -> Iterator[str]:
    yield f"ServiceAccount/{spec['serviceAccountName']}"
    yield from (f"ConfigMap/{one['name']}" for one in values(spec, "configMapRef"))
    yield from (f"PersistentVolumeClaim/{one['claimName']}" for one in values(spec, "persistentVolumeClaim"))
    for secret in values(spec, "secret"):
        keys = (f"/{item['key']}" for item in secret["items"]) if "items" in secret else ("",)
        yield from (f"Secret/{secret['secretName']}{key}" for key in keys)


def _objects(layout: Layout) -> Iterator[str]:
    return (title(manifest) for kind in PROVIDED_KINDS for manifest in layout.of_kind(kind))


def _documented_secrets() -> Iterator[str]:
    """Yield the name and keys of every Secret that `make secrets`, cert-manager or the user creates."""
    yield f"Secret/{WEBHOOKS}"
    yield from (f"Secret/{name}/url" for name in URLS)
    for secret in (*missing_certificates({}, "batchprogress"), *missing_tokens({}), *missing_keys({})):
        yield from (f"Secret/{secret.name}/{key}" for key in secret.data)
    for manifest in yaml.safe_load_all(CERTIFICATES.read_text()):
        if manifest["kind"] == "Certificate":
            yield from (f"Secret/{manifest['spec']['secretName']}/{key}" for key in CERTIFICATE_KEYS)
