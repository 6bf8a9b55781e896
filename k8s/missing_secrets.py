"""Decides which Secrets of overlays/secured are missing, and makes their content. Nothing here does I/O."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from k8s.authority import Authority, Pair
from rpc.callers.principal import Role
from rpc.callers.token_file import entry_text, new_token

AUTHORITY = "batchprogress-ca"
"""The name that components/secured/certificates.yaml gives it, too."""
SERVERS = ("progress", "job-status", "gateway")
CLIENTS = ("reconciler", "dashboard")
ROLES: dict[str, tuple[Role, ...]] = {
    "worker": (Role.WORKER,),
    "enqueuer": (Role.OPERATOR, Role.READER),
    "dashboard": (Role.READER,),
    "reconciler": (Role.READER,),
}
"""The holders of tokens, and what they may do."""
HOLDERS = {"progress": ("worker", "enqueuer", "dashboard"), "job-status": ("reconciler",)}
"""For each server, whose tokens it accepts."""
WATCH_TOKEN_KEY = "progress-watch-token-key"  # noqa: S105  # the name of its Secret
WATCH_TOKEN_KEY_BYTES = 32
"""As many random bytes as the signature of a watch token has."""

Secrets = Mapping[str, Mapping[str, bytes]]
"""The content of Secrets by their names."""


class Incomplete(Exception):
    """A missing Secret would have to fit others that exist; the text says which and what to do."""


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A Secret to create."""

    name: str
    data: dict[str, bytes]
    type: str = "Opaque"


def names() -> list[str]:
    """Return the names of all Secrets that this module knows."""
    pairs = [f"{name}-tls" for name in (*SERVERS, *CLIENTS)]
    tokens = [*(f"{one}-token" for one in ROLES), *(f"{one}-tokens" for one in HOLDERS)]
    return [AUTHORITY, *pairs, *tokens, WATCH_TOKEN_KEY]


def missing_certificates(existing: Secrets, namespace: str) -> Iterator[NewSecret]:
    """Yield the certificates that are missing, signed by the authority, which may be new.

    Raises:
        Incomplete: some exist, but not the authority that could sign the others.

    """
    missing = [name for name in (*SERVERS, *CLIENTS) if f"{name}-tls" not in existing]
    if not missing:
        return
    if found := existing.get(AUTHORITY):
        authority = Authority(Pair(found["tls.crt"], found["tls.key"]))
    elif len(missing) < len(SERVERS + CLIENTS):
        raise Incomplete(
            f"{', '.join(f'{name}-tls' for name in missing)}: missing, and so is {AUTHORITY}, which could"
            " sign them. Issue them with the authority that signed the other certificates"
        )
    else:
        authority = Authority.new()
        yield _of_pair(AUTHORITY, authority.pair, {})
    for name in missing:
        pair = authority.sign(name, _hosts(name, namespace), is_server=name in SERVERS)
        yield _of_pair(f"{name}-tls", pair, {"ca.crt": authority.pair.certificate})


def missing_tokens(existing: Secrets) -> Iterator[NewSecret]:
    """Yield the tokens that are missing, and the servers' files of their hashes.

    A file of hashes comes after its tokens: whoever is interrupted can begin again.

    Raises:
        Incomplete: a server's file exists, but not the token of a pod of ours that it should accept.

    """
    for server, holders in HOLDERS.items():
        lacking = [f"{one}-token" for one in holders if f"{one}-token" not in existing]
        if f"{server}-tokens" in existing:
            if ours := [name for name in lacking if name.removesuffix("-token") in CLIENTS]:
                raise Incomplete(
                    f"{', '.join(ours)}: missing, and {server}-tokens, which exists, has only hashes. Add a"
                    f" token with `python -m rpc.new_token`, or delete {server}-tokens to have it made again"
                )
            continue
        entries = []
        for holder in holders:
            name = f"{holder}-token"
            token = new_token() if name in lacking else existing[name]["token"].decode().strip()
            if name in lacking:
                yield NewSecret(name, {"token": token.encode()})
            entries.append(entry_text(holder, token, ROLES[holder]))
        yield NewSecret(f"{server}-tokens", {"tokens": "\n".join(entries).encode()})


def missing_keys(existing: Secrets) -> Iterator[NewSecret]:
    """Yield the key that signs watch tokens, if it is missing."""
    if WATCH_TOKEN_KEY not in existing:
        key = secrets.token_hex(WATCH_TOKEN_KEY_BYTES)
        yield NewSecret(WATCH_TOKEN_KEY, {"keys": f"{key}\n".encode()})


def _of_pair(name: str, pair: Pair, more: dict[str, bytes]) -> NewSecret:
    data = {"tls.crt": pair.certificate, "tls.key": pair.key, **more}
    return NewSecret(name, data, "kubernetes.io/tls")


def _hosts(name: str, namespace: str) -> list[str]:
    """Return the names under which a pod is called, from this namespace, others, and by port-forward."""
    if name not in SERVERS:
        return [name]
    service = f"{name}.{namespace}"
    return [name, service, f"{service}.svc", f"{service}.svc.cluster.local", "localhost"]
