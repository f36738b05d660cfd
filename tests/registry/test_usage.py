"""How many bytes are stored and shared, counted on both databases."""

import pytest
from sqlalchemy import insert, update

from modelyard.database.session import reading, transaction
from modelyard.database.tables import ModelVersion
from modelyard.registry.blobs import blobs, manifest_blobs, manifests
from modelyard.registry.usage import RegistryUsage, Usage, model_usage, registry_usage, version_usage

MANIFEST_BYTES = 1


@pytest.fixture
def store(desk):
    """A function that registers a version of `name` with these files, as letter -> size in bytes."""

    def register(name, **files):
        version = desk.pending(name)
        digest = ("m" + "".join(sorted(files))).ljust(64, "0")
        with transaction(desk.engine) as session:
            known = set(session.scalars(blobs.select().with_only_columns(blobs.c.digest)))
            sizes = {letter.ljust(64, "0"): size for letter, size in files.items()} | {digest: MANIFEST_BYTES}
            for each, size_bytes in sizes.items():
                if each not in known:
                    session.execute(insert(blobs).values(digest=each, size_bytes=size_bytes, touched_at_ms=1))
            if digest not in known:
                session.execute(insert(manifests).values(digest=digest, file_count=len(files), size_bytes=1))
                rows = [{"manifest_digest": digest, "digest": each} for each in sizes]
                session.execute(insert(manifest_blobs), rows)
            session.execute(
                update(ModelVersion)
                .where(ModelVersion.id == version.id)
                .values(status="READY", manifest_digest=digest, size_bytes=sum(files.values()))
            )
        return version

    for name in ("m", "n"):
        desk.model(name)
    return register


def ask(desk, question, *arguments):
    with reading(desk.engine) as session:
        return question(session, *arguments)


def test_a_version_shares_what_another_version_holds_too(desk, store):
    first, second = store("m", a=100, b=20), store("m", b=20, c=3)

    assert ask(desk, version_usage, first.id) == Usage(stored_blobs=3, stored_bytes=121, own_blobs=2, own_bytes=101)
    assert ask(desk, version_usage, second.id).shared_bytes == 20


def test_equal_versions_share_everything(desk, store):
    first, _second = store("m", a=100), store("n", a=100)

    usage = ask(desk, version_usage, first.id)

    assert (usage.own_bytes, usage.shared_bytes) == (0, 101)


def test_a_model_shares_only_with_other_models(desk, store):
    version = store("m", a=100, b=20)
    store("m", a=100, c=3)
    store("n", b=20)

    usage = ask(desk, model_usage, version.model_id)

    assert usage == Usage(stored_blobs=5, stored_bytes=100 + 20 + 3 + 2, own_blobs=4, own_bytes=100 + 3 + 2)


def test_what_is_in_the_trash_still_holds_its_bytes(desk, store):
    first, second = store("m", a=100), store("m", a=100, b=20)
    with transaction(desk.engine) as session:
        session.execute(update(ModelVersion).where(ModelVersion.id == second.id).values(deleted_at_ms=1))

    assert ask(desk, version_usage, first.id).own_bytes == 1
    assert ask(desk, registry_usage).trash_bytes == 21


def test_a_version_without_files_takes_nothing(desk, store):
    version = desk.pending("m")

    assert ask(desk, version_usage, version.id) == Usage(0, 0, 0, 0)


def test_the_registry_counts_each_blob_once(desk, store):
    store("m", a=100, b=20)
    store("n", b=20, c=3)
    with transaction(desk.engine) as session:
        session.execute(insert(blobs).values(digest="f" * 64, size_bytes=7000, touched_at_ms=1))
        session.execute(insert(blobs).values(digest="e" * 64, size_bytes=9000, touched_at_ms=1, state="gone"))

    assert ask(desk, registry_usage) == RegistryUsage(
        models=2,
        versions=2,
        version_bytes=143,
        stored_blobs=6,
        stored_bytes=7125,
        shared_bytes=20,
        trash_bytes=0,
        unreferenced_bytes=7000,
    )
