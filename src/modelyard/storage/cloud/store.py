"""The managed store in a bucket, under the same names as on a disk."""

import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from modelyard.errors import ConfigurationError, ModelyardError, TemporaryFailure
from modelyard.rules.buckets import BucketFolder
from modelyard.storage.cloud.blobs import BucketBlobs
from modelyard.storage.cloud.bucket import FoundObject, ObjectChanged
from modelyard.storage.cloud.ingest import BucketIngest, sizes_of
from modelyard.storage.identity import (
    Owner,
    StoreIdentity,
    adopted,
    dump_identity,
    new_identity,
    parse_identity,
    require_registry,
)
from modelyard.storage.store import (
    PIECE_BYTES,
    FoundBlob,
    Staging,
    StoredBlob,
    parse_blob_file,
    parse_staging,
    require_present,
    require_staging,
)


class BucketStore(BucketBlobs):
    """A `Store` in a folder of a bucket, for `owner`.

    Nothing is asked of the bucket before the first use. The first ingest of a process makes sure whose store it is.
    """

    survives_fork = False

    def __init__(self, folder: BucketFolder, owner: Owner) -> None:
        super().__init__(folder)
        self._owner = owner
        self._checked: bool | None = None

    @property
    def place(self) -> str:
        """The address, as people write it."""
        return str(self.folder)

    def close(self) -> None:
        """Nothing to give back: connections end with the process."""

    def create_or_check(self, owner: Owner) -> StoreIdentity:
        """Make this store that of `owner`, or check that it is the same registry's; return whose it is.

        Raises ConfigurationError also where the bucket cannot be used, or its server does not keep conditions.
        """
        try:
            return self._check(owner)
        except ConfigurationError:
            raise
        except ModelyardError as error:
            raise ConfigurationError(f"The store {self.folder} cannot be used. {error.message}") from error

    def identity(self) -> StoreIdentity | None:
        """Return whose store this is, read afresh; None for a store of nobody."""
        found = self.bucket.find(self._identity_key)
        if found is None:
            return None
        try:
            return parse_identity(b"".join(self.bucket.read(found, 0, found.size_bytes, piece_bytes=PIECE_BYTES)))
        except ValueError as error:
            raise ConfigurationError(f"{self.folder}/store.json cannot be read: {error}. Restore it.") from error
        except ObjectChanged as error:
            raise TemporaryFailure(f"{self.folder}/store.json is being written. Ask again.") from error

    def adopt(self, owner: Owner) -> StoreIdentity | None:
        """Make this store that of `owner` from now on; return whose it was."""
        before = self.identity()
        self.bucket.put(self._identity_key, dump_identity(adopted(before, owner)))
        return before

    def ingest(self, job_id: int, attempt: int) -> BucketIngest:
        """Begin to take bytes for an attempt of a job."""
        if self._checked is None:
            self._check(self._owner)
        return BucketIngest(self, job_id, attempt, checked=bool(self._checked))

    def check_present(self, blobs: Iterable[StoredBlob]) -> None:
        """Raise TemporaryFailure unless every blob is there with the right size (the last look before READY)."""
        for blob, size_bytes in sizes_of(self, list(blobs)):
            require_present(blob, size_bytes)

    def signed_url(self, digest: str, gen: int, life_s: int) -> str:
        """Return an address that gives a blob to anybody for a while."""
        return self.bucket.signed_url(self.blob_key(digest, gen), life_s)

    def remove_blob(self, digest: str, gen: int) -> bool:
        """Remove a blob and tell whether there was one."""
        there = self.blob_size(digest, gen) is not None
        self.bucket.remove([self.blob_key(digest, gen)])
        return there

    def list_blobs(self) -> Iterator[FoundBlob]:
        """Yield every blob that lies there, in the order of the digests."""
        for found in self.bucket.objects(self.folder.key("blobs/sha256")):
            blob = parse_blob_file(found.key.rpartition("/")[2])
            if blob is not None and found.key == self.blob_key(*blob):
                yield FoundBlob(*blob, size_bytes=found.size_bytes, age_s=_age_s(found.modified_at))

    def remove_remnants(self, older_than_s: float) -> int:
        """Give up uploads in parts that were begun so long ago; their parts are paid for until then."""
        if self.bucket.s3 is None:
            return 0
        uploads = list(self.bucket.s3.unfinished_uploads(self.folder.key("")))
        old = [upload for upload in uploads if _age_s(upload.begun_at) > older_than_s]
        for upload in old:
            self.bucket.s3.give_up(upload)
        return len(old)

    def list_staging(self) -> list[Staging]:
        """Return the folders of work in flight, as old as what was written to each last."""
        newest: dict[str, datetime] = {}
        for found in self.bucket.objects(self.folder.key("ingest")):
            name = self._staging_name(found)
            newest[name] = max(newest.get(name, found.modified_at), found.modified_at)
        listed = [parse_staging(name, _age_s(newest[name])) for name in sorted(newest)]
        return [staging for staging in listed if staging is not None]

    def remove_staging(self, name: str) -> None:
        """Remove a folder of work in flight; one that is gone already is no error."""
        require_staging(name)
        self.bucket.remove([found.key for found in self.bucket.objects(self.folder.key(f"ingest/{name}"))])

    @property
    def _identity_key(self) -> str:
        return self.folder.key("store.json")

    def _check(self, owner: Owner) -> StoreIdentity:
        identity = self._claim(owner)
        self._checked = self._refuses_wrong_checksums()
        return identity

    def _claim(self, owner: Owner) -> StoreIdentity:
        ours = new_identity(owner)
        content = dump_identity(ours)
        # What is there now must refuse the second one.
        if self.bucket.put(self._identity_key, content, create=True) and self.bucket.put(
            self._identity_key, content, create=True
        ):
            raise ConfigurationError(
                f"The server of {self.folder} ignores If-None-Match, so that two writers could not be told apart. "
                "Use a server that keeps it, as Amazon S3 does."
            )
        found = self.identity() or ours
        require_registry(found, owner, self.place)
        return found

    def _refuses_wrong_checksums(self) -> bool:
        """Whether bytes may be sent straight to a blob's name; of clouds without such a check nothing is believed."""
        s3 = self.bucket.s3
        return s3 is not None and s3.refuses_wrong_checksums(self.folder.key(f"ingest/probe-{uuid.uuid4().hex}"))

    def _staging_name(self, found: FoundObject) -> str:
        return found.key.removeprefix(self.folder.key("ingest/")).partition("/")[0]


def _age_s(moment: datetime) -> float:
    return max(0.0, (datetime.now(UTC) - moment).total_seconds())
