"""What a source may look like, and what it means."""

from pathlib import PurePosixPath

import pytest

from modelyard.errors import SourceRefused
from modelyard.rules.buckets import BucketFolder
from modelyard.rules.sources import (
    LocalPath,
    LoggedModel,
    RegisteredVersion,
    RunPath,
    TrackingArtifacts,
    Upload,
    check_reference_source,
    parse_source,
    upload_folder,
    upload_path,
    uploaded_files,
)

MODEL_ID = "m-0123456789abcdef0123456789abcdef"
ZONE = "/databricks/mlflow/tmp-external-source"


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("/data/my model", LocalPath(PurePosixPath("/data/my model"))),
        ("/data//a/./b/", LocalPath(PurePosixPath("/data/a/b"))),
        ("/data/100%", LocalPath(PurePosixPath("/data/100%"))),
        ("/data/m:1@x", LocalPath(PurePosixPath("/data/m:1@x"))),
        ("file:///data/größe", LocalPath(PurePosixPath("/data/größe"))),
        ("file:/data", LocalPath(PurePosixPath("/data"))),
        ("FILE:///data", LocalPath(PurePosixPath("/data"))),
        (f"models:/{MODEL_ID}", LoggedModel(MODEL_ID)),
        (f"models:/{MODEL_ID}/1", RegisteredVersion(MODEL_ID, version=1)),
        ("models:/fraud model/12", RegisteredVersion("fraud model", version=12)),
        ("models:/fraud/production", RegisteredVersion("fraud", stage="production")),
        ("models:/fraud/latest", RegisteredVersion("fraud", stage="latest")),
        ("models:/fraud@champion", RegisteredVersion("fraud", alias="champion")),
        ("models:/a@b@champion", RegisteredVersion("a@b", alias="champion")),
        ("runs:/r1/model", RunPath("r1", "model")),
        ("runs:/r1//a/b/", RunPath("r1", "a/b")),
        ("runs:/r1", RunPath("r1", "")),
        ("mlflow-artifacts:/0/r1/artifacts/model", TrackingArtifacts("0/r1/artifacts/model")),
        ("mlflow-artifacts:///0/r1/artifacts", TrackingArtifacts("0/r1/artifacts")),
        (f"dbfs:{ZONE}/id/model", Upload("id/model")),
        (f"dbfs:{ZONE}//id//model", Upload("id/model")),
    ],
)
def test_a_source_is_parsed_into_what_it_means(text, source):
    assert parse_source(text) == source


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        " /data",
        "/data\n",
        "/da\tta",
        "/da\0ta",
        "/da\x7fta",
        "/da\u0085ta",
        "/da\u2028ta",
        "/da\udcffta",
        "/data\\model",
        "/data?x=1",
        "/data#x",
        "/data;x",
        "/data/../etc",
        "/data/..",
        "/data/%2e%2e/etc",
        "/data/%252e%252e/etc",
        "/data/a%20b",
        "/data/%00",
        "/data/%2Fetc",
        "//host/share",
        "////data",
        "file://host/data",
        "file://localhost/data",
        "file://user:secret@host/data",
        "file:////data",
        "file:data",
        "data/model",
        "./model",
        "C:/models",
        "s3a://bucket/model",
        "https://host/model",
        "s3:/bucket/model",
        "s3:///bucket/model",
        "s3://bucket",
        "s3://bucket/",
        "s3://bucket/a/../b",
        "s3://bucket/a//b",
        "s3://bucket/./b",
        "s3://bucket/a%2Fb",
        "s3://bucket/%2e%2e/b",
        "s3://Bucket/model",
        "s3://b/model",
        "s3://user@bucket/model",
        "s3://bucket:80/model",
        "s3://bucket/model?versionId=1",
        "gs://-bucket/model",
        "abfss://container/model",
        "abfss://container@account.example.com/model",
        "abfss://container@account.dfs.core.windows.net",
        "unknown:/model",
        "models:/",
        "models:/fraud",
        "models:/fraud/1/2",
        "models:/@champion",
        "models:/fraud@",
        f"models:/{MODEL_ID[:-1]}",
        f"models:/{MODEL_ID.upper()}",
        "models://profile@databricks/fraud/1",
        "runs:/",
        "runs:/r1/../r2",
        "runs://host/r1/model",
        "mlflow-artifacts:/",
        "mlflow-artifacts://host:5000/0/r1",
        "dbfs:/models/m",
        f"dbfs:{ZONE}",
        f"dbfs:{ZONE}/",
        f"dbfs:{ZONE}-other/id",
        f"dbfs:{ZONE}/id/../other",
        "/" + "a" * 2048,
    ],
)
def test_a_source_that_could_mean_something_else_is_refused(text):
    with pytest.raises(SourceRefused):
        parse_source(text)


@pytest.mark.parametrize(
    "text",
    ["s3://key:secret@bucket/model", "https://host/model?sig=secret", "file:///data?sig=secret", "file://u:secret@h/x"],
)
def test_a_refusal_never_repeats_a_credential(text):
    with pytest.raises(SourceRefused) as refusal:
        parse_source(text)

    assert "secret" not in refusal.value.message


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("s3://my-bucket/models/fraud", BucketFolder("s3", "my-bucket", "models/fraud")),
        ("S3://my-bucket/models/fraud/", BucketFolder("s3", "my-bucket", "models/fraud")),
        ("gs://my_bucket/m", BucketFolder("gs", "my_bucket", "m")),
        (
            "abfss://box@account.dfs.core.windows.net/m",
            BucketFolder("abfss", "box@account.dfs.core.windows.net", "m"),
        ),
    ],
)
def test_a_folder_of_a_bucket_is_a_source(text, folder):
    assert parse_source(text) == folder


def test_a_source_that_is_not_enabled_names_its_scheme_and_the_way_out():
    with pytest.raises(SourceRefused, match=r"s3a: sources are not enabled.*registry_uri=\"databricks\""):
        parse_source("s3a://bucket/model")


@pytest.mark.parametrize(
    "text",
    [
        "models/relative",
        "s3://bucket/m",
        "abfss://box@account/m",
        "unknown:/x",
        "https://host/m?sig=1",
        "C:\\models\\m",
    ],
)
def test_a_remembered_source_may_be_anything_that_mlflow_takes(text):
    check_reference_source(text)


@pytest.mark.parametrize(
    "text",
    ["", " x", "x\n", "a/../b", "a\\..\\b", "a/%2e%2e/b", "a/%00", "https://user:secret@host/m", "x" * 2049],
)
def test_a_remembered_source_still_follows_the_rules_for_text(text):
    with pytest.raises(SourceRefused) as refusal:
        check_reference_source(text)

    assert "secret" not in refusal.value.message


@pytest.mark.parametrize("path", [f"{ZONE}//id/a/b", f"{ZONE}/id/a/b", f"{ZONE}/id//a/./b"])
def test_doubled_and_merged_slashes_name_the_same_upload(path):
    assert upload_path(path) == "id/a/b"


def test_the_name_of_an_uploaded_file_is_not_decoded():
    assert upload_path(f"{ZONE}/id/a%20b") == "id/a%20b"


@pytest.mark.parametrize(
    ("uploaded", "named", "folder"),
    [
        (["id/model/MLmodel", "id/model/data/x"], "id/model", "id/model"),
        (["id/MLmodel", "id/data/x"], f"id/{MODEL_ID}", "id"),
        (["id/MLmodel", "id/model/MLmodel"], "id/model", "id/model"),
    ],
)
def test_an_upload_lies_where_it_says_or_in_the_parent(uploaded, named, folder):
    assert upload_folder(uploaded, named) == folder


@pytest.mark.parametrize(
    ("uploaded", "named"),
    [([], "id/model"), (["id/x"], "id/model"), (["MLmodel"], "id"), (["id/modelling/MLmodel"], "id/model")],
)
def test_an_upload_that_never_came_is_refused(uploaded, named):
    with pytest.raises(SourceRefused, match="Nothing was uploaded"):
        upload_folder(uploaded, named)


def test_the_files_of_an_upload_come_without_what_the_client_added():
    uploaded = ["id/registered_model_meta", "id/data/registered_model_meta", "id/MLmodel", "other/MLmodel"]

    files = uploaded_files(uploaded, f"id/{MODEL_ID}")

    assert files == {"MLmodel": "id/MLmodel", "data/registered_model_meta": "id/data/registered_model_meta"}
