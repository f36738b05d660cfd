"""The page that defines the workflow, section by section in its order, in one sitting: two people and a real mlflow.

Its two calls that no client of today accepts are written as such a client needs them: the filter with quotes around
the name, and a transition without a description.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.clients.conftest import TrackingServer, client_environment, mlflow3, tracking_server
from tests.clients.environments import ClientEnvironment
from tests.systems import System
from tests.ui.conftest import Visit
from tests.ui.registry import Registry, path_of
from tests.ui.test_approvals import answer, ask, sign_in
from tests.ui.test_stages import open_transition
from tests.waiting import wait_until

__all__ = ["client_environment", "mlflow3", "tracking_server"]

NAME, EMPTY = "scikit-learn-power-forecasting", "created-empty"
ADMIN = "the-administrators-token"
LONG = "Gradient-boosted decision trees on wind and hour of the day."


@pytest.fixture
def registry(tmp_path: Path, tracking_server: TrackingServer) -> Iterator[Registry]:
    """A system behind locked doors that knows the tracking server."""
    system = System(tmp_path / "system", auth="token", admin_token=ADMIN, tracking_uri=tracking_server.url, sweep_s=1)
    system.start()
    yield Registry(system)
    system.stop()


@dataclass
class Sitting:
    """Ann, who owns the models, and Ben, who may read them, each in a browser; and Ann's mlflow."""

    registry: Registry
    client: ClientEnvironment
    tracking: TrackingServer
    ann: Page
    ben: Page
    token: str

    def mlflow(self, step: str, **given: str) -> Any:
        """Run a step of the client's session."""
        where = {"tracking_uri": self.tracking.url, "registry_uri": self.registry.url}
        return self.client.run("page_session.py", {"step": step, **where, **given}, MLFLOW_TRACKING_TOKEN=self.token)


@pytest.fixture
def sitting(
    registry: Registry, visit: Callable[..., Visit], mlflow3: ClientEnvironment, tracking_server: TrackingServer
) -> Sitting:
    """Both people, signed in."""
    pages, tokens = [], []
    for person in ("ann", "ben"):
        registry.native("POST", "/api/v1/users", {"name": person})
        tokens.append(str(registry.native("POST", "/api/v1/tokens", {"user": person, "scope": "write"})["token"]))
        pages.append(visit().page)
        sign_in(pages[-1], tokens[-1])
    return Sitting(registry, mlflow3, tracking_server, pages[0], pages[1], tokens[0])


def test_the_page_from_its_first_sentence_to_its_last(sitting: Sitting) -> None:
    sitting.mlflow("log")

    register_a_logged_model(sitting)
    create_a_model_and_assign_another_run(sitting)
    register_by_the_api(sitting)
    let_ben_read(sitting)
    move_and_ask(sitting)
    keep_one_in_production(sitting)
    annotate(sitting)
    search(sitting)
    manage_by_the_api(sitting)
    delete(sitting)


def open_run(page: Page, name: str) -> Locator:
    """Go to a run as a person does; return the part of its page with the artifacts."""
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Models", exact=True).click()
    page.get_by_role("link", name="Register", exact=True).first.click()
    page.get_by_role("link", name="from a run").click()
    page.get_by_role("link", name="power", exact=True).click()
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
    return page.locator("#artifacts")


def register_a_logged_model(sitting: Sitting) -> None:
    """Register an existing logged model: run, folder, button, dialog, link."""
    page = sitting.ann
    artifacts = open_run(page, "first-run")
    facts = page.get_by_role("region", name="Metrics and parameters")
    expect(facts).to_contain_text("rmse")
    expect(facts).to_contain_text("trees")
    artifacts.get_by_role("link", name="power-model", exact=True).click()
    expect(artifacts).to_contain_text("MLmodel")
    artifacts.get_by_role("link", name="Register Model").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Model", exact=True).select_option(label="Create New Model")
    dialog.get_by_label("Model Name").fill(NAME)
    dialog.get_by_role("button", name="Register").click()

    link = artifacts.get_by_role("link", name="Version 1")
    expect(link).to_be_visible()
    expect(artifacts.get_by_role("link", name="Register Model")).to_have_count(0)
    link.click()
    expect(page).to_have_url(re.compile(f"{path_of(NAME, '1')}$"))
    expect(page.locator("#version-head .state.ready").first).to_have_text("Ready")
    stored = sitting.registry.system.call("GET", "model-versions/get-download-uri", name=NAME, version="1")
    assert "power-model" not in stored["artifact_uri"]
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Models", exact=True).click()
    expect(page.get_by_role("link", name=NAME, exact=True)).to_be_visible()


def create_a_model_and_assign_another_run(sitting: Sitting) -> None:
    """Create a new registered model and assign a logged model to it."""
    page = sitting.ann
    page.get_by_role("link", name="Create Model").first.click()
    page.get_by_role("dialog").get_by_label("Name", exact=True).fill(EMPTY)
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    expect(page.get_by_text("No versions yet")).to_be_visible()
    artifacts = open_run(page, "second-run")
    artifacts.get_by_role("link", name="power-model", exact=True).click()
    artifacts.get_by_role("link", name="Register Model").click()
    page.get_by_role("dialog").get_by_label("Model", exact=True).select_option(EMPTY)
    page.get_by_role("dialog").get_by_role("button", name="Register").click()

    expect(artifacts.get_by_role("link", name="Version 1")).to_be_visible()
    assert sitting.registry.status(EMPTY, "1") == "READY"


def register_by_the_api(sitting: Sitting) -> None:
    """The three programmatic ways."""
    found = sitting.mlflow("register", logged="by-log-model", registered="by-register", created="by-create")

    assert found == {
        "logged": [["by-log-model", 1, "READY"], ["by-log-model", 2, "READY"]],
        "registered": [["by-register", 1, "READY"], ["by-register", 2, "READY"]],
        "created": "by-create",
        "created again": "RESOURCE_ALREADY_EXISTS",
    }


def let_ben_read(sitting: Sitting) -> None:
    """Control access: Ben finds nothing until Ann lets him, in the model's permissions."""
    ann, ben = sitting.ann, sitting.ben
    ann.goto(path_of(NAME, rest="/permissions"))
    ann.get_by_label("Name", exact=True).fill("ben")
    ann.get_by_role("radio", name="CAN_READ").check()
    ann.get_by_role("button", name="Grant").click()
    expect(ann.get_by_role("row").filter(has_text="ben")).to_contain_text("CAN_READ")
    ben.goto(path_of(NAME, "1"))

    expect(ben.get_by_role("heading", level=1)).to_have_text("Version 1")


def move_and_ask(sitting: Sitting) -> None:
    """Transition by whoever may; request by whoever may not; approve, reject, cancel, and cancel one's own."""
    ann, ben = sitting.ann, sitting.ben
    ann.goto(path_of(NAME, "1"))
    open_transition(ann, "Staging")
    ann.get_by_role("dialog").get_by_label("Comment", exact=False).fill("validated")
    ann.get_by_role("button", name="OK").click()
    expect(ann.get_by_role("button", name="Stage: Staging", exact=True)).to_be_visible()

    for word, stage in (("Reject", "Staging"), ("Cancel", "Staging"), ("Approve", "Production")):
        ben.goto(path_of(NAME, "1"))
        ask(ben, "Production", f"please {word.lower()}")
        expect(ann.get_by_role("region", name="Pending requests")).to_contain_text(f"please {word.lower()}")
        answer(ann, word, "")
        expect(ann.get_by_role("button", name=f"Stage: {stage}", exact=True)).to_be_visible()
        expect(ann.get_by_role("region", name="Pending requests")).to_have_count(0)
    ben.goto(path_of(NAME, "1"))
    ask(ben, "Archived", "never mind")
    answer(ben, "Cancel", "")
    expect(ben.get_by_role("region", name="Pending requests")).to_have_count(0)
    expect(ann.get_by_role("region", name="Pending requests")).to_have_count(0)
    # His page would ask for a version that Ann deletes in the end, and the browser complain of the 404.
    ben.goto("/models")


def keep_one_in_production(sitting: Sitting) -> None:
    """More than one version may share a stage; the checkbox archives those that are there."""
    page, runs = sitting.ann, sitting.registry
    source = runs.shown(EMPTY, "1")["source"]
    for number in ("2", "3"):
        page.goto(f"/register?source={source}&model={NAME}")
        page.get_by_role("button", name="Register", exact=True).click()
        expect(page).to_have_url(re.compile(f"{path_of(NAME, number)}$"))
        expect(page.locator("#version-head .state.ready").first).to_have_text("Ready")
        open_transition(page, "Production")
        box = page.get_by_role("checkbox", name="Transition existing Production model versions to Archived")
        box.set_checked(number == "3")
        page.get_by_role("button", name="OK").click()
        expect(page.get_by_role("button", name="Stage: Production", exact=True)).to_be_visible()
        if number == "2":
            assert runs.stage(NAME, "1") == "Production"

    assert [runs.stage(NAME, number) for number in ("1", "2", "3")] == ["Archived", "Archived", "Production"]


def annotate(sitting: Sitting) -> None:
    """Describe the model and a version; the table of versions shows 32 characters of it."""
    page = sitting.ann
    for path in (path_of(NAME), path_of(NAME, "3")):
        page.goto(path)
        page.get_by_role("link", name="Edit the description").click()
        page.get_by_role("dialog").get_by_label("Description").fill(LONG)
        page.get_by_role("button", name="Save").click()
        expect(page.locator(".prose")).to_have_text(LONG)
    page.goto(path_of(NAME))

    shown = page.locator("td.description .shown").first
    expect(shown).to_have_text("Gradient-boosted decision trees…")


def search(sitting: Sitting) -> None:
    """All models by a click, one by typing its name."""
    page = sitting.ann
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Models", exact=True).click()
    for name in (NAME, EMPTY, "by-log-model", "by-register", "by-create"):
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    page.get_by_role("searchbox", name="Search models").fill("power-fore")
    page.keyboard.press("Enter")

    expect(page.get_by_role("link", name=NAME, exact=True)).to_be_visible()
    expect(page.get_by_role("link", name=EMPTY, exact=True)).to_have_count(0)


def manage_by_the_api(sitting: Sitting) -> None:
    """Stages, renaming, searches and deleting by the client; what is in use is refused."""
    found = sitting.mlflow("manage", logged="by-log-model", renamed="renamed")

    assert found == {
        "stages": [stage for stage in ("Staging", "Production", "Archived", "None") for _ in range(2)],
        "in use": ["INVALID_STATE"] * 3,
        "renamed": "renamed",
        "listed": ["by-create", "by-register", EMPTY, "renamed", NAME],
        "versions": [1, 2],
        "run known": True,
        "predicted": [2, 4],
        "left": [2],
        "gone": "RESOURCE_DOES_NOT_EXIST",
    }


def delete(sitting: Sitting) -> None:
    """Delete a version, and a model once nothing of it is in use."""
    page = sitting.ann
    page.goto(path_of(NAME))
    page.get_by_role("button", name=f"More actions for {NAME}", exact=True).click()
    page.get_by_role("menuitem", name="Delete").click()
    expect(page.get_by_role("button", name="Delete model")).to_be_disabled()
    page.goto(path_of(NAME, "1"))
    page.get_by_role("button", name="More actions for version 1").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("button", name="Delete version").click()
    expect(page).to_have_url(re.compile(f"{path_of(NAME)}$"))
    page.goto(path_of(NAME, "3"))
    open_transition(page, "Archived")
    page.get_by_role("button", name="OK").click()
    expect(page.get_by_role("button", name="Stage: Archived", exact=True)).to_be_visible()
    page.goto(path_of(NAME))
    page.get_by_role("button", name=f"More actions for {NAME}", exact=True).click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("dialog").get_by_label("Type the name").fill(NAME)
    page.get_by_role("button", name="Delete model").click()

    expect(page.get_by_text(f"The model {NAME} was deleted")).to_be_visible()
    route = "/api/2.0/mlflow/registered-models/get"
    wait_until(lambda: sitting.registry.system.request("GET", route, name=NAME).status == 404)
