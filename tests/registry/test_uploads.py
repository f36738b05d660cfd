"""The landing zone."""

import pytest

from modelyard.database.session import reading, transaction
from modelyard.errors import InvalidValue, NotFound, SourceRefused
from modelyard.registry.access import Actor
from modelyard.registry.blobs import record_upload
from modelyard.registry.uploads import (
    UploadedEntry,
    UploadLedger,
    check_upload_path,
    list_uploads,
    upload_status,
)
from modelyard.storage.copying import StoredFile
from tests.registry.desks import ANN, Desk


def upload(desk: Desk, *paths: str, actor: Actor = ANN) -> None:
    for number, path in enumerate(paths, start=1):
        file = StoredFile(f"{number:064x}", number, None)
        UploadLedger(desk.engine, trust_ms=1000).record([file])
        with transaction(desk.engine) as session:
            record_upload(
                session, actor_name=actor.name, path=path, digest=file.digest, size_bytes=file.size_bytes, hours=1
            )


def test_a_folder_lists_what_lies_directly_in_it(desk: Desk) -> None:
    upload(desk, "id/model/MLmodel", "id/model/data/a", "id/model/data/b", "id2/x")

    with reading(desk.engine) as session:
        assert list_uploads(session, ANN, "id/model") == [
            UploadedEntry("id/model/MLmodel", 1),
            UploadedEntry("id/model/data", None),
        ]
        assert list_uploads(session, ANN, "id") == [UploadedEntry("id/model", None)]


def test_a_file_lists_itself(desk: Desk) -> None:
    upload(desk, "id/a")

    with reading(desk.engine) as session:
        assert list_uploads(session, ANN, "id/a") == [UploadedEntry("id/a", 1)]
        assert upload_status(session, ANN, "id/a") == UploadedEntry("id/a", 1)
        assert upload_status(session, ANN, "id") == UploadedEntry("id", None)


def test_nothing_is_seen_that_another_uploaded(desk: Desk) -> None:
    upload(desk, "id/a")

    with reading(desk.engine) as session, pytest.raises(NotFound):
        list_uploads(session, Actor("bob", is_admin=True), "id")


def test_registering_an_upload_gives_its_files_to_the_job(desk: Desk) -> None:
    desk.model()
    upload(desk, "id/MLmodel", "id/data", "id/registered_model_meta")

    desk.pending(source="dbfs:/databricks/mlflow/tmp-external-source/id/m-1")

    (job,) = desk.jobs()
    assert job.arguments["upload_folder"] == "id"


def test_what_another_uploaded_cannot_be_registered(desk: Desk) -> None:
    desk.model()
    upload(desk, "id/model/MLmodel", actor=Actor("bob", is_admin=True))

    with pytest.raises(SourceRefused, match="Nothing was uploaded"):
        desk.pending(source="dbfs:/databricks/mlflow/tmp-external-source/id/model")


@pytest.mark.parametrize("path", ["x" * 1025, "ä" * 513, "a\0b"])
def test_a_path_that_no_store_takes_is_refused(path: str) -> None:
    with pytest.raises(InvalidValue):
        check_upload_path(path)
