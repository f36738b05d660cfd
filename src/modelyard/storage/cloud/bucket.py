"""One bucket: objects found, listed, read, written, copied and removed, whichever cloud keeps it.

obstore moves the bytes. Its threads do not survive a fork, so it is asked for nothing before the first use: a process
that forks others must never use a bucket itself.
"""

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import Any

import obstore
from obstore import exceptions
from obstore.store import AzureStore, GCSStore, S3Store

from modelyard.errors import NotFound, TemporaryFailure
from modelyard.rules.buckets import BucketFolder
from modelyard.storage.cloud.aws import AwsAccess
from modelyard.storage.cloud.channel import send_through
from modelyard.storage.cloud.s3_requests import PreconditionFailed, S3Requests

# Of a file that is sent in parts; S3 takes parts from 5 MiB, and 10,000 of them.
PART_BYTES = 8 << 20
_MOST_PARTS = 9_000
# With one more that is being filled, times the files that are sent at once: what this costs in memory.
_PARTS_AT_ONCE = 2
_FILES_AT_ONCE = 3

_OPTIONS: Any = {
    "timeout": timedelta(hours=24),
    "read_timeout": timedelta(seconds=60),
    "connect_timeout": timedelta(seconds=5),
}
_RETRIES: Any = {
    "max_retries": 5,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=5), "base": 2},
}
_STATUS = re.compile(r"status code: (\d{3} [A-Za-z ]+)")
_CODE = re.compile(r"<Code>(\w+)</Code>")


@dataclass(frozen=True, slots=True)
class FoundObject:
    """An object as it was found: its key, size, the tag that changes with its bytes, and when it was written."""

    key: str
    size_bytes: int
    etag: str
    modified_at: datetime


class ObjectChanged(Exception):
    """The object is not the one that was found before, or not there any more."""


class Bucket:
    """The bucket of `folder`, addressed by whole keys. Every method raises TemporaryFailure when it fails."""

    def __init__(self, folder: BucketFolder) -> None:
        self.folder = folder
        self._sending = threading.BoundedSemaphore(_FILES_AT_ONCE)

    @cached_property
    def _aws(self) -> AwsAccess | None:
        return AwsAccess(self.folder) if self.folder.scheme == "s3" else None

    @cached_property
    def _objects(self) -> S3Store | GCSStore | AzureStore:
        if self._aws is not None:
            return S3Store(
                self.folder.bucket,
                config=self._aws.config(),
                client_options=_OPTIONS | self._aws.client_options(),
                retry_config=_RETRIES,
                credential_provider=self._aws.credential,
            )
        if self.folder.scheme == "gs":
            return GCSStore(self.folder.bucket, client_options=_OPTIONS, retry_config=_RETRIES)
        container, _, host = self.folder.bucket.partition("@")
        account = host.partition(".")[0]
        return AzureStore(container, account_name=account, client_options=_OPTIONS, retry_config=_RETRIES)

    @cached_property
    def s3(self) -> S3Requests | None:
        """What only S3 can be asked; None for other clouds."""
        return S3Requests(self._aws, self.folder.bucket) if self._aws is not None else None

    def copies_from(self, other: "Bucket") -> bool:
        """Whether one server keeps both buckets and may be asked to copy between them."""
        return self._aws is not None and other._aws is not None and self._aws.endpoint == other._aws.endpoint

    def find(self, key: str) -> FoundObject | None:
        """Return what lies under a key."""
        try:
            with self._talking():
                return _found(obstore.head(self._objects, key))
        except NotFound:
            return None

    def fetch(self, key: str, most_bytes: int) -> tuple[FoundObject | None, bytes | None]:
        """Return what lies under a key, and its bytes where they are no more than `most_bytes`, in one request."""
        try:
            with self._talking():
                answer = obstore.get(self._objects, key)
                found = _found(answer.meta)
                if found.size_bytes > most_bytes:
                    return found, None
                content = bytes(answer.bytes())
        except NotFound:
            return None, None
        if len(content) != found.size_bytes:
            raise TemporaryFailure(f"The bucket {self.folder.bucket} broke off in the middle of an object. Ask again.")
        return found, content

    def objects(self, prefix: str) -> Iterator[FoundObject]:
        """Yield every object in the folder `prefix`, in the order of the keys."""
        with self._talking():
            for chunk in obstore.list(self._objects, prefix, chunk_size=1000):
                yield from map(_found, chunk)

    def read(self, found: FoundObject, start: int, end: int, *, piece_bytes: int) -> Iterator[bytes]:
        """Yield the bytes from `start` to `end` of the very object that was found. Raises ObjectChanged."""
        if start >= end:
            return
        options: Any = {"range": (start, end), "if_match": found.etag or None}
        with self._talking():
            try:
                answer = obstore.get(self._objects, found.key, options=options)
                for chunk in answer.stream(min_chunk_size=piece_bytes):
                    # A chunk may hold several pieces when the network was faster than the reader.
                    for at in range(0, len(chunk), piece_bytes):
                        yield bytes(chunk[at : at + piece_bytes])
            except (exceptions.PreconditionError, FileNotFoundError) as error:
                raise ObjectChanged(found.key) from error

    def put(self, key: str, content: bytes, *, create: bool = False) -> bool:
        """Store a few bytes in one request; with `create` only where nothing is, which False tells."""
        with self._talking():
            try:
                obstore.put(self._objects, key, content, mode="create" if create else None, use_multipart=False)
            except exceptions.AlreadyExistsError:
                return False
        return True

    def put_parts(self, key: str, pieces: Iterable[bytes], expected_bytes: int) -> FoundObject:
        """Store bytes of any length in parts; nothing is there before the last, nor when `pieces` raises."""
        part_bytes = max(PART_BYTES, expected_bytes // _MOST_PARTS)
        send = partial(
            obstore.put,
            self._objects,
            key,
            use_multipart=True,
            chunk_size=part_bytes,
            max_concurrency=_PARTS_AT_ONCE,
        )
        with self._sending, self._talking():
            send_through(pieces, send)
            return _found(obstore.head(self._objects, key))

    def copy(
        self, found: FoundObject, key: str, *, source: str | None = None, on_part: Callable[[int], None]
    ) -> str | None:
        """Let the cloud copy the very object that was found, in the bucket `source` or in this one, to `key` here.

        Returns the SHA-256 in hex where the server computed it over all of the bytes. Raises ObjectChanged,
        CopyRefused.
        """
        with self._talking():
            try:
                if self.s3 is None:
                    obstore.copy(self._objects, found.key, key)
                    return None
                return self.s3.copy(
                    source or self.folder.bucket,
                    found.key,
                    key,
                    size_bytes=found.size_bytes,
                    etag=found.etag,
                    on_part=on_part,
                )
            except (FileNotFoundError, NotFound, PreconditionFailed) as error:
                raise ObjectChanged(found.key) from error

    def remove(self, keys: list[str]) -> None:
        """Remove objects; those that are gone already are no error."""
        with self._talking():
            for key in keys:
                try:
                    obstore.delete(self._objects, key)
                except FileNotFoundError:
                    continue

    def signed_url(self, key: str, life_s: int) -> str:
        """Return an address under which anybody may fetch an object for a while."""
        with self._talking():
            return obstore.sign(self._objects, "GET", key, timedelta(seconds=life_s))

    @contextmanager
    def _talking(self) -> Iterator[None]:
        """Turn trouble on the line into TemporaryFailure, and "nothing there" into NotFound."""
        try:
            yield
        except FileNotFoundError as error:
            raise NotFound(f"There is no such object in {self.folder.bucket}.") from error
        except (exceptions.BaseError, OSError) as error:
            raise TemporaryFailure(
                f"The bucket {self.folder.bucket} does not do what it was asked: {_reason(error)}."
            ) from error


def _found(meta: Any) -> FoundObject:
    return FoundObject(meta["path"], meta["size"], meta["e_tag"] or "", meta["last_modified"])


def _reason(error: Exception) -> str:
    """Return what may be shown of an error: its status and code, never an address, which may be signed."""
    text = str(error)
    told = [match[1].strip() for match in (_STATUS.search(text), _CODE.search(text)) if match]
    return ", ".join(told) or type(error).__name__
