"""What the run of a version logged, beside the version and beside other versions."""

from collections.abc import Callable, Iterator

import pytest

from tests.ui.tracking import RUN, Tracking
from tests.web.ui.reader import Reader, elements, text_of
from tests.web.yards import Yard

OTHER = "1" * 32
UNKNOWN = "2" * 32


@pytest.fixture
def tracking() -> Iterator[Tracking]:
    """A tracking server with two runs."""
    server = Tracking()
    server.runs[OTHER] = {
        "info": {"run_id": OTHER, "run_name": "<b>bold</b>", "status": "FINISHED"},
        "data": {"metrics": [{"key": "rmse", "value": 0.25}, {"key": "nan", "value": "NaN"}], "params": []},
    }
    yield server
    server.stop()


def versions(yard: Yard, *runs: str) -> Reader:
    """Register a version of m for each run."""
    for run in runs:
        yard.ready("m", source=yard.model_folder(run or "none"), run_id=run)
    return Reader(yard)


def test_metrics_and_parameters_of_the_run_stand_on_a_tab_of_the_version(
    open_yard: Callable[..., Yard], tracking: Tracking
) -> None:
    reader = versions(open_yard(tracking_uri=tracking.url), RUN)

    html = reader.open("/models/m/versions/1/metrics")

    assert "Logged by run gbm-retrain-0121" in text_of(html)
    assert "rmse0.118" in text_of(html)
    assert "depth6" in text_of(html)
    assert elements(html, "a", href="/models/m/versions/1/metrics")[0]["aria-current"] == "page"


def test_a_run_that_cannot_be_read_is_a_sentence_and_no_error(
    open_yard: Callable[..., Yard], tracking: Tracking
) -> None:
    reader = versions(open_yard(tracking_uri=tracking.url), UNKNOWN, "")

    assert f"Run {UNKNOWN} cannot be read." in text_of(reader.open("/models/m/versions/1/metrics"))
    assert "registered without a run" in text_of(reader.open("/models/m/versions/2/metrics"))
    tracking.stop()
    assert "Try again in a moment." in text_of(reader.open("/models/m/versions/1/metrics"))


def test_without_a_tracking_server_the_tab_says_what_to_set(open_yard: Callable[..., Yard]) -> None:
    reader = versions(open_yard(), RUN)

    assert "The operator sets MODELYARD_TRACKING_URI" in text_of(reader.open("/models/m/versions/1/metrics"))
    compared = text_of(reader.open("/models/m/compare?v=1"))
    assert "Choose two to five versions." in compared


def test_runs_that_only_the_server_may_read_are_not_shown_to_everybody(
    open_yard: Callable[..., Yard], tracking: Tracking
) -> None:
    yard = open_yard(tracking_uri=tracking.url, tracking_token="secret", auth="token", admin_token="right")
    yard.token = "right"
    yard.ready("m", source=yard.model_folder("x"), run_id=RUN)
    reader = Reader(yard)
    form = elements(reader.open("/login"), "meta", name="form-token")[0]["content"]
    reader.client.post("/login", data={"form_token": form, "token": "right"})

    html = text_of(reader.open("/models/m/versions/1/metrics"))

    assert "MODELYARD_TRACKING_SHARED=true" in html
    assert "rmse" not in html


def test_compared_versions_show_which_run_had_the_highest_value(
    open_yard: Callable[..., Yard], tracking: Tracking
) -> None:
    reader = versions(open_yard(tracking_uri=tracking.url), RUN, OTHER)

    html = reader.open("/models/m/compare?v=1&v=2")

    assert "rmse differs0.25 (highest)0.118 (lowest)" in text_of(html)
    assert "nan differsNaN—" in text_of(html)
    assert "depth differs—6" in text_of(html)
    tracking.runs.clear()
    assert "Metrics and parameters of runs are missing" in text_of(reader.open("/models/m/compare?v=1&v=2"))


def test_a_run_that_is_gone_hides_no_other_one_in_a_comparison(
    open_yard: Callable[..., Yard], tracking: Tracking
) -> None:
    reader = versions(open_yard(tracking_uri=tracking.url), RUN, UNKNOWN, OTHER)

    html = text_of(reader.open("/models/m/compare?v=1&v=2&v=3"))

    assert f"Run {UNKNOWN} cannot be read." in html
    assert "0.118" in html
    assert "0.25" in html


def test_a_server_that_is_away_is_asked_once_for_a_whole_comparison(
    open_yard: Callable[..., Yard], tracking: Tracking
) -> None:
    reader = versions(open_yard(tracking_uri=tracking.url), RUN, OTHER)
    tracking.stop()

    html = text_of(reader.open("/models/m/compare?v=1&v=2"))

    assert f"Run {OTHER} cannot be read." in html
    assert f"Run {RUN} cannot be read." not in html
