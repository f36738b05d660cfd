"""Addresses of buckets, as settings and sources write them: s3://, gs:// and abfss://. No I/O.

Source: the naming rules of S3, Google Cloud Storage and Azure Data Lake Storage.
"""

import re
from dataclasses import dataclass

from modelyard.errors import SourceRefused

_BUCKETS = {
    "s3": re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"),
    "gs": re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]"),
    # A container and the account that holds it.
    "abfss": re.compile(r"[a-z0-9](?:-?[a-z0-9]){2,62}@[a-z0-9]{3,24}\.dfs\.core\.[a-z0-9.-]+"),
}
BUCKET_SCHEMES = frozenset(_BUCKETS)
_EXAMPLES = {
    "s3": "s3://bucket/folder",
    "gs": "gs://bucket/folder",
    "abfss": "abfss://container@account.dfs.core.windows.net/folder",
}


@dataclass(frozen=True, slots=True)
class BucketFolder:
    """A folder in a bucket; `path` has no slash at its ends and is empty for the bucket itself."""

    scheme: str
    bucket: str
    path: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.path}".rstrip("/")

    def holds(self, other: "BucketFolder") -> bool:
        """Whether `other` is this folder or lies in it."""
        same = (self.scheme, self.bucket) == (other.scheme, other.bucket)
        return same and (not self.path or other.path == self.path or other.path.startswith(f"{self.path}/"))

    def key(self, name: str) -> str:
        """Return the key of what is called `name` in this folder."""
        return f"{self.path}/{name}" if self.path else name


def parse_bucket_folder(text: str) -> BucketFolder:
    """Return the folder that `text` names. Raises SourceRefused with a right example."""
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in _BUCKETS:
        raise SourceRefused(f"That is no address of a bucket. Write {', '.join(_EXAMPLES.values())}.")
    bucket, _, path = rest.partition("/")
    if not _BUCKETS[scheme].fullmatch(bucket):
        # Not shown: it may hold a password.
        raise SourceRefused(f"That is no name of a bucket. Write {_EXAMPLES[scheme]}.")
    segments = path.removesuffix("/").split("/") if path else []
    if any(segment in ("", ".", "..") for segment in segments):
        raise SourceRefused(f"The path {path!r} holds an empty part or dots. Name the folder plainly.")
    return BucketFolder(scheme, bucket, "/".join(segments))
