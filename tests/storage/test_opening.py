"""From a source to its files: which way is taken, and what is said when there is none."""

from pathlib import Path, PurePosixPath

import pytest

from modelyard.errors import SourceRefused, SourceUnreadable, TemporaryFailure
from modelyard.rules.sources import parse_source
from modelyard.storage.opening import check_source, open_source
from modelyard.storage.roots import SourceRoots
from modelyard.storage.tree import Limits

MODEL_ID = "m-0123456789abcdef0123456789abcdef"
OTHER_ID = "m-ffffffffffffffffffffffffffffffff"
MODEL_FOLDER = f"1/models/{MODEL_ID}/artifacts"
NO_ROOTS = SourceRoots([])


def paths_of(text, *, roots=NO_ROOTS, tracking=None):
    with open_source(parse_source(text), roots=roots, tracking=tracking, limits=Limits()) as opened:
        return [entry.path for entry in opened.tree.entries()], opened.run_id


@pytest.fixture
def mlruns(tmp_path):
    """What mlflow 3 leaves on a laptop: a logged model and a run's artifacts, in two experiments of three."""
    root = tmp_path / "project" / "mlruns"
    for folder in (MODEL_FOLDER, "2/r2/artifacts/om", "3"):
        (root / folder).mkdir(parents=True)
    (root / MODEL_FOLDER / "MLmodel").write_text("logged")
    (root / "2/r2/artifacts/om/MLmodel").write_text("of a run")
    (root / "meta.yaml").write_text("x")
    return root


def test_a_path_below_a_root_is_opened(mlruns):
    paths, run_id = paths_of(f"file://{mlruns}/2/r2/artifacts/om", roots=SourceRoots([mlruns]))

    assert (paths, run_id) == (["MLmodel"], None)


# --- through a tracking server


def test_a_logged_model_is_fetched_from_the_tracking_server(far_server, tracking_server):
    far_server.logged_model(MODEL_ID, f"mlflow-artifacts:/{MODEL_FOLDER}", run_id="r9")
    far_server.files[f"{MODEL_FOLDER}/MLmodel"] = b"x"

    assert paths_of(f"models:/{MODEL_ID}", tracking=tracking_server) == (["MLmodel"], "r9")


def test_a_path_of_a_run_is_fetched_from_the_tracking_server(far_server, tracking_server):
    far_server.run("r1", "mlflow-artifacts:/1/r1/artifacts")
    far_server.files["1/r1/artifacts/om/MLmodel"] = b"x"

    assert paths_of("runs:/r1/om", tracking=tracking_server) == (["MLmodel"], "r1")


def test_a_path_of_a_run_may_be_the_name_of_its_logged_model(far_server, tracking_server):
    far_server.run("r1", "mlflow-artifacts:/1/r1/artifacts", MODEL_ID, "m-deleted", OTHER_ID)
    far_server.logged_model(OTHER_ID, "mlflow-artifacts:/other", name="other")
    far_server.logged_model(MODEL_ID, f"mlflow-artifacts:/{MODEL_FOLDER}", name="om")
    far_server.files = {f"{MODEL_FOLDER}/MLmodel": b"x", f"{MODEL_FOLDER}/sub/MLmodel": b"y"}

    assert paths_of("runs:/r1/om", tracking=tracking_server) == (["MLmodel", "sub/MLmodel"], "r1")
    assert paths_of("runs:/r1/om/sub", tracking=tracking_server) == (["MLmodel"], "r1")


def test_artifacts_are_fetched_from_the_tracking_server(far_server, tracking_server):
    far_server.files["0/r1/artifacts/om/MLmodel"] = b"x"

    assert paths_of("mlflow-artifacts:/0/r1/artifacts/om", tracking=tracking_server) == (["MLmodel"], None)


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_files_that_the_server_keeps_on_disk_are_read_below_the_roots(far_server, tracking_server, mlruns, scheme):
    far_server.logged_model(MODEL_ID, f"{scheme}{mlruns}/{MODEL_FOLDER}")

    paths, _ = paths_of(f"models:/{MODEL_ID}", roots=SourceRoots([mlruns]), tracking=tracking_server)

    assert paths == ["MLmodel"]


def test_an_encoded_file_address_of_the_server_is_decoded_as_mlflow_does(far_server, tracking_server, tmp_path):
    (tmp_path / "my model").mkdir()
    (tmp_path / "my model" / "MLmodel").write_text("x")
    far_server.logged_model(MODEL_ID, f"file://{tmp_path}/my%20model")

    paths, _ = paths_of(f"models:/{MODEL_ID}", roots=SourceRoots([tmp_path]), tracking=tracking_server)

    assert paths == ["MLmodel"]


@pytest.mark.parametrize(
    "form", ["{url}/api/2.0/mlflow-artifacts/artifacts/1/a%20b", "mlflow-artifacts://{host}/1/a b"]
)
def test_an_absolute_address_on_the_same_server_is_its_artifact_store(far_server, tracking_server, form):
    host = far_server.url.removeprefix("http://")
    far_server.logged_model(MODEL_ID, form.format(url=far_server.url, host=host))
    far_server.files["1/a b/MLmodel"] = b"x"

    assert paths_of(f"models:/{MODEL_ID}", tracking=tracking_server)[0] == ["MLmodel"]


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("s3a://bucket/key", "out of reach. s3a: sources are not enabled"),
        ("s3://bucket/key", "none of the worker's source buckets.*MODELYARD_SOURCE_BUCKETS"),
        ("http://elsewhere/api/2.0/mlflow-artifacts/artifacts/1", "another host, 'elsewhere'"),
        ("http://user:secret@elsewhere/1", "another host, 'elsewhere'"),
        ("mlflow-artifacts://elsewhere/1", "another host"),
        ("{url}/other/path", "not that of the server's artifact proxy"),
        ("{url}/api/2.0/mlflow-artifacts/artifacts/../../secret", r"'\.\.'"),
        ("mlflow-artifacts:/1/../2", r"'\.\.'"),
        ("/etc", "below none of the worker's source roots"),
        ("file:///etc/%2e%2e/etc", r"'\.\.'"),
        ("file://elsewhere/etc", "names a host"),
        ("./mlruns/1", "relative"),
        ("models:/fraud/1", "no place"),
        ("", "empty"),
    ],
)
def test_an_address_that_no_client_could_name_is_not_read(far_server, tracking_server, uri, message):
    far_server.logged_model(MODEL_ID, uri.format(url=far_server.url))

    with pytest.raises(SourceUnreadable, match=message) as refusal:
        paths_of(f"models:/{MODEL_ID}", tracking=tracking_server)

    assert "secret" not in refusal.value.message or "../secret" in uri


def test_a_tracking_server_that_fails_is_not_replaced_by_a_look_at_the_disk(far_server, tracking_server, mlruns):
    far_server.lies[f"/api/2.0/mlflow/logged-models/{MODEL_ID}"] = (503, {}, b"")

    with pytest.raises(TemporaryFailure):
        paths_of(f"models:/{MODEL_ID}", roots=SourceRoots([mlruns]), tracking=tracking_server)


# --- by MLflow's layout below the roots


@pytest.mark.parametrize("level", [".", ".."])
def test_a_logged_model_is_found_below_the_roots(mlruns, level):
    roots = SourceRoots([(mlruns / level).resolve()])

    assert paths_of(f"models:/{MODEL_ID}", roots=roots) == (["MLmodel"], None)


def test_a_path_of_a_run_is_found_below_the_roots(mlruns):
    assert paths_of("runs:/r2/om", roots=SourceRoots([mlruns])) == (["MLmodel"], "r2")


def test_artifacts_are_found_below_the_roots(mlruns):
    assert paths_of("mlflow-artifacts:/2/r2/artifacts/om", roots=SourceRoots([mlruns]))[0] == ["MLmodel"]


def test_what_the_tracking_server_does_not_know_is_looked_for_below_the_roots(tracking_server, mlruns):
    roots = SourceRoots([mlruns])

    assert paths_of(f"models:/{MODEL_ID}", roots=roots, tracking=tracking_server)[0] == ["MLmodel"]
    assert paths_of("runs:/r2/om", roots=roots, tracking=tracking_server)[0] == ["MLmodel"]


def test_roots_within_each_other_find_a_folder_once(mlruns):
    roots = SourceRoots([mlruns, mlruns.parent, mlruns])

    assert paths_of(f"models:/{MODEL_ID}", roots=roots)[0] == ["MLmodel"]


def test_a_model_in_two_places_is_not_guessed(mlruns):
    (mlruns / "3" / "models" / MODEL_ID / "artifacts").mkdir(parents=True)

    with pytest.raises(SourceUnreadable, match="2 folders below the source roots"):
        paths_of(f"models:/{MODEL_ID}", roots=SourceRoots([mlruns]))


def test_links_in_the_layout_are_not_followed(mlruns, tmp_path):
    (mlruns / "3" / "models").symlink_to(mlruns / "1" / "models")
    (mlruns / "4").symlink_to(mlruns / "2")
    roots = SourceRoots([mlruns])

    assert paths_of(f"models:/{MODEL_ID}", roots=roots)[0] == ["MLmodel"]
    assert paths_of("runs:/r2/om", roots=roots)[0] == ["MLmodel"]


@pytest.mark.parametrize("text", [f"models:/{OTHER_ID}", "runs:/r9/om", "runs:/r2/missing", "mlflow-artifacts:/9/x"])
def test_what_is_nowhere_is_said_with_the_settings_that_help(mlruns, text):
    with pytest.raises(SourceUnreadable) as failure:
        paths_of(text, roots=SourceRoots([mlruns]))

    for word in (
        text,
        "was not found",
        "MODELYARD_TRACKING_URI",
        "MODELYARD_SOURCE_ROOTS",
        'registry_uri="databricks"',
    ):
        assert word in failure.value.message


def test_no_descriptor_is_left_open(mlruns, far_server, tracking_server):
    def open_descriptors():
        return len(list(Path("/dev/fd").iterdir()))

    roots = SourceRoots([mlruns, mlruns.parent])
    before = open_descriptors()

    for text in (f"models:/{MODEL_ID}", "runs:/r2/om", "mlflow-artifacts:/2/r2/artifacts/om", str(mlruns / "2/r2")):
        with (
            pytest.raises(ZeroDivisionError),
            open_source(parse_source(text), roots=roots, tracking=None, limits=Limits()),
        ):
            raise ZeroDivisionError

    assert open_descriptors() == before


# --- at request time


@pytest.mark.parametrize(
    ("text", "has_roots", "tracking", "permitted", "message"),
    [
        ("models:/fraud/1", False, False, True, None),
        ("dbfs:/databricks/mlflow/tmp-external-source/id/m", False, False, True, None),
        ("{root}/m", True, False, True, None),
        ("{root}/m", False, True, True, "MODELYARD_SOURCE_ROOTS"),
        ("/etc", True, True, True, "lies outside"),
        (f"models:/{MODEL_ID}", False, True, True, None),
        (f"models:/{MODEL_ID}", True, False, True, None),
        (f"models:/{MODEL_ID}", False, False, True, "MODELYARD_TRACKING_URI"),
        ("runs:/r1/m", False, False, True, "MODELYARD_SOURCE_ROOTS"),
        ("mlflow-artifacts:/1/m", False, False, True, "MODELYARD_TRACKING_URI"),
        ("runs:/r1/m", True, True, False, "MODELYARD_TRACKING_SHARED"),
        (f"models:/{MODEL_ID}", False, True, False, "MODELYARD_TRACKING_SHARED"),
        ("runs:/r1/m", True, False, False, None),
        ("{root}/m", True, True, False, None),
    ],
)
def test_a_source_that_no_worker_could_read_is_refused_in_the_request(
    tmp_path, text, has_roots, tracking, permitted, message
):
    source = parse_source(text.format(root=tmp_path))
    roots = SourceRoots([tmp_path] if has_roots else [])

    if message is None:
        check_source(source, roots=roots, tracking_configured=tracking, runs_permitted=permitted)
        return
    with pytest.raises(SourceRefused, match=message) as refusal:
        check_source(source, roots=roots, tracking_configured=tracking, runs_permitted=permitted)
    assert 'registry_uri="databricks"' in refusal.value.message


def test_the_request_does_not_ask_whether_a_folder_exists(tmp_path):
    check_source(
        parse_source(str(PurePosixPath(tmp_path) / "gone")), roots=SourceRoots([tmp_path]), tracking_configured=False
    )
