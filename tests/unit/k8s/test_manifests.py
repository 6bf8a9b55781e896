"""What every object of every layout keeps: schemas, enums, names and references."""

import functools
import re
import tomllib
from collections.abc import Iterator

import kubernetes_validate
import pytest
import yaml

from tests.unit.k8s.layout import ROOT, Layout, Manifest, title, values

OLDEST_KUBERNETES = "1.31"
"""The first where podFailurePolicy is stable; the sleep of preStop is on by default there."""

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
"""The values we use. Schemas call these plain strings, so a typo in one passes them."""

CERTIFICATES = ROOT / "k8s/components/secured/certificates.yaml"
CERTIFICATE_KEYS = ("tls.crt", "tls.key", "ca.crt")
"""What cert-manager puts into the Secret of a certificate."""

PROVIDED_KINDS = ("ConfigMap", "ServiceAccount", "PersistentVolumeClaim")
"""What a pod refers to and the layout must hold."""


schema_contents = functools.cache(kubernetes_validate.utils.schema_contents)
"""The library reads all definitions, several MB, for every object."""


@pytest.mark.parametrize("version", [OLDEST_KUBERNETES, kubernetes_validate.latest_version()])
def test_schema(layout: Layout, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every object fits the strict schema of the oldest and of the newest Kubernetes."""
    monkeypatch.setattr(kubernetes_validate.utils, "schema_contents", schema_contents)
    for manifest in layout.objects:
        kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("key", ENUMS)
def test_enums(layout: Layout, key: str) -> None:
    """Every enum holds a value that Kubernetes knows and that we mean."""
    found = (tuple(value) if isinstance(value, list) else value for value in values(layout.objects, key))
    assert ENUMS[key].issuperset(found)


def test_names_are_unique(layout: Layout) -> None:
    """No two objects of a kind share a name."""
    titles = [title(manifest) for manifest in layout.objects]
    assert len(titles) == len(set(titles))


def test_namespace_is_free(layout: Layout) -> None:
    """No object names a namespace: whoever applies them chooses it."""
    assert [title(manifest) for manifest in layout.objects if "namespace" in manifest["metadata"]] == []


def test_images(layout: Layout) -> None:
    """Every container runs the one image in the version of this checkout, never `latest`."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {pod.container["image"] for pod in layout.pods()} == {f"batchprogress:{version}"}


@pytest.mark.parametrize("kind", ["Deployment", "Service", "PodDisruptionBudget"])
def test_selectors(layout: Layout, kind: str) -> None:
    """A Deployment, a Service or a budget selects the pods of its own name and no others."""
    for manifest in layout.of_kind(kind):
        selector = manifest["spec"]["selector"]
        labels = selector.get("matchLabels", selector)
        selected = [pod.owner for pod in layout.pods() if labels.items() <= pod.labels.items()]
        assert selected == [f"Deployment/{manifest['metadata']['name']}"]


def test_service_ports(layout: Layout) -> None:
    """A Service leads to its pod's port for callers only, under the same number: a headless one maps none."""
    for service in layout.of_kind("Service"):
        (pod,) = (one for one in layout.pods() if one.deployable == service["metadata"]["name"])
        ports = {port["name"]: port["containerPort"] for port in pod.container["ports"]}
        for_callers = {name: number for name, number in ports.items() if name in {"grpc", "http"}}
        assert {port["targetPort"]: port["port"] for port in service["spec"]["ports"]} == for_callers


def test_references(layout: Layout) -> None:
    """What a pod refers to exists: objects and their keys in the layout, Secrets in the README."""
    provided = {*_documented_secrets(), *_objects(layout)}
    for pod in layout.pods():
        assert set(_references(pod.spec)) - provided == set(), pod.owner


def test_nothing_is_left_over(layout: Layout) -> None:
    """Every ConfigMap, account and claim of the layout is used by a pod."""
    used = {reference for pod in layout.pods() for reference in _references(pod.spec)}
    assert set(_objects(layout)) - used == set()


def test_no_secret_is_kept_here(layout: Layout) -> None:
    """Secrets are referred to, never contained, and no setting holds a password."""
    assert layout.of_kind("Secret") == []
    assert [name for name, value in layout.settings().items() if re.search("://[^/]*@", value)] == []


def _references(spec: Manifest) -> Iterator[str]:
    yield f"ServiceAccount/{spec['serviceAccountName']}"
    yield from (f"ConfigMap/{one['name']}" for one in values(spec, "configMapRef"))
    yield from (f"PersistentVolumeClaim/{one['claimName']}" for one in values(spec, "persistentVolumeClaim"))
    for secret in values(spec, "secret"):
        yield from (f"Secret/{secret['secretName']}/{item['key']}" for item in secret["items"])


def _objects(layout: Layout) -> Iterator[str]:
    return (title(manifest) for kind in PROVIDED_KINDS for manifest in layout.of_kind(kind))


def _documented_secrets() -> Iterator[str]:
    """Yield name and key of every Secret that the README shows how to create, or cert-manager to make."""
    readme = (ROOT / "k8s" / "README.md").read_text()
    for name, key in re.findall(r"kubectl create secret generic ([\w-]+) --from-file=(\w+)=", readme):
        yield f"Secret/{name}/{key}"
    for manifest in yaml.safe_load_all(CERTIFICATES.read_text()):
        if manifest["kind"] == "Certificate":
            yield from (f"Secret/{manifest['spec']['secretName']}/{key}" for key in CERTIFICATE_KEYS)
