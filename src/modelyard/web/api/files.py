"""The list of a version's files with their digests, in the native API."""

from bisect import bisect_right
from typing import Annotated, NotRequired

from pydantic import Field

# pydantic reads `typing.TypedDict` from Python 3.12 on only.
from typing_extensions import TypedDict

from modelyard.database.session import reading
from modelyard.registry.downloads import managed_files
from modelyard.registry.model_versions import read_model_version
from modelyard.web.api.arguments import WRITTEN, Text
from modelyard.web.api.care import NamedVersion
from modelyard.web.api.downloads import ARTIFACTS
from modelyard.web.api.paging import question_of
from modelyard.web.api.version_files import VERSIONS_FOLDER, read_index
from modelyard.web.identity import current_actor
from modelyard.web.site import site


class ListFiles(NamedVersion):
    """What a list of files is asked for."""

    max_results: Annotated[int, Field(ge=1, le=10_000), WRITTEN] = Field(10_000, examples=[10_000])
    page_token: Text = Field("", description="The next_page_token of the page before.")


class FileAnswer(TypedDict):
    """One file."""

    path: Annotated[str, Field(description="Relative to the version's root, with slashes.")]
    size_bytes: int
    sha256: str


class FileList(TypedDict):
    """Some of a version's files, sorted by path, and where they are fetched."""

    artifact_uri: Annotated[str, Field(description="A file's address is this, a slash and its path, percent-encoded.")]
    manifest_sha256: Annotated[str, Field(description="The digest of the OCI manifest that lists exactly these files.")]
    file_count: int
    size_bytes: int
    files: list[FileAnswer]
    next_page_token: NotRequired[Annotated[str, Field(description="Asks for the page behind; absent on the last.")]]


def list_files(asked: ListFiles) -> FileList:
    """List the files of a version with their digests, sorted by path."""
    with reading(site().engine) as session:
        model, version = read_model_version(session, current_actor(), asked.name, asked.version)
        files = managed_files(session, model.name, version)
    listed = list(read_index(files).files.values())
    # A token of another version's list would leave out files without a word.
    question = question_of("files", files.manifest.digest)
    after = str(site().signer.open_page(asked.page_token, question)[0]) if asked.page_token else ""
    start = bisect_right(listed, after, key=lambda file: file.path)
    shown = listed[start : start + asked.max_results]
    page: FileList = {
        "artifact_uri": f"{site().public_url}{ARTIFACTS}/{VERSIONS_FOLDER}/{version.public_id}",
        "manifest_sha256": files.manifest.digest,
        "file_count": len(listed),
        "size_bytes": sum(file.size_bytes for file in listed),
        "files": [{"path": file.path, "size_bytes": file.size_bytes, "sha256": file.digest} for file in shown],
    }
    if start + len(shown) < len(listed):
        page["next_page_token"] = site().signer.sign_page(question, [shown[-1].path])
    return page
