"""Addresses of buckets: which folder lies in which."""

import pytest

from modelyard.errors import SourceRefused
from modelyard.rules.buckets import BucketFolder, parse_bucket_folder

MODELS = BucketFolder("s3", "bucket", "models")


@pytest.mark.parametrize(
    ("folder", "other", "holds"),
    [
        (MODELS, MODELS, True),
        (MODELS, BucketFolder("s3", "bucket", "models/fraud"), True),
        (MODELS, BucketFolder("s3", "bucket", "models-old/fraud"), False),
        (MODELS, BucketFolder("s3", "bucket", ""), False),
        (MODELS, BucketFolder("s3", "bucket2", "models"), False),
        (MODELS, BucketFolder("gs", "bucket", "models"), False),
        (BucketFolder("s3", "bucket"), MODELS, True),
    ],
)
def test_a_folder_holds_itself_and_what_lies_below(folder, other, holds):
    assert folder.holds(other) is holds


@pytest.mark.parametrize("text", ["s3://bucket/models", "gs://bucket", "abfss://box@account.dfs.core.windows.net/a/b"])
def test_an_address_is_shown_as_it_was_written(text):
    assert str(parse_bucket_folder(text)) == text


@pytest.mark.parametrize("text", ["", "bucket/models", "file:///data", "s3:/bucket/m", "s3://", "s3://bucket//m"])
def test_what_is_no_bucket_is_refused_with_an_example(text):
    with pytest.raises(SourceRefused):
        parse_bucket_folder(text)


def test_keys_lie_in_the_folder():
    assert MODELS.key("store.json") == "models/store.json"
    assert BucketFolder("s3", "bucket").key("store.json") == "store.json"
