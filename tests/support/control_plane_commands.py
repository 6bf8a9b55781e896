"""The commands of a private control plane, which listens on loopback and keeps no data."""

from pathlib import Path

from database_servers.ports import free_port

CONTROLLERS = (
    *("cronjob-controller", "job-controller", "ttl-after-finished-controller"),
    *("deployment-controller", "replicaset-controller", "horizontal-pod-autoscaler-controller"),
    *("serviceaccount-controller", "namespace-controller", "garbage-collector-controller"),
)
"""The controllers that our objects need; every other one only costs memory."""


def etcd_command(assets: Path, port: int) -> list[str]:
    """Return the command of the store; its data is in the working directory."""
    peer = f"http://127.0.0.1:{free_port()}"
    client = f"http://127.0.0.1:{port}"
    return [
        str(assets / "etcd"),
        "--data-dir=data",
        "--unsafe-no-fsync",  # the data is temporary
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
    ]


def api_server_command(assets: Path, folder: Path, etcd_port: int, port: int) -> list[str]:
    """Return the command of the API server; the admission plugin PodSecurity is enabled by default."""
    return [
        str(assets / "kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        "--bind-address=127.0.0.1",
        # The address behind the Service `kubernetes`, which may not be a loopback address.
        "--advertise-address=10.0.0.1",
        "--endpoint-reconciler-type=none",
        f"--secure-port={port}",
        f"--cert-dir={folder}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'service-accounts.key'}",
        f"--service-account-signing-key-file={folder / 'service-accounts.key'}",
    ]


def controllers_command(assets: Path, kubeconfig: Path, key: Path) -> list[str]:
    """Return the command of the controllers; they sign the tokens of service accounts with `key`."""
    return [
        str(assets / "kube-controller-manager"),
        f"--kubeconfig={kubeconfig}",
        f"--service-account-private-key-file={key}",
        f"--controllers={','.join(CONTROLLERS)}",
        "--bind-address=127.0.0.1",
        f"--secure-port={free_port()}",
        f"--cert-dir={kubeconfig.parent / 'controllers'}",
        "--leader-elect=false",
        # With the default of 20 requests per second a Job with 1,037 indexes takes two minutes.
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
    ]
