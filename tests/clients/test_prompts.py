"""Prompts of the real mlflow clients: models to us, but never among them, and nothing is copied for them."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.clients.environments import ClientEnvironment
from tests.systems import System

EXPECTED: dict[str, Any] = {
    "registered": ["greeting", "1"],
    "first": "Hello {{name}}.",
    "live": "Good morning, Ann!",
    "models": ["model"],
    "model of a prompt's name": "RESOURCE_ALREADY_EXISTS",
    "prompt of a model's name": "INVALID_PARAMETER_VALUE",
}
# mlflow 2 cannot search them.
FOUND = {"prompts": ["greeting"]}


@pytest.mark.parametrize("release", ["mlflow3", pytest.param("mlflow2", marks=pytest.mark.more)])
def test_prompts_are_registered_loaded_and_found_and_nothing_is_copied(
    client_environment: Callable[[str], ClientEnvironment], start_system: Callable[..., System], release: str
) -> None:
    system = start_system()

    seen = client_environment(release).run("prompts_session.py", {"registry_uri": system.url})

    assert seen == (EXPECTED | FOUND if release == "mlflow3" else EXPECTED)
    assert system.request("GET", "/api/v1/jobs").json() == {"jobs": []}
