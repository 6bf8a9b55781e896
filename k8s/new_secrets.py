"""python -m k8s.new_secrets: create the Secrets that overlays/secured needs, except those that exist."""

import argparse
import base64
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from k8s.kubectl import KubectlFailed, kubectl, read
from k8s.manifests import name_of
from k8s.missing_secrets import (
    Incomplete,
    NewSecret,
    missing_certificates,
    missing_keys,
    missing_tokens,
    names,
)

HELP = """\
Create the Secrets of overlays/secured in kubectl's current namespace: an authority and the certificates of
our pods, the tokens of our pods, of workers and of enqueuers, the key of watch tokens, and the URLs of the
databases. What exists is kept, including what cert-manager has issued, so that the command can be run again
at any time. To get a new Secret, delete the old one and run the command.
"""
URLS = {"batchprogress-database": "database_url_file", "batchprogress-queue": "queue_url_file"}
"""The Secrets with URLs, and the options that name the files."""
UNUSED = "that of the database is not used by overlays/local, that of the queue not if it is Kubernetes"


def create(urls: dict[str, Path]) -> None:
    """Create all Secrets that are missing.

    Args:
        urls: files with URLs, by the names of the Secrets.

    Raises:
        Incomplete: a missing Secret would have to fit others that exist.
        KubectlFailed: kubectl or the API server refuses something.
        OSError: a file cannot be read.

    """
    namespace = kubectl(
        *("create", "configmap", "any", "--dry-run=server", "--output=jsonpath={.metadata.namespace}")
    )
    known = [*URLS, *names()]
    existing = {
        name_of(one): {key: base64.b64decode(value) for key, value in one.get("data", {}).items()}
        for one in read("get", "secret", *known, "--ignore-not-found")
    }
    new = [
        *(NewSecret(name, {"url": file.read_bytes()}) for name, file in urls.items() if name not in existing),
        *missing_certificates(existing, namespace),
        *missing_tokens(existing),
        *missing_keys(existing),
    ]
    for name in sorted(existing):
        print(f"kept {name}")
    for secret in new:
        kubectl("create", "-f", "-", stdin=_manifest(secret))
        print(f"created {secret.name}")
    for name in sorted(URLS.keys() - existing.keys() - urls.keys()):
        option = f"--{URLS[name].replace('_', '-')}"
        print(f"MISSING {name}: give {option}, unless you do not need it ({UNUSED})")


def main(arguments: Sequence[str] | None = None) -> int:
    """Create the Secrets; return the exit code."""
    parser = argparse.ArgumentParser("python -m k8s.new_secrets", description=HELP)
    for name, option in URLS.items():
        parser.add_argument(
            f"--{option.replace('_', '-')}",
            type=Path,
            metavar="FILE",
            help=f"the file with the URL for {name}; not read if that exists",
        )
    given = vars(parser.parse_args(arguments))
    try:
        create({name: given[option] for name, option in URLS.items() if given[option]})
    except (Incomplete, KubectlFailed, OSError, ValueError) as error:
        print(f"NOT CREATED: {error}.", file=sys.stderr)
        return 1
    return 0


def _manifest(secret: NewSecret) -> str:
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": secret.name, "labels": {"app.kubernetes.io/part-of": "batchprogress"}},
            "type": secret.type,
            "data": {key: base64.b64encode(value).decode() for key, value in secret.data.items()},
        }
    )


if __name__ == "__main__":
    sys.exit(main())
