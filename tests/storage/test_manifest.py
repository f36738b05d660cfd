"""The manifest: the same files always give the same bytes."""

import hashlib
import json

import pytest

from modelyard.storage.manifest import BrokenManifest, ManifestFile, build_manifest, parse_manifest

A, B = "a" * 64, "b" * 64
FILES = [ManifestFile("MLmodel", 3, A), ManifestFile("data/größe.bin", 5, B), ManifestFile("same", 3, A)]


def test_the_order_of_the_files_does_not_change_the_digest():
    assert build_manifest(reversed(FILES)) == build_manifest(FILES)


def test_the_digest_is_that_of_the_bytes():
    manifest = build_manifest(FILES)

    assert manifest.digest == hashlib.sha256(manifest.content).hexdigest()


def test_the_bytes_never_change_between_releases():
    assert build_manifest(FILES).digest == "057539b0780df055791e95807685935a4f03f596c785b7983511f7969e51c6eb"


def test_a_manifest_gives_back_its_files():
    assert parse_manifest(build_manifest(FILES).content) == FILES


def test_it_is_an_oci_image_manifest():
    document = json.loads(build_manifest(FILES).content)

    assert document["schemaVersion"] == 2
    assert document["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert document["layers"][1] == {
        "mediaType": "application/octet-stream",
        "digest": f"sha256:{B}",
        "size": 5,
        "annotations": {"org.opencontainers.image.title": "data/größe.bin"},
    }


@pytest.mark.parametrize(
    "file",
    [
        ManifestFile("/abs", 1, A),
        ManifestFile("a/../b", 1, A),
        ManifestFile("a//b", 1, A),
        ManifestFile("", 1, A),
        ManifestFile("a", -1, A),
        ManifestFile("a", 1, A.upper()),
        ManifestFile("a", 1, f"sha256:{A}"),
    ],
)
def test_what_is_no_file_of_a_version_is_not_written(file):
    with pytest.raises(BrokenManifest):
        build_manifest([file])


def test_a_path_can_be_there_only_once():
    with pytest.raises(BrokenManifest, match="twice"):
        build_manifest([ManifestFile("a", 1, A), ManifestFile("a", 2, B)])


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"mediaType":"x","artifactType":"y"}', b"\xff"])
def test_other_bytes_are_no_manifest(content):
    with pytest.raises(BrokenManifest):
        parse_manifest(content)
