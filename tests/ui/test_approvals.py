"""S-14 to S-17: whoever may not move a version asks, others answer. Several people, each in a browser of their own."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.ui.conftest import Visit
from tests.ui.registry import Registry, path_of

ADMIN_TOKEN = "the-administrators-token"


@pytest.fixture(scope="module")
def system_settings() -> dict[str, object]:
    """Locked doors."""
    return {"auth": "token", "admin_token": ADMIN_TOKEN}


@dataclass
class Company:
    """A model with a READY version, and people with levels on it, each signed in."""

    registry: Registry
    visit: Callable[..., Visit]
    name: str
    number: str

    def page_of(self, who: str, level: str | None, *, quiet: bool = True) -> Page:
        """Return the version's page as somebody sees it who holds `level` on the model."""
        person = self.registry.new_name(who)
        self._native("POST", "/api/v1/users", {"name": person})
        token = self._native("POST", "/api/v1/tokens", {"user": person, "scope": "write"})["token"]
        if level:
            self._permit(person, level)
        page = self.visit(quiet=quiet).page
        sign_in(page, str(token))
        page.goto(path_of(self.name, self.number))
        return page

    def _permit(self, person: str, level: str) -> None:
        found = self.registry.system.call("GET", "databricks/registered-models/get", name=self.name)
        identity = found["registered_model_databricks"]["id"]
        wish = {"access_control_list": [{"user_name": person, "permission_level": level}]}
        answer = self.registry.system.request("PATCH", f"/api/2.0/permissions/registered-models/{identity}", wish)
        assert answer.status == 200, answer.data

    def _native(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.registry.system.request(method, path, body)
        assert answer.status == 200, answer.data
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
def company(registry: Registry, visit: Callable[..., Visit]) -> Company:
    """A model whose version somebody wants in Production."""
    name = registry.model()
    return Company(registry, visit, name, registry.version(name))


def sign_in(page: Page, token: str) -> None:
    """Sign in by the form."""
    page.goto("/models")
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1, name="Models")).to_be_visible()


def ask(page: Page, to: str, comment: str = "") -> None:
    """Request a transition."""
    page.get_by_role("button", name=re.compile("^Stage: ")).click()
    page.get_by_role("menuitem", name=f"Request transition to {to}").click()
    page.get_by_role("dialog").get_by_label("Comment", exact=False).fill(comment)
    page.get_by_role("button", name="OK").click()
    expect(page.get_by_role("region", name="Pending requests")).to_be_visible()


def answer(page: Page, word: str, comment: str) -> None:
    """Answer the one request of this page."""
    page.get_by_role("region", name="Pending requests").get_by_role("link", name=word, exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Comment", exact=False).fill(comment)
    dialog.get_by_role("button", name=re.compile(f"^{word}")).click()
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.shows("or-request", "may-request")
def test_s14_whoever_may_not_move_a_version_can_only_ask(company: Company) -> None:
    page = company.page_of("reader", "CAN_READ")

    page.get_by_role("button", name="Stage: None", exact=True).click()
    options = page.get_by_role("menu", name="Stages").get_by_role("menuitem")
    expect(options).to_have_text([f"Request transition to {stage}" for stage in ("Staging", "Production", "Archived")])
    page.keyboard.press("Escape")
    ask(page, "Production")

    assert company.registry.stage(company.name, company.number) == "None"


@pytest.mark.shows("pending")
def test_s15_a_request_appears_among_the_pending_ones_without_a_reload(company: Company) -> None:
    manager, reader = company.page_of("manager", "CAN_MANAGE"), company.page_of("reader", "CAN_READ")
    expect(manager.get_by_role("region", name="Pending requests")).to_have_count(0)

    ask(reader, "Production", "beats version 0")

    requests = manager.get_by_role("region", name="Pending requests")
    expect(requests).to_contain_text("beats version 0")
    expect(requests).to_contain_text("reader")
    expect(requests.locator(".chip")).to_have_text(["None", "Production"])


@pytest.mark.shows("approve", "reject")
@pytest.mark.parametrize(
    ("word", "past", "stage"), [("Approve", "approved", "Production"), ("Reject", "rejected", "None")]
)
def test_s16_a_manager_approves_or_rejects(company: Company, word: str, past: str, stage: str) -> None:
    ask(company.page_of("reader", "CAN_READ"), "Production")
    manager = company.page_of("manager", "CAN_MANAGE_PRODUCTION_VERSIONS")

    answer(manager, word, "because of the hold-out")

    expect(manager.get_by_role("region", name="Pending requests")).to_have_count(0)
    expect(manager.locator("#timeline")).to_contain_text(f"{past}")
    expect(manager.locator("#timeline")).to_contain_text("because of the hold-out")
    assert company.registry.stage(company.name, company.number) == stage


@pytest.mark.shows("creator-cancels", "cancel")
def test_s17_the_creator_can_cancel_and_nobody_else_without_the_right(company: Company) -> None:
    creator = company.page_of("creator", "CAN_READ")
    ask(creator, "Staging")
    other = company.page_of("other", "CAN_READ")

    requests = other.get_by_role("region", name="Pending requests")
    expect(requests).to_be_visible()
    expect(requests.get_by_role("link")).to_have_count(0)
    expect(creator.get_by_role("region", name="Pending requests").get_by_role("link")).to_have_text(["Cancel"])
    answer(creator, "Cancel", "")

    expect(creator.get_by_role("region", name="Pending requests")).to_have_count(0)


def test_a_request_is_approved_with_the_keyboard_alone(company: Company) -> None:
    ask(company.page_of("reader", "CAN_READ"), "Staging")
    manager = company.page_of("manager", "CAN_MANAGE")
    manager.get_by_role("region", name="Pending requests").get_by_role("link", name="Approve").focus()

    manager.keyboard.press("Enter")
    expect(manager.get_by_role("dialog").get_by_label("Comment", exact=False)).to_be_focused()
    manager.keyboard.type("agreed")
    for _ in range(3):
        manager.keyboard.press("Tab")
    expect(manager.get_by_role("dialog").get_by_role("button", name="Approve")).to_be_focused()
    manager.keyboard.press("Enter")

    expect(manager.get_by_role("button", name="Stage: Staging", exact=True)).to_be_visible()


def test_the_inbox_shows_what_waits_for_a_manager(company: Company) -> None:
    ask(company.page_of("reader", "CAN_READ"), "Production", "please")
    manager = company.page_of("manager", "CAN_MANAGE")

    manager.get_by_role("navigation", name="Main").get_by_role("link", name=re.compile("Approvals")).click()

    expect(manager.get_by_text("please")).to_be_visible()
    manager.get_by_role("link", name="Approve").first.click()
    manager.get_by_role("dialog").get_by_role("button", name="Approve").click()
    expect(manager.get_by_role("button", name="Stage: Production", exact=True)).to_be_visible()


def test_whoever_may_not_see_a_model_is_told_who_can_help(company: Company) -> None:
    page = company.page_of("stranger", None, quiet=False)

    expect(page.get_by_role("alert")).to_contain_text(re.compile("not found|no permission", re.IGNORECASE))


def test_an_expired_session_loses_nothing_that_was_typed(company: Company) -> None:
    page = company.page_of("manager", "CAN_MANAGE", quiet=False)
    page.get_by_role("link", name="Edit the description").click()
    field = page.get_by_role("dialog").get_by_label("Description")
    field.fill("an hour of work")
    page.context.clear_cookies()

    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    expect(field).to_have_value("an hour of work")
