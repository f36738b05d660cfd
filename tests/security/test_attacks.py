"""Every attack gets what docs/security.md says."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from modelyard.rules.buckets import BucketFolder
from tests.security import page
from tests.security.attacks import ATTACKS, BUCKETS, Attack
from tests.security.scene import Scene
from tests.servers import SeaweedFS
from tests.storage.cloud.faulty_proxy import FaultyProxy
from tests.storage.far_server import FarServer
from tests.web.conftest import open_yard as open_yard
from tests.web.yards import Yard

PAGE = Path(__file__).parents[2] / "docs" / "security.md"


@pytest.fixture
def line(request: pytest.FixtureRequest, attack: Attack, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    """A line to an S3 server; to nowhere for attacks that come another way."""
    server: SeaweedFS | None = request.getfixturevalue("s3") if attack.section == BUCKETS else None
    line = FaultyProxy(server.url if server else "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL", line.url)
    yield line
    line.stop()


@pytest.fixture
def scene(
    open_yard: Callable[..., Yard], tmp_path: Path, line: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    """A scene that allows one root, one folder of a bucket and one tracking server."""
    far = FarServer()
    bucket = BucketFolder("s3", "models", f"attacks/{uuid4().hex}")
    yard = open_yard(tracking_uri=far.url, source_buckets=str(bucket), source_max_files=1000, max_upload_bytes=4096)
    yield Scene(yard, tmp_path, far, line, bucket, monkeypatch)
    far.stop()
    # pytest's own way of clearing up does not come down 2,000 levels.
    subprocess.run(["rm", "-rf", str(tmp_path / "sources")], check=True)


# What an attack gets hardly depends on the database; half a minute of PostgreSQL is left to `make test-more`.
@pytest.mark.parametrize("database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.more)], indirect=True)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.section}: {attack.what}")
def test_an_attack_gets_what_the_page_says(scene: Scene, attack: Attack) -> None:
    outcome = attack.act(scene)

    assert (outcome.status, attack.answer in outcome.words) == (attack.status, True), outcome
    assert "the secret" not in outcome.words
    assert "key:secret" not in outcome.words


@pytest.mark.more
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_file_more_than_every_installation_allows_is_refused_before_any_is_copied(
    open_yard: Callable[..., Yard],
) -> None:
    yard = open_yard()
    folder = yard.model_folder()
    for number in range(100_000):
        (folder / str(number)).touch()

    yard.register(source=folder)
    yard.work()

    assert "more than 100000 files" in yard.version()["status_message"]
    assert list(yard.runtime.store.list_blobs()) == []


def test_the_page_is_written_from_the_table() -> None:
    assert PAGE.read_text() == page.written(), "Write it anew: python -m tests.security.page > docs/security.md"
