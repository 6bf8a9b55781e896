"""The version stands in several files, and is the same in all of them."""

import json
import re
import tomllib

import yaml

import batchprogress
from tests.docs.markdown import ROOT, pages

VERSION = batchprogress.__version__


def test_both_packages_have_the_version() -> None:
    """Server and client are released together."""
    for project in ("pyproject.toml", "clients/python/pyproject.toml"):
        assert tomllib.loads((ROOT / project).read_text(encoding="utf-8"))["project"]["version"] == VERSION


def test_the_web_component_has_the_version() -> None:
    """It shows what servers of this version send."""
    package = json.loads((ROOT / "clients/web/package.json").read_text(encoding="utf-8"))
    assert package["version"] == VERSION


def test_the_client_for_node_has_the_version() -> None:
    for name in ("package.json", "package-lock.json"):
        package = json.loads((ROOT / "clients/node" / name).read_text(encoding="utf-8"))
        assert package["version"] == VERSION


def test_the_manifests_run_the_image_of_the_version() -> None:
    """The tag in k8s/base is the version."""
    kustomization = yaml.safe_load((ROOT / "k8s/base/kustomization.yaml").read_text(encoding="utf-8"))
    assert [image["newTag"] for image in kustomization["images"]] == [VERSION]


def test_the_changelog_begins_with_the_version() -> None:
    """Its first section is the version that is in the making, or was just released."""
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert VERSION in headings[0]


def test_pages_name_images_and_packages_of_the_version() -> None:
    """No command on any page builds, runs or installs another version."""
    pattern = re.compile(r"batchprogress:([\d.]+\d)|batchprogress(?:_server)?-([\d.]+\d)-py3")
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages())
    assert {image or package for image, package in pattern.findall(text)} == {VERSION}
