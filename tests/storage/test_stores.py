"""What every managed store promises, whatever it lies on: asked of a folder, of a bucket, and of a bucket whose server
checks nothing."""

import hashlib
import io
import random
import uuid

import pytest

from modelyard.errors import ConfigurationError, NotFound, Released, SourceUnreadable, TemporaryFailure
from modelyard.rules.buckets import BucketFolder
from modelyard.storage.cloud import ingest as cloud_ingest
from modelyard.storage.cloud.s3_requests import S3Requests
from modelyard.storage.cloud.store import BucketStore
from modelyard.storage.copying import copy_tree, receive_upload
from modelyard.storage.identity import Owner, StoreIdentity
from modelyard.storage.local_store import LocalStore
from modelyard.storage.store import BlobPlacement, StoredBlob, is_intact
from tests.storage.conftest import OURS, read_blob

CONTENT = b"good bytes" * 100
DIGEST = hashlib.sha256(CONTENT).hexdigest()
BLOB = StoredBlob(DIGEST, 0, len(CONTENT))
# More than is held in memory before it is sent.
LARGE = random.Random(3).randbytes((11 << 20) + 7)


@pytest.fixture(params=["folder", "bucket", pytest.param("bucket that checks nothing", marks=pytest.mark.more)])
def store(request, tmp_path, monkeypatch):
    """An empty store of each kind."""
    if request.param == "folder":
        store = LocalStore(tmp_path / "store")
        yield store
        store.close()
        return
    request.getfixturevalue("s3")
    if request.param == "bucket that checks nothing":
        monkeypatch.setattr(S3Requests, "refuses_wrong_checksums", lambda *_arguments: False)
    yield BucketStore(BucketFolder("s3", "store", f"tests/{uuid.uuid4().hex}"), OURS)


@pytest.fixture
def again(store):
    """A function that opens the same store as another process would."""
    if isinstance(store, LocalStore):
        return lambda: LocalStore(store.root)
    return lambda: BucketStore(store.folder, OURS)


def ignore(_moved):
    """A pulse that nobody feels."""


def plant(store, content, gen=0):
    """Put bytes under the name of CONTENT, whatever they are."""
    if isinstance(store, LocalStore):
        path = store.root / "blobs" / "sha256" / DIGEST[:2] / (DIGEST if gen == 0 else f"{DIGEST}.{gen}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    else:
        store.bucket.put(store.blob_key(DIGEST, gen), content)


def place(store, placement, content=CONTENT):
    """Store `content` as the database says, and return what was proven."""
    with store.ingest(7, 1) as ingest, ingest.batch(1) as batch:
        staged = batch.stage(io.BytesIO(content), len(content), ignore)
        batch.sync()
        return batch.place({staged.digest: placement}, ignore)


def listed(store):
    return [(blob.digest, blob.gen, blob.size_bytes) for blob in store.list_blobs()]


def test_a_new_store_gets_an_owner_and_keeps_it(store, again):
    assert store.identity() is None

    first = store.create_or_check(OURS)

    assert first.owner == OURS
    assert again().create_or_check(OURS) == first
    assert again().identity() == first


def test_the_store_of_another_registry_is_refused(store, again):
    store.create_or_check(OURS)

    with pytest.raises(ConfigurationError, match=r"registry-a, not to registry-b.*MODELYARD_STORE_URL.*store adopt"):
        again().create_or_check(Owner("registry-b", "database-1"))


def test_a_copy_of_the_database_may_work_with_the_store_but_is_told_apart(store, again):
    store.create_or_check(OURS)

    assert again().create_or_check(Owner("registry-a", "database-2")).owner == OURS


def test_an_adopted_store_keeps_its_id(store, again):
    made = store.create_or_check(OURS)
    theirs = Owner("registry-b", "database-2")

    assert store.adopt(theirs) == made

    assert again().create_or_check(theirs) == StoreIdentity(made.store_id, theirs)
    assert store.list_staging() == []


def test_a_store_of_nobody_can_be_adopted(store):
    assert store.adopt(OURS) is None

    assert store.identity().owner == OURS


@pytest.mark.parametrize("content", [b"", b"[]", b'{"owner": "registry-a"}'])
def test_a_broken_store_file_is_said(store, content):
    if isinstance(store, LocalStore):
        (store.root / "store.json").write_bytes(content)
    else:
        store.bucket.put(store.folder.key("store.json"), content)

    with pytest.raises(ConfigurationError, match=r"store\.json cannot be read"):
        store.create_or_check(OURS)


def test_a_tree_arrives_under_the_digests_of_its_bytes(model, open_tree, store, ledger):
    (model / "large").write_bytes(LARGE)
    (model / "same").write_bytes(LARGE)

    with store.ingest(7, 1) as ingest:
        copied = copy_tree(open_tree(model), ingest, known={}, ledger=ledger, pulse=ignore)

    assert [file.path for file in copied.files] == ["MLmodel", "data/weights.bin", "empty", "large", "same"]
    for file in copied.files:
        assert file.digest == hashlib.sha256((model / file.path).read_bytes()).hexdigest()
        assert read_blob(store, file.digest) == (model / file.path).read_bytes()
    store.check_present(copied.blobs)
    assert store.list_staging() == []
    assert listed(store) == sorted((blob.digest, 0, blob.size_bytes) for blob in copied.blobs)


def test_a_retry_reads_nothing_that_is_stored(model, open_tree, store, ledger):
    with store.ingest(7, 1) as ingest:
        first = copy_tree(open_tree(model), ingest, known={}, ledger=ledger, pulse=ignore)
    known = ledger.known_files()
    ledger.batches.clear()

    with store.ingest(7, 2) as ingest:
        assert copy_tree(open_tree(model), ingest, known=known, ledger=ledger, pulse=ignore) == first
    assert ledger.batches == []


def test_more_than_memory_may_hold_arrives(model, open_tree, store, ledger, monkeypatch):
    monkeypatch.setattr(cloud_ingest, "HELD_BYTES", 10_000)
    for number in range(30):
        (model / f"file {number}").write_bytes(random.Random(number).randbytes(5_000))

    with store.ingest(7, 1) as ingest:
        copied = copy_tree(open_tree(model), ingest, known={}, ledger=ledger, pulse=ignore)

    assert len(copied.files) == 33
    assert [read_blob(store, file.digest) == (model / file.path).read_bytes() for file in copied.files] == [True] * 33


@pytest.mark.parametrize("content", [b"", b"x", LARGE])
@pytest.mark.parametrize("announced", [True, False])
def test_an_upload_of_any_size_is_stored(store, ledger, content, announced):
    length = len(content) if announced else None

    with store.ingest(0, 0) as ingest:
        blob = receive_upload(io.BytesIO(content), length, ingest, ledger, max_bytes=1 << 30)

    assert blob.size_bytes == len(content)
    assert read_blob(store, blob.digest) == content
    assert store.list_staging() == []


@pytest.mark.parametrize("content", [CONTENT, LARGE])
def test_what_ends_in_the_middle_leaves_nothing(model, open_tree, store, ledger, content):
    class Broken(io.BytesIO):
        def read(self, size):
            if self.tell() > len(content) // 2:
                raise SourceUnreadable("gone")
            return super().read(min(size, len(content) // 2 + 1))

    with pytest.raises(SourceUnreadable), store.ingest(0, 0) as ingest:
        receive_upload(Broken(content), len(content), ingest, ledger, max_bytes=1 << 30)

    assert listed(store) == []
    assert store.list_staging() == []


def test_a_drain_ends_a_copy_and_leaves_only_whole_blobs(model, open_tree, store, ledger):
    def drain(_progress):
        raise Released

    with pytest.raises(Released), store.ingest(7, 1) as ingest:
        copy_tree(open_tree(model), ingest, known={}, ledger=ledger, pulse=drain)

    assert listed(store) == []
    assert store.list_staging() == []


@pytest.mark.parametrize(
    ("planted", "recheck", "proven", "left"),
    [
        (CONTENT, False, [], CONTENT),
        (CONTENT, True, [DIGEST], CONTENT),
        (b"rotten", False, [DIGEST], CONTENT),
        (b"Good bytes" * 100, True, [DIGEST], CONTENT),
        # Same size, and nobody doubts it: it is believed, else every repeated file would be read again.
        (b"Good bytes" * 100, False, [], b"Good bytes" * 100),
        (None, True, [DIGEST], CONTENT),
        (None, False, [], CONTENT),
    ],
)
def test_what_is_found_under_a_name_is_believed_checked_or_replaced(store, planted, recheck, proven, left):
    if planted is not None:
        plant(store, planted)

    assert place(store, BlobPlacement(0, recheck=recheck)) == proven
    assert read_blob(store, DIGEST) == left


def test_a_large_blob_that_is_rotten_is_replaced(store):
    digest = hashlib.sha256(LARGE).hexdigest()
    place(store, BlobPlacement(0), LARGE)
    store.remove_blob(digest, 0)
    if isinstance(store, LocalStore):
        (store.root / "blobs" / "sha256" / digest[:2] / digest).write_bytes(b"rotten")
    else:
        store.bucket.put(store.blob_key(digest, 0), b"rotten")

    assert place(store, BlobPlacement(0), LARGE) == [digest]
    assert read_blob(store, digest) == LARGE


def test_a_blob_that_came_back_gets_a_name_of_its_generation(store):
    plant(store, b"of the collector")

    place(store, BlobPlacement(2))

    assert read_blob(store, DIGEST, gen=2) == CONTENT
    assert read_blob(store, DIGEST, gen=0) == b"of the collector"
    assert listed(store) == [(DIGEST, 0, 16), (DIGEST, 2, len(CONTENT))]


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [(0, None, CONTENT), (5, 10, CONTENT[5:15]), (995, None, CONTENT[995:]), (3, 0, b""), (1000, None, b"")],
)
@pytest.mark.parametrize("known_bytes", [len(CONTENT), None])
def test_a_blob_is_read_in_ranges(store, known_bytes, start, length, expected):
    place(store, BlobPlacement(0))

    with store.open_blob(DIGEST, 0, known_bytes) as blob:
        pieces = list(blob.pieces(start, length, piece_bytes=300))

    assert b"".join(pieces) == expected
    assert max(map(len, pieces), default=0) <= 300


@pytest.mark.parametrize(("digest", "gen", "size_bytes"), [("a" * 64, 0, None), (DIGEST, 1, None), (DIGEST, 0, 5)])
def test_a_blob_that_is_not_as_it_must_be_is_not_found(store, digest, gen, size_bytes):
    place(store, BlobPlacement(0))

    with pytest.raises(NotFound):
        store.open_blob(digest, gen, size_bytes)


@pytest.mark.parametrize("known_bytes", [len(CONTENT), None])
def test_more_than_a_blob_has_is_never_a_short_answer(store, known_bytes):
    place(store, BlobPlacement(0))

    with store.open_blob(DIGEST, 0, known_bytes) as blob, pytest.raises(EOFError):
        list(blob.pieces(500, len(CONTENT)))


def test_a_blob_that_vanishes_while_it_is_read_is_never_a_short_file(store, again):
    place(store, BlobPlacement(0))
    with store.open_blob(DIGEST, 0) as blob:
        again().remove_blob(DIGEST, 0)
        plant(store, b"short")

        if not isinstance(store, LocalStore):  # An open file stays whole.
            with pytest.raises(EOFError):
                list(blob.pieces())


def test_an_intact_blob_is_told_from_a_rotten_one(store):
    plant(store, CONTENT)
    assert is_intact(store, BLOB, ignore)

    plant(store, CONTENT[:-1] + b"X")
    assert not is_intact(store, BLOB, ignore)


def test_the_last_look_before_ready_finds_what_is_missing(store):
    place(store, BlobPlacement(0))
    store.check_present([BLOB])

    for missing in (StoredBlob(DIGEST, 1, len(CONTENT)), StoredBlob(DIGEST, 0, 1)):
        with pytest.raises(TemporaryFailure, match=DIGEST):
            store.check_present([BLOB, missing])


def test_a_removed_blob_is_gone_and_its_other_generations_stay(store):
    place(store, BlobPlacement(0))
    place(store, BlobPlacement(1))

    assert store.remove_blob(DIGEST, 0) is True
    assert store.remove_blob(DIGEST, 0) is False
    assert listed(store) == [(DIGEST, 1, len(CONTENT))]


def test_every_blob_is_listed_with_its_age(store):
    contents = [str(number).encode() for number in range(20)]
    for content in contents:
        place(store, BlobPlacement(0), content)

    found = list(store.list_blobs())

    assert [blob.digest for blob in found] == sorted(hashlib.sha256(content).hexdigest() for content in contents)
    assert all(0 <= blob.age_s < 120 for blob in found)


def test_nothing_young_is_a_remnant(store):
    place(store, BlobPlacement(0))

    assert store.remove_remnants(3600) == 0
    assert listed(store) == [(DIGEST, 0, len(CONTENT))]
