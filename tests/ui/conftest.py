"""A real browser before a real system. Whatever a page says in the console, and whatever it asks of others, fails."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, expect, sync_playwright

from tests.systems import System
from tests.ui.registry import Registry
from tests.waiting import PATIENCE

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# No request of its own, no sandbox for root, no first-run pages (design/ui.md 7).
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT_MS = 12_000 * PATIENCE
expect.set_options(timeout=WAIT_MS)
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here: `make test` does without a browser, `make test-browser` is for nothing else."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("browser")


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """The driver of browsers."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """The machine's Chromium, without a profile."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.fail("No Chromium was found on PATH. Install the package `chromium` (Debian: apt install chromium).")
    running = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
    yield running
    running.close()


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, system_settings: dict[str, object]) -> Iterator[Registry]:
    """A running `modelyard up` shared by a module, and what tests put into it."""
    folder = tmp_path_factory.mktemp("system")
    (folder / "sources").mkdir()
    system = System(folder, **{"source_roots": folder / "sources", "sweep_s": 1, "create_wait_s": 0, **system_settings})
    system.start()
    yield Registry(system)
    system.stop()


@dataclass
class Visit:
    """A context of its own with a page, and what went wrong in it."""

    context: BrowserContext
    page: Page
    troubles: list[str] = field(default_factory=list)


@pytest.fixture
def visit(browser: Browser, registry: Registry) -> Iterator[Callable[..., Visit]]:
    """A function that opens a fresh browser; when the test ends, nothing may have gone wrong in any."""
    visits: list[Visit] = []

    def open_one(*, quiet: bool = True, **options: object) -> Visit:
        context = browser.new_context(base_url=registry.url, **{"viewport": {"width": 1440, "height": 900}, **options})
        context.set_default_timeout(WAIT_MS)
        one = Visit(context, context.new_page())
        if quiet:
            _listen(one, registry.url)
        visits.append(one)
        return one

    yield open_one
    for one in visits:
        one.context.close()
    assert [trouble for one in visits for trouble in one.troubles] == []


@pytest.fixture
def page(visit: Callable[..., Visit]) -> Page:
    """A page in a fresh browser."""
    return visit().page


def _is_trouble(message: ConsoleMessage) -> bool:
    # A form that comes back with its reason is told by the status 422, which the console takes for a failure.
    # So does a page that is looked at for being none.
    expected = "status of 422" in message.text or message.location["url"].endswith("/nobody")
    return message.type == "error" and not expected


def _listen(one: Visit, own: str) -> None:
    """Note errors of the console, violations of the policy and requests to other hosts."""
    page = one.page
    page.on("console", lambda message: one.troubles.append(message.text) if _is_trouble(message) else None)
    page.on("pageerror", lambda error: one.troubles.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith((own, "data:", "about:")) else one.troubles.append(f"asked {request.url}")
        ),
    )
