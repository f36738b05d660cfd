"""The managed store on a local file system: blobs are files of mode 0444, staging lies on the same file system."""

import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator

from modelyard.errors import ConfigurationError
from modelyard.storage.identity import (
    Owner,
    StoreIdentity,
    adopted,
    dump_identity,
    new_identity,
    parse_identity,
    require_registry,
)
from modelyard.storage.local_folders import LocalFolders
from modelyard.storage.local_ingest import LocalIngest
from modelyard.storage.store import (
    FoundBlob,
    Staging,
    StoredBlob,
    blob_name,
    parse_blob_file,
    parse_staging,
    require_present,
    require_staging,
)


class LocalStore(LocalFolders):
    """A `Store` in a folder."""

    survives_fork = True

    @property
    def place(self) -> str:
        """The folder, as people write it."""
        return str(self.root)

    def create_or_check(self, owner: Owner) -> StoreIdentity:
        """Make this store that of `owner`, or check that it is the same registry's; return whose it is."""
        ours = new_identity(owner)
        self.write_once("store.json", dump_identity(ours))
        found = self.identity() or ours
        require_registry(found, owner, self.place)
        return found

    def identity(self) -> StoreIdentity | None:
        """Return whose store this is, read afresh; None for a store of nobody."""
        path = self.root / "store.json"
        try:
            return parse_identity(path.read_bytes()) if os.path.lexists(path) else None
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{path} cannot be read: {error}. Restore the file.") from error

    def adopt(self, owner: Owner) -> StoreIdentity | None:
        """Make this store that of `owner` from now on; return whose it was."""
        before = self.identity()
        self.write_over("store.json", dump_identity(adopted(before, owner)))
        return before

    def ingest(self, job_id: int, attempt: int) -> LocalIngest:
        """Begin to take bytes for an attempt of a job."""
        return LocalIngest(self, job_id, attempt)

    def signed_url(self, digest: str, gen: int, life_s: int) -> None:
        """There is no other way to a file of ours than through us."""

    def remove_blob(self, digest: str, gen: int) -> bool:
        """Remove a blob's file and tell whether there was one."""
        try:
            os.unlink(blob_name(digest, gen), dir_fd=self.folder)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self.failure(error, 0) from error
        return True

    def check_present(self, blobs: Iterable[StoredBlob]) -> None:
        """Raise TemporaryFailure unless every blob's file is there with the right size (the last look before READY)."""
        for blob in blobs:
            require_present(blob, self.blob_size(blob.digest, blob.gen))

    def list_blobs(self) -> Iterator[FoundBlob]:
        """Yield every blob's file; what is removed meanwhile may or may not be among them."""
        for prefix in sorted(os.listdir(self.root / "blobs/sha256")):
            yield from self._list_folder(f"blobs/sha256/{prefix}")

    def remove_remnants(self, older_than_s: float) -> int:
        """Remove drafts of `store.json` that were never named; return how many."""
        drafts = [name for name in os.listdir(self.root / "ingest") if name.startswith("store.json.")]
        old = [name for name in drafts if (self._age_s(f"ingest/{name}") or 0) > older_than_s]
        for name in old:
            (self.root / "ingest" / name).unlink(missing_ok=True)
        return len(old)

    def list_staging(self) -> list[Staging]:
        """Return the folders of work in flight. List first, then ask the database which of them have an owner."""
        found = []
        for name in sorted(os.listdir(self.root / "ingest")):
            age_s = self._age_s(f"ingest/{name}")
            staging = parse_staging(name, age_s) if age_s is not None else None
            if staging is not None:
                found.append(staging)
        return found

    def remove_staging(self, name: str) -> None:
        """Remove a folder of work in flight; one that is gone already, or is going, is no error."""
        require_staging(name)
        shutil.rmtree(self.root / "ingest" / name, ignore_errors=True)

    def _list_folder(self, folder: str) -> Iterator[FoundBlob]:
        try:
            names = sorted(os.listdir(self.root / folder))
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in names:
            blob = parse_blob_file(name)
            seen = self._seen(f"{folder}/{name}")
            if blob is None or seen is None or not stat.S_ISREG(seen.st_mode):
                continue
            yield FoundBlob(*blob, size_bytes=seen.st_size, age_s=max(0.0, time.time() - seen.st_mtime))

    def _age_s(self, name: str) -> float | None:
        seen = self._seen(name)
        return None if seen is None else time.time() - seen.st_mtime

    def _seen(self, name: str) -> os.stat_result | None:
        try:
            return os.stat(name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
