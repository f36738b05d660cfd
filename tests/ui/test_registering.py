"""S-04 to S-09: a model of a run is registered in the run's own page, whose button becomes a link to the version."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.ui.registry import Registry, path_of
from tests.ui.tracking import RUN, Tracking
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def tracking() -> Iterator[Tracking]:
    """A tracking server with a run."""
    server = Tracking()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def system_settings(tracking: Tracking) -> dict[str, object]:
    """The system knows the tracking server."""
    return {"tracking_uri": tracking.url, "job_attempts": 1}


@pytest.fixture
def run_page(page: Page) -> Page:
    """The page of the run, reached as a person reaches it."""
    page.goto("/register")
    page.get_by_role("link", name="from a run").click()
    page.get_by_role("link", name="forecasting").click()
    page.get_by_role("link", name="gbm-retrain-0121").click()
    return page


def row(page: Page, name: str) -> Locator:
    """Return the row of an artifact."""
    return page.get_by_role("row").filter(has_text=name)


def test_s04_a_folder_with_a_model_has_the_button_at_its_far_right_and_others_do_not(run_page: Page) -> None:
    button = row(run_page, "xgb-model").get_by_role("link", name="Register Model")

    expect(button).to_be_visible()
    expect(row(run_page, "xgb-model").locator("td:last-child").get_by_role("link")).to_have_count(1)
    expect(row(run_page, "plots").get_by_text("Register Model")).to_have_count(0)
    expect(row(run_page, "readme.txt").get_by_text("Register Model")).to_have_count(0)


def test_s05_create_new_model_reveals_the_name_and_a_model_that_is_there_hides_it(
    run_page: Page, registry: Registry
) -> None:
    name = registry.model()
    row(run_page, "xgb-model").get_by_role("link", name="Register Model").click()
    dialog = run_page.get_by_role("dialog")

    expect(dialog.get_by_label("Model", exact=True)).to_have_value("")
    expect(dialog.get_by_role("option", name="Create New Model")).to_be_attached()
    expect(dialog.get_by_label("Model Name")).to_be_visible()
    dialog.get_by_label("Model", exact=True).select_option(name)
    expect(dialog.get_by_label("Model Name")).to_be_hidden()
    dialog.get_by_label("Model", exact=True).select_option("")
    expect(dialog.get_by_label("Model Name")).to_be_visible()


def test_s06_s08_s09_registering_makes_the_model_copies_it_and_turns_the_button_into_a_link(
    run_page: Page, registry: Registry
) -> None:
    name = registry.new_name("from-run")
    row(run_page, "xgb-model").get_by_role("link", name="Register Model").click()
    dialog = run_page.get_by_role("dialog")
    dialog.get_by_label("Model Name").fill(name)
    dialog.get_by_role("button", name="Register").click()

    link = row(run_page, "xgb-model").get_by_role("link", name="Version 1")
    expect(link).to_be_visible()
    assert registry.status(name, "1") == "READY"
    found = registry.system.call("GET", "model-versions/get-download-uri", name=name, version="1")
    assert "xgb-model" not in found["artifact_uri"]
    assert RUN not in found["artifact_uri"]
    here = run_page.url
    link.click()
    expect(run_page).to_have_url(re.compile(f"{path_of(name, '1')}$"))
    run_page.go_back()
    expect(run_page).to_have_url(here)


def test_s07_an_empty_model_can_be_chosen_and_numbers_count_up(page: Page, registry: Registry) -> None:
    name = registry.model()

    for number in (1, 2):
        page.goto(f"/register?source=runs:/{RUN}/xgb-model&model={name}")
        page.get_by_role("button", name="Register", exact=True).click()
        expect(page).to_have_url(re.compile(f"{path_of(name, str(number))}$"))
        expect(page.locator("#version-head .state.ready").first).to_have_text("Ready")


def test_s08_a_failed_registration_says_why_and_offers_to_retry(run_page: Page, registry: Registry) -> None:
    name = registry.new_name("failing")
    row(run_page, "broken-model").get_by_role("link", name="Register Model").click()
    dialog = run_page.get_by_role("dialog")
    dialog.get_by_label("Model Name").fill(name)
    dialog.get_by_role("button", name="Register").click()

    expect(row(run_page, "broken-model")).to_contain_text("Failed: ")
    row(run_page, "broken-model").get_by_role("link", name="Retry").click()
    expect(run_page.get_by_role("button", name="Retry registration")).to_be_visible()


def test_a_form_that_is_sent_twice_makes_one_version(page: Page, registry: Registry) -> None:
    name = registry.model()
    page.goto(f"/register?source=runs:/{RUN}/xgb-model&model={name}")

    page.evaluate("document.querySelector('form.sheet').addEventListener('submit', () => 0)")
    page.get_by_role("button", name="Register", exact=True).click(click_count=2)

    expect(page).to_have_url(re.compile(path_of(name)))
    wait_until(lambda: registry.status(name, "1") == "READY")
    route = "/api/2.0/mlflow/model-versions/get"
    assert registry.system.request("GET", route, name=name, version="2").status == 404


def test_a_source_that_is_refused_keeps_what_was_typed(page: Page) -> None:
    page.goto("/register")
    page.get_by_label("Source").fill("file:///etc")
    page.get_by_label("Model Name").fill("kept")
    page.get_by_label("Description").fill("typed with care")

    page.get_by_role("button", name="Register", exact=True).click()

    expect(page.get_by_label("Source")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Source")).to_have_value("file:///etc")
    expect(page.get_by_label("Description")).to_have_value("typed with care")
