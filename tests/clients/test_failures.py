"""What the user of a real client reads when something is wrong."""

from collections.abc import Callable

import pytest

from tests.clients.environments import ClientEnvironment
from tests.systems import System


def test_the_reason_of_a_failed_registration_reaches_the_user_word_for_word(
    mlflow3: ClientEnvironment, start_system: Callable[..., System]
) -> None:
    source = mlflow3.home / "not-a-model"
    source.mkdir()
    (source / "notes.txt").write_text("There is no MLmodel file beside me.")
    system = start_system(source_roots=mlflow3.home)

    answer = mlflow3.run("failed_registration.py", {"registry_uri": system.url, "source": source})

    assert answer["status"] == "FAILED_REGISTRATION"
    assert "MLmodel" in answer["status_message"]
    assert answer["status_message"] in answer["raised"]


@pytest.mark.parametrize(
    ("registry_uri", "variable"),
    [("{url}", "MLFLOW_TRACKING_TOKEN"), ("databricks", "DATABRICKS_TOKEN")],
    ids=["http", "databricks"],
)
@pytest.mark.parametrize(
    ("token", "error_code"),
    # A right one opens everything in the tests of people.
    [pytest.param("right", "", marks=pytest.mark.more), ("wrong", "CUSTOMER_UNAUTHORIZED")],
)
def test_a_wrong_token_is_refused_with_a_code_that_every_client_knows(
    mlflow3: ClientEnvironment,
    start_system: Callable[..., System],
    registry_uri: str,
    variable: str,
    token: str,
    error_code: str,
) -> None:
    system = start_system(auth="token", admin_token="right")
    given: dict[str, object] = {"registry_uri": registry_uri.format(url=system.url)}

    answer = mlflow3.run("one_call.py", given, **{"DATABRICKS_HOST": system.url, variable: token})

    assert answer["error_code"] == error_code, answer["message"]
