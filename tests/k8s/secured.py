"""Production with the component `secured`: Secrets as in the README, pods as local processes."""

import asyncio
from pathlib import Path

from database_servers.ports import free_port
from rpc.callers.principal import Role
from rpc.callers.token_file import entry_text, new_token
from tests.k8s.cluster import Namespace
from tests.k8s.pod_process import start_container
from tests.k8s.stand_in import SCHEDULED_BY_TESTS
from tests.support.certificates import Authority
from tests.unit.k8s.layout import Manifest, write_kustomization

ROLES = {
    "worker": Role.WORKER,
    "enqueuer": Role.OPERATOR,
    "dashboard": Role.READER,
    "reconciler": Role.READER,
}
"""The holders of tokens and their roles."""


class Installed:
    """Production with the component in a namespace; its programs use free ports of this machine."""

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self.namespace = namespace
        self.folder = folder
        self.ports = {name: free_port() for name in ("progress", "job-status", "dashboard")}
        self.admin_ports = {name: free_port() for name in ("progress", "job-status")}
        self.tokens = {name: new_token() for name in ROLES}
        self._authority = Authority("batchprogress")
        self.ca = folder / "ca.crt"
        self.ca.write_bytes(self._authority.certificate)

    def apply(self, urls: dict[str, str]) -> None:
        """Create all Secrets as in the README, and apply the layout."""
        for secret, url in urls.items():
            self.namespace.put_secret(secret, url=url)
        for name in ("progress", "job-status", "reconciler", "dashboard"):
            pair = self._authority.sign(name)
            content = {
                "tls.crt": pair.certificate,
                "tls.key": pair.key,
                "ca.crt": self._authority.certificate,
            }
            self.namespace.put_secret(f"{name}-tls", **{key: one.decode() for key, one in content.items()})
        entries = {name: entry_text(name, token, [ROLES[name]], "") for name, token in self.tokens.items()}
        known = [entries[name] for name in ("worker", "enqueuer", "dashboard")]
        self.namespace.put_secret("progress-tokens", tokens="\n".join(known))
        self.namespace.put_secret("job-status-tokens", tokens=entries["reconciler"])
        for name in ("dashboard", "reconciler"):
            self.namespace.put_secret(f"{name}-token", token=self.tokens[name])
        settings = {"name": "batchprogress-settings", "behavior": "merge", "literals": self._literals()}
        mine = self.folder / "mine"
        mine.mkdir()
        components = ["components/secured"]
        self.namespace.apply(
            write_kustomization(
                mine,
                "overlays/trusted-network",
                components=components,
                configMapGenerator=[settings],
                patches=SCHEDULED_BY_TESTS,
            )
        )

    async def start(self, pod: Manifest) -> asyncio.subprocess.Process:
        """Start a pod's container as a process."""
        return await start_container(self.namespace, pod, self.folder / pod["metadata"]["name"])

    def target(self, name: str) -> str:
        """Return the address of a server."""
        return f"127.0.0.1:{self.ports[name]}"

    def _literals(self) -> list[str]:
        prefixes = {"progress": "PROGRESS", "job-status": "JOB_STATUS"}
        return [
            *(f"{prefix}_LISTEN={self.target(name)}" for name, prefix in prefixes.items()),
            *(
                f"{prefix}_ADMIN_LISTEN=127.0.0.1:{self.admin_ports[name]}"
                for name, prefix in prefixes.items()
            ),
            *(f"{prefix}_METRICS_LISTEN=127.0.0.1:0" for prefix in prefixes.values()),
            f"DASHBOARD_LISTEN={self.target('dashboard')}",
            f"DASHBOARD_PROGRESS_TARGET={self.target('progress')}",
            f"RECONCILER_JOB_STATUS_TARGET={self.target('job-status')}",
            "RECONCILER_STUCK_AFTER=0",
        ]
