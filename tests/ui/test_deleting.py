"""S-21 to S-25: versions and models are deleted, with a warning, and never while they are in use."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.ui.registry import Registry, path_of


def test_s21_a_version_is_deleted_by_the_menu_beside_its_number(page: Page, registry: Registry) -> None:
    name = registry.model()
    number = registry.version(name)
    page.goto(path_of(name, number))

    page.get_by_role("button", name=f"More actions for version {number}").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("button", name="Delete version").click()

    expect(page).to_have_url(re.compile(f"{path_of(name)}$"))
    expect(page.get_by_text("No versions yet")).to_be_visible()


def test_s22_a_model_is_deleted_from_its_row_and_from_its_page(page: Page, registry: Registry) -> None:
    for where in ("/models", None):
        name = registry.model()
        page.goto(where or path_of(name))
        page.get_by_role("button", name=f"More actions for {name}", exact=True).click()
        page.get_by_role("menuitem", name="Delete").click()
        page.get_by_role("dialog").get_by_label("Type the name").fill(name)
        page.get_by_role("button", name="Delete model").click()

        expect(page.get_by_text(f"The model {name} was deleted")).to_be_visible()
        expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0)


def test_s23_the_warning_says_what_goes_and_wants_the_models_name(page: Page, registry: Registry) -> None:
    name = registry.model()
    registry.version(name)
    registry.version(name)
    page.goto(path_of(name))
    page.get_by_role("button", name=f"More actions for {name}", exact=True).click()
    page.get_by_role("menuitem", name="Delete").click()
    dialog = page.get_by_role("dialog")

    expect(dialog).to_contain_text("2 versions")
    expect(dialog).to_contain_text(re.compile(r"\d (B|KB) of files"))
    expect(dialog).to_contain_text("After that it cannot be undone")
    dialog.get_by_label("Type the name").fill("another")
    dialog.get_by_role("button", name="Delete model").click()

    expect(dialog.get_by_label("Type the name")).to_have_attribute("aria-invalid", "true")
    expect(dialog).to_contain_text("Type the model's name exactly")


@pytest.mark.shows("delete-unused", "move-first")
def test_s24_what_is_in_use_cannot_be_deleted_and_says_why(page: Page, registry: Registry) -> None:
    name = registry.model()
    number = registry.version(name, stage="Staging")
    page.goto(path_of(name, number))

    page.get_by_role("button", name=f"More actions for version {number}").click()
    delete = page.get_by_role("menuitem", name="Delete")
    expect(delete).to_be_disabled()
    expect(delete).to_contain_text("It is in Staging: move it to None or Archived first.")
    page.goto(path_of(name, rest="/delete"))

    expect(page.get_by_role("button", name="Delete model")).to_be_disabled()
    expect(page.get_by_role("main").get_by_role("link", name=f"version {number}")).to_be_visible()


@pytest.mark.shows("all-goes")
def test_s25_a_purged_model_is_gone_with_its_files(page: Page, registry: Registry) -> None:
    name = registry.model()
    registry.version(name)
    registry.system.call("DELETE", "registered-models/delete", {"name": name})
    page.goto("/trash")

    page.get_by_role("link", name=f"Purge {name}").click()
    expect(page.get_by_role("dialog")).to_contain_text("freed by the next collection")
    page.get_by_role("button", name="Purge for good").click()

    expect(page.get_by_role("heading", level=1, name="Purge model")).to_be_visible()
    expect(page.locator("#job .state").first).to_have_text("Succeeded")
    answer = page.request.get(path_of(name), headers={"Accept": "text/html"})
    assert answer.status == 404
    route = "/api/2.0/mlflow/registered-models/get"
    assert b"RESOURCE_DOES_NOT_EXIST" in registry.system.request("GET", route, name=name).data


def test_a_deleted_model_comes_back_from_the_trash(page: Page, registry: Registry) -> None:
    name = registry.model()
    registry.version(name)
    registry.system.call("DELETE", "registered-models/delete", {"name": name})
    page.goto("/trash")

    page.get_by_role("link", name=f"Restore {name}").click()
    page.get_by_role("button", name="Restore").click()

    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
    expect(page.get_by_role("link", name="Version 1", exact=True)).to_be_visible()
