"""The commands for an upgrade in the README."""

import re
import shlex

import pytest

from tests.k8s.cluster import Namespace, eventually
from tests.unit.k8s.layout import ROOT

pytestmark = [pytest.mark.xdist_group("kubernetes"), pytest.mark.usefixtures("controllers")]

BY_NODES = "rollout"
"""The command that needs nodes: without them pods never become ready."""


def commands() -> list[list[str]]:
    """Return the arguments of each kubectl command in the README's first block about upgrades."""
    readme = (ROOT / "k8s/README.md").read_text().partition("## Upgrade and rollback")[2]
    block = re.search(r"```sh\n(.*?)```", readme, re.DOTALL)
    assert block is not None
    return [shlex.split(line)[1:] for line in block[1].splitlines()]


def test_upgrade_runs_a_new_migration_before_the_servers(namespace: Namespace) -> None:
    """On top of a running installation."""
    namespace.apply(str(ROOT / "k8s/overlays/trusted-network"))
    before = namespace.get("job", "migrate")["metadata"]["uid"]
    for arguments in commands():
        if arguments[0] == "wait":
            assert namespace.get("job", "migrate")["metadata"]["uid"] != before
            (pod,) = eventually(lambda: namespace.pods_of("migrate"))
            assert pod["spec"]["containers"][0]["args"] == ["batches", "upgrade"]
            namespace.end_pod(pod, 0)
        if arguments[0] != BY_NODES:
            namespace.kubectl(*(f"{ROOT}/{one}" if one.startswith("k8s/") else one for one in arguments))
    assert namespace.get("job", "migrate")["status"]["succeeded"] == 1
