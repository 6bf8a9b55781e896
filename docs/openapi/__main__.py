"""Generates from the protos what describes them to HTTP: `python -m docs.openapi`.

That is the gateway's OpenAPI document, and the descriptors for Envoy's transcoder. With --check nothing is
written, and the exit code is 1 if one is out of date.
"""

import sys
from typing import Annotated

import typer
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from docs.openapi.annotated import annotated_descriptors
from docs.openapi.comments import ROOT
from docs.openapi.document import document_text
from services.gateway.app import OPENAPI_FILE

DESCRIPTORS_FILE = ROOT / "deploy" / "envoy" / "batchprogress.pb"


def main(
    *, check: Annotated[bool, typer.Option(help="Write nothing; exit 1 if a file is old.")] = False
) -> None:
    """Write services/gateway/openapi.json and deploy/envoy/batchprogress.pb."""
    if not check:
        OPENAPI_FILE.write_text(document_text(), encoding="utf-8")
        DESCRIPTORS_FILE.write_bytes(annotated_descriptors().SerializeToString(deterministic=True))
    elif not are_current():
        sys.stderr.write("openapi.json or batchprogress.pb is out of date: run `make openapi`\n")
        raise typer.Exit(1)


def are_current() -> bool:
    """Return whether both files are as they would be written now."""
    return (
        OPENAPI_FILE.read_text(encoding="utf-8") == document_text()
        and FileDescriptorSet.FromString(DESCRIPTORS_FILE.read_bytes()) == annotated_descriptors()
    )


if __name__ == "__main__":
    typer.run(main)
