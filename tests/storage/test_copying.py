"""Copying a tree, our own bytes and uploads into the store."""

import dataclasses
import hashlib
import io
import os
from itertools import pairwise

import pytest

from modelyard.errors import BodyTooLarge, InvalidValue, Released, SourceUnreadable, TemporaryFailure
from modelyard.storage.copying import batches, copy_tree, receive_upload, store_bytes
from modelyard.storage.manifest import build_manifest
from modelyard.storage.store import BATCH_BYTES, blob_name
from modelyard.storage.tree import FileEntry
from tests.storage.conftest import blob_names, read_blob, staged_names


def ignore(_progress):
    """A pulse that nobody feels."""


def copy(tree, ingest, ledger, *, known=None, pulse=ignore):
    return copy_tree(tree, ingest, known=known or {}, ledger=ledger, pulse=pulse)


def test_every_file_arrives_under_the_digest_of_its_bytes(model, open_tree, store, ingest, ledger):
    copied = copy(open_tree(model), ingest, ledger)

    assert [file.path for file in copied.files] == ["MLmodel", "data/weights.bin", "empty"]
    for file in copied.files:
        content = (model / file.path).read_bytes()
        assert file.digest == hashlib.sha256(content).hexdigest()
        assert file.size_bytes == len(content)
        assert read_blob(store, file.digest) == content


def test_the_same_files_give_the_same_manifest_and_no_new_blob(model, open_tree, store, ingest, ledger):
    first = copy(open_tree(model), ingest, ledger)
    blobs = blob_names(store)

    second = copy(open_tree(model), ingest, ledger)

    assert build_manifest(second.files) == build_manifest(first.files)
    assert blob_names(store) == blobs


def test_files_with_the_same_bytes_are_two_files_and_one_blob(model, open_tree, ingest, ledger):
    (model / "twin").write_bytes((model / "data" / "weights.bin").read_bytes())

    copied = copy(open_tree(model), ingest, ledger)

    assert len(copied.files) == 4
    assert len(copied.blobs) == 3


def test_the_database_hears_of_a_batch_before_any_of_its_blobs_has_a_name(model, open_tree, store, ingest, ledger):
    names_at_record = []
    record = ledger.record
    ledger.record = lambda batch: (names_at_record.append(blob_names(store)), record(batch))[1]

    copy(open_tree(model), ingest, ledger)

    assert names_at_record == [[]]


def test_a_pulse_comes_with_every_file_and_every_piece(model, open_tree, ingest, ledger):
    (model / "large").write_bytes(bytes(5 << 20))
    beats = []

    copy(open_tree(model), ingest, ledger, pulse=beats.append)

    total = sum(path.stat().st_size for path in model.rglob("*") if path.is_file())
    assert len(beats) >= 4 + 5
    assert [beat.bytes_done for beat in beats] == sorted(beat.bytes_done for beat in beats)
    assert max(b.bytes_done - a.bytes_done for a, b in pairwise(beats)) <= 1 << 20
    assert dataclasses.astuple(beats[-1]) == (4, 4, total, total, total)


def test_what_a_pulse_raises_ends_the_copy_and_leaves_nothing_half_written(model, open_tree, store, ledger):
    def drain(progress):
        if progress.bytes_done > 10_000:
            raise Released

    with pytest.raises(Released), store.ingest(7, 1) as ingest:
        copy(open_tree(model), ingest, ledger, pulse=drain)

    assert staged_names(store) == []
    assert blob_names(store) == []


def test_a_retry_does_not_read_what_is_stored(model, open_tree, store, ledger, ingest):
    first = copy(open_tree(model), ingest, ledger)
    known = ledger.known_files()
    ledger.batches.clear()

    with store.ingest(7, 2) as second_ingest:
        second = copy(open_tree(model), second_ingest, ledger, known=known)

    assert second == first
    assert ledger.recorded_paths == []


def test_what_a_retry_finds_stored_is_done_but_not_copied(model, open_tree, store, ingest, ledger):
    copy(open_tree(model), ingest, ledger)
    (model / "new").write_bytes(b"12345")
    beats = []

    copy(open_tree(model), ingest, ledger, known=ledger.known_files(), pulse=beats.append)

    assert beats[-1].bytes_done == beats[-1].bytes_total > 5
    assert beats[-1].copied_bytes == 5


def change_the_file(model, _store, _known):
    os.utime(model / "data" / "weights.bin", ns=(1, 1))
    return _known


def lose_the_blob(_model, store, known):
    os.unlink(store.root / blob_name(known["data/weights.bin"].digest, 0))
    return known


def cut_the_blob(_model, store, known):
    path = store.root / blob_name(known["data/weights.bin"].digest, 0)
    path.chmod(0o644)
    os.truncate(path, 5)
    return known


def forget_how_to_recognize_it(_model, _store, known):
    file = known["data/weights.bin"]
    return known | {"data/weights.bin": dataclasses.replace(file, gen=1)}


@pytest.mark.parametrize("trouble", [change_the_file, lose_the_blob, cut_the_blob, forget_how_to_recognize_it])
def test_a_retry_reads_again_what_it_cannot_rely_on(model, open_tree, store, ledger, ingest, trouble):
    copy(open_tree(model), ingest, ledger)
    known = trouble(model, store, ledger.known_files())
    ledger.batches.clear()

    copied = copy(open_tree(model), ingest, ledger, known=known)

    assert ledger.recorded_paths == ["data/weights.bin"]
    store.check_present(copied.blobs)


def test_a_file_that_shows_no_change_is_always_read_again(model, open_tree, ingest, ledger):
    class WithoutTimes:
        at_hand = False

        def __init__(self, tree):
            self._entries = {
                entry.path: (FileEntry(entry.path, entry.size_bytes, 0, 0, ""), entry) for entry in tree.entries()
            }
            self._tree = tree

        def entries(self):
            return [bare for bare, _ in self._entries.values()]

        def open(self, entry):
            return self._tree.open(self._entries[entry.path][1])

    tree = WithoutTimes(open_tree(model))
    copy(tree, ingest, ledger)
    known = ledger.known_files()
    ledger.batches.clear()

    copy(tree, ingest, ledger, known=known)

    assert len(ledger.recorded_paths) == 3


def test_a_rotten_blob_is_repaired_by_good_bytes_and_the_ledger_told(model, open_tree, store, ingest, ledger):
    copied = copy(open_tree(model), ingest, ledger)
    rotten = next(file for file in copied.files if file.path == "data/weights.bin")
    path = store.root / blob_name(rotten.digest, 0)
    path.chmod(0o644)
    path.write_bytes(b"x" * rotten.size_bytes)
    ledger.doubted = {rotten.digest}

    copy(open_tree(model), ingest, ledger)

    assert ledger.found_right == [rotten.digest]
    assert read_blob(store, rotten.digest) == (model / "data" / "weights.bin").read_bytes()


def test_a_source_that_changes_is_not_recorded(model, open_tree, ingest, ledger):
    def meddle(progress):
        if progress.files_done == 1:
            (model / "data" / "weights.bin").write_bytes(b"other")

    with pytest.raises(SourceUnreadable, match="changed while"):
        copy(open_tree(model), ingest, ledger, pulse=meddle)

    assert ledger.batches == []


def many_files(folder, number):
    (folder / "many").mkdir()
    for name in range(number):
        (folder / "many" / f"{name:03}").write_bytes(f"{name % 90}".encode() * 1000)


@pytest.mark.parametrize("threads", [1, 4])
def test_many_files_arrive_however_many_threads_copy_them(model, open_tree, store, ingest, ledger, threads):
    many_files(model, 100)
    told = []

    copied = copy_tree(open_tree(model), ingest, known={}, ledger=ledger, pulse=told.append, threads=threads)

    assert len(copied.files) == 103
    for file in copied.files:
        assert read_blob(store, file.digest) == (model / file.path).read_bytes()
    assert (told[-1].files_done, told[-1].bytes_done) == (103, told[-1].bytes_total)
    assert [progress.bytes_done for progress in told] == sorted(progress.bytes_done for progress in told)


def test_one_bad_file_among_many_ends_the_copy_and_leaves_nothing(model, open_tree, store, ingest, ledger):
    many_files(model, 100)
    tree = open_tree(model)
    listed = tree.entries()
    (model / "many" / "050").write_bytes(b"changed")

    class Listed:
        at_hand = False

        def entries(self):
            return listed

        def open(self, entry):
            return tree.open(entry)

    with pytest.raises(SourceUnreadable, match="050"):
        copy(Listed(), ingest, ledger)

    assert blob_names(store) == []
    assert ledger.batches == []


def test_a_pulse_that_raises_ends_a_copy_by_many_threads(model, open_tree, store, ledger):
    many_files(model, 100)

    def drain(_progress):
        raise Released

    with pytest.raises(Released), store.ingest(7, 1) as ingest:
        copy(open_tree(model), ingest, ledger, pulse=drain)

    assert staged_names(store) == []
    assert blob_names(store) == []


def test_what_does_not_fit_is_refused_before_the_first_byte(model, open_tree, store, ingest, ledger, monkeypatch):
    monkeypatch.setattr(store, "free_bytes", lambda: 25_000)

    with pytest.raises(TemporaryFailure, match=r"25\.6 kB are needed, 25\.0 kB are free.*tried again"):
        copy(open_tree(model), ingest, ledger)

    assert os.listdir(store.root / "ingest" / ingest.name) == []


def test_what_is_stored_already_needs_no_room(model, open_tree, store, ingest, ledger, monkeypatch):
    copy(open_tree(model), ingest, ledger)
    monkeypatch.setattr(store, "free_bytes", lambda: 0)

    copy(open_tree(model), ingest, ledger, known=ledger.known_files())


def entries(*sizes):
    return [FileEntry(f"file {number}", size_bytes, 0, 0, "") for number, size_bytes in enumerate(sizes)]


@pytest.mark.parametrize(
    ("sizes", "most_files", "lengths"),
    [
        ([], 3, []),
        ([1, 1, 1], 3, [3]),
        ([1, 1, 1, 1], 3, [3, 1]),
        ([BATCH_BYTES, 1], 3, [1, 1]),
        ([1, BATCH_BYTES * 4, 1], 3, [1, 1, 1]),
        ([BATCH_BYTES // 2, BATCH_BYTES // 2, 0], 9, [3]),
    ],
)
def test_batches_are_bounded_in_files_and_bytes(sizes, most_files, lengths):
    assert [len(batch) for batch in batches(entries(*sizes), most_files=most_files)] == lengths


def test_bytes_of_our_own_are_stored_without_being_a_file_of_a_job(store, ingest, ledger):
    blob = store_bytes(b"{}", ingest, ledger)

    assert read_blob(store, blob.digest) == b"{}"
    assert ledger.batches[0][0].entry is None


@pytest.mark.parametrize("content", [b"", b"x", bytes(3 << 20)])
@pytest.mark.parametrize("announced", [True, False])
def test_an_upload_is_stored(store, ingest, ledger, content, announced):
    blob = receive_upload(io.BytesIO(content), len(content) if announced else None, ingest, ledger, max_bytes=3 << 20)

    assert blob.size_bytes == len(content)
    assert read_blob(store, blob.digest) == content


@pytest.mark.parametrize(("content", "announced"), [(b"short", 6), (b"", 1), (b"too long", 3)])
def test_a_body_of_another_length_than_announced_is_refused(store, ingest, ledger, content, announced):
    with pytest.raises(InvalidValue, match=f"{announced} were announced"):
        receive_upload(io.BytesIO(content), announced, ingest, ledger, max_bytes=100)

    assert ledger.batches == []
    assert blob_names(store) == []


class Endless:
    """A body without end."""

    def read(self, size):
        return bytes(size)


@pytest.mark.parametrize(("stream", "announced"), [(Endless(), None), (Endless(), 11), (io.BytesIO(b"x"), 1 << 40)])
def test_a_body_above_the_limit_is_refused(store, ingest, ledger, stream, announced):
    with pytest.raises(BodyTooLarge):
        receive_upload(stream, announced, ingest, ledger, max_bytes=10)

    assert blob_names(store) == []
