"""S-01 to S-03 and S-19 to S-20: the list of models, its search, its form; what the model page shows of versions."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.ui.registry import Registry, path_of


@pytest.mark.shows("list-all")
def test_s01_one_click_on_models_shows_every_registered_model(page: Page, registry: Registry) -> None:
    names = [registry.model() for _ in range(3)]
    page.goto("/workers")

    page.get_by_role("navigation", name="Main").get_by_role("link", name="Models", exact=True).click()

    for name in names:
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()


def test_s02_typing_part_of_a_name_filters_the_list_and_clearing_restores_it(page: Page, registry: Registry) -> None:
    wanted, other = registry.model(registry.new_name("Wanted")), registry.model()
    page.goto("/models")

    page.get_by_role("searchbox", name="Search models").fill("wanted")
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile(r"\?q=wanted"))
    expect(page.get_by_role("link", name=wanted, exact=True)).to_be_visible()
    expect(page.get_by_role("link", name=other, exact=True)).to_have_count(0)
    page.get_by_role("link", name="Clear").click()
    expect(page.get_by_role("link", name=other, exact=True)).to_be_visible()


def test_s02_a_search_without_a_match_says_so(page: Page) -> None:
    page.goto("/models?q=nobody-is-called-so")

    expect(page.get_by_text("No model has “nobody-is-called-so” in its name")).to_be_visible()
    page.get_by_role("link", name="Clear the search").click()
    expect(page).to_have_url(re.compile("/models$"))


def test_s03_a_created_model_is_empty_and_shown_at_once(page: Page, registry: Registry) -> None:
    name = registry.new_name("created")
    page.goto("/models")

    page.get_by_role("link", name="Create Model").first.click()
    expect(page.get_by_role("dialog").get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type(name)
    page.get_by_role("dialog").get_by_role("button", name="Create").click()

    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
    expect(page.get_by_text("No versions yet")).to_be_visible()


def test_s03_a_taken_name_is_refused_beside_the_field(page: Page, registry: Registry) -> None:
    name = registry.model()
    page.goto("/models")
    page.get_by_role("link", name="Create Model").first.click()
    dialog = page.get_by_role("dialog")

    dialog.get_by_label("Name", exact=True).fill(name)
    dialog.get_by_label("Description").fill("typed with care")
    dialog.get_by_role("button", name="Create").click()

    field = dialog.get_by_label("Name", exact=True)
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile("RESOURCE_ALREADY_EXISTS"))
    expect(field).to_have_value(name)
    expect(dialog.get_by_label("Description")).to_have_value("typed with care")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("x" * 31, "x" * 31), ("x" * 32, "x" * 32), ("x" * 33, "x" * 31 + "…"), ("012345678\nmore", "012345678…")],
)
def test_s19_the_description_column_has_at_most_32_characters_or_one_line(
    page: Page, registry: Registry, text: str, shown: str
) -> None:
    name = registry.model()
    registry.version(name, description=text)

    page.goto(path_of(name))

    cell = page.locator("td.description > span")
    expect(cell).to_have_attribute("title", text)
    visible = cell.locator(".shown") if shown != text else cell
    expect(visible).to_have_text(shown)
    # Screen readers hear all of it.
    expect(cell).to_contain_text(text.replace("\n", " "))


@pytest.mark.shows("rename")
def test_s20_a_model_is_renamed_by_the_api_alone_and_its_old_address_leads_on(page: Page, registry: Registry) -> None:
    name = registry.model()
    page.goto(path_of(name))
    expect(page.get_by_text("Rename", exact=False)).to_have_count(0)

    new_name = registry.new_name("renamed")
    registry.system.call("POST", "registered-models/rename", {"name": name, "new_name": new_name})
    page.goto(path_of(name))

    expect(page).to_have_url(re.compile(f"{path_of(new_name)}$"))


def test_bookmarks_of_mlflows_pages_lead_to_ours(page: Page, registry: Registry) -> None:
    name = registry.model()
    number = registry.version(name)

    page.goto(f"/#/models/{name}/versions/{number}")
    expect(page).to_have_url(re.compile(f"{path_of(name, number)}$"))
    page.goto(f"/#mlflow/models/{name}/versions/{number}")
    expect(page).to_have_url(re.compile(f"{path_of(name, number)}$"))
