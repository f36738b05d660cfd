"""The store on disk: whose it is, what can be read from it, and what lies in flight."""

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from modelyard.errors import ConfigurationError, NotFound, TemporaryFailure
from modelyard.storage.copying import store_bytes
from modelyard.storage.identity import Owner
from modelyard.storage.local_store import LocalStore
from modelyard.storage.store import StoredBlob, blob_name
from tests.storage.conftest import OURS

CONTENT = b"0123456789" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def stored(store, ingest, ledger):
    """A store that holds CONTENT."""
    store_bytes(CONTENT, ingest, ledger)
    return store


def test_a_new_store_gets_an_owner_and_keeps_it(tmp_path):
    first = LocalStore(tmp_path / "store").create_or_check(OURS)
    second = LocalStore(tmp_path / "store").create_or_check(OURS)

    assert first == second
    document = json.loads((tmp_path / "store" / "store.json").read_bytes())
    assert document == {"owner": "registry-a", "database": "database-1", "store_id": first.store_id}


def test_of_many_that_come_at_once_one_becomes_the_owner(store):
    def claim(number):
        try:
            return store.create_or_check(Owner(f"registry-{number}", ""))
        except ConfigurationError:
            return None

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(claim, range(32)))

    assert len([answer for answer in answers if answer]) == 1
    assert os.listdir(store.root / "ingest") == []


def test_a_folder_that_cannot_be_used_is_said(tmp_path):
    (tmp_path / "file").write_text("x")

    with pytest.raises(ConfigurationError, match="MODELYARD_STORE_URL"):
        LocalStore(tmp_path / "file" / "store")


def test_a_store_in_two_file_systems_is_refused(store, monkeypatch):
    class OtherDevice:
        st_dev = -1

    real = os.stat
    monkeypatch.setattr(os, "stat", lambda path, **o: OtherDevice() if path == "ingest" else real(path, **o))

    with pytest.raises(ConfigurationError, match="different file systems"):
        store.check_one_file_system()


@pytest.mark.parametrize(("gen", "name"), [(0, f"blobs/sha256/{DIGEST[:2]}/{DIGEST}"), (3, f"{DIGEST}.3")])
def test_generation_0_has_the_bare_name(gen, name):
    assert blob_name(DIGEST, gen).endswith(name)


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "a" * 63, "a" * 63 + "/", f"sha256:{DIGEST}"])
def test_a_name_is_made_from_nothing_but_a_digest(digest):
    with pytest.raises(ValueError, match="not a SHA-256"):
        blob_name(digest, 0)


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [(0, None, CONTENT), (5, 10, CONTENT[5:15]), (9995, None, CONTENT[9995:]), (3, 0, b""), (10000, None, b"")],
)
def test_a_blob_is_read_in_ranges(stored, start, length, expected):
    with stored.open_blob(DIGEST, 0, len(CONTENT)) as blob:
        assert b"".join(blob.pieces(start, length)) == expected


def test_large_blobs_leave_in_pieces(stored, ingest, ledger):
    large = store_bytes(bytes(3 << 20), ingest, ledger)

    with stored.open_blob(large.digest, 0) as blob:
        assert [len(piece) for piece in blob.pieces()] == [1 << 20] * 3


def test_a_blob_cannot_be_written(stored):
    assert (stored.root / blob_name(DIGEST, 0)).stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize(("digest", "gen"), [("a" * 64, 0), (DIGEST, 1)])
def test_a_blob_that_is_not_there_is_not_found(stored, digest, gen):
    assert stored.blob_size(digest, gen) is None
    with pytest.raises(NotFound):
        stored.open_blob(digest, gen)


def test_a_cut_blob_is_never_served_as_a_short_file(stored):
    path = stored.root / blob_name(DIGEST, 0)
    with stored.open_blob(DIGEST, 0, len(CONTENT)) as blob:
        path.chmod(0o644)
        os.truncate(path, 100)

        with pytest.raises(EOFError):
            list(blob.pieces())

    with pytest.raises(NotFound, match="broken"):
        stored.open_blob(DIGEST, 0, len(CONTENT))


def test_a_link_among_the_blobs_is_not_followed(stored, tmp_path):
    (tmp_path / "secret").write_bytes(CONTENT)
    (stored.root / blob_name(DIGEST, 1)).symlink_to(tmp_path / "secret")

    assert stored.blob_size(DIGEST, 1) is None
    with pytest.raises(NotFound):
        stored.open_blob(DIGEST, 1)


def test_the_last_look_before_ready_finds_what_is_missing(stored):
    there = StoredBlob(DIGEST, 0, len(CONTENT))
    stored.check_present([there])

    for missing in (StoredBlob(DIGEST, 1, len(CONTENT)), StoredBlob(DIGEST, 0, 1)):
        with pytest.raises(TemporaryFailure, match=DIGEST):
            stored.check_present([there, missing])


def test_work_in_flight_is_listed_and_removed(store):
    with store.ingest(41, 2) as ingest:
        (store.root / "ingest" / "stranger").mkdir()
        (store.root / "ingest" / ingest.name / "file").write_text("x")
        [staging] = store.list_staging()

        store.remove_staging(staging.name)

        assert (staging.job_id, staging.attempt) == (41, 2)
        assert 0 <= staging.age_s < 60
        assert store.list_staging() == []


def test_removing_what_is_gone_is_no_error(store):
    store.remove_staging("1-1-00000000")


@pytest.mark.parametrize("name", ["..", "../blobs", "1-1", "1-1-0000000g", ""])
def test_only_staging_folders_are_removed(store, name):
    with pytest.raises(ValueError, match="not a staging folder"):
        store.remove_staging(name)


def test_free_space_is_told(store):
    assert store.free_bytes() > 0


def test_every_blob_is_listed_and_nothing_else(stored, ingest, ledger):
    store_bytes(b"other", ingest, ledger)
    other = hashlib.sha256(b"other").hexdigest()
    folder = stored.root / "blobs" / "sha256"
    (folder / DIGEST[:2] / f"{DIGEST}.3").write_bytes(b"of a later generation")
    (folder / DIGEST[:2] / f"{DIGEST}.tmp").write_bytes(b"x")
    (folder / DIGEST[:2] / f"{DIGEST}.4").mkdir()
    (folder / "stray").write_bytes(b"x")

    found = list(stored.list_blobs())

    expected = [(DIGEST, 0, len(CONTENT)), (DIGEST, 3, 21), (other, 0, 5)]
    assert [(blob.digest, blob.gen, blob.size_bytes) for blob in found] == sorted(expected)
    assert all(0 <= blob.age_s < 60 for blob in found)


def test_a_removed_blob_is_gone_and_its_other_generations_stay(stored):
    later = stored.root / blob_name(DIGEST, 1)
    later.write_bytes(CONTENT)

    assert stored.remove_blob(DIGEST, 0) is True
    assert stored.remove_blob(DIGEST, 0) is False
    assert stored.blob_size(DIGEST, 0) is None
    assert stored.blob_size(DIGEST, 1) == len(CONTENT)
