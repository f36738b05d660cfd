"""`make screenshots`: every page and dialog, in light and dark, on a desk and on a phone, for people to look at.

With `--docs` the main pages are written small to docs/images, too.
"""

import argparse
import re
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from tests.systems import System
from tests.ui.conftest import BROWSERS, FLAGS
from tests.ui.registry import Registry
from tests.ui.views import VIEWS, prepare

IMAGES = Path(__file__).parents[2] / "docs" / "images"
# Name of a picture -> view, theme, width.
IN_DOCS = {
    "models-light": ("models", "light", 1440),
    "model-light": ("model", "light", 1440),
    "version-light": ("version", "light", 1440),
    "version-dark": ("version", "dark", 1440),
    "transition-light": ("version-dialog", "light", 1440),
    "jobs-light": ("jobs", "light", 1440),
    "jobs-dark": ("jobs", "dark", 1440),
    "compare-light": ("compare", "light", 1440),
    "version-phone": ("version", "light", 390),
    "models-phone-dark": ("models", "dark", 390),
}
MOST_BYTES = 60_000


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/screenshots"))
    parser.add_argument("--docs", action="store_true")
    asked = parser.parse_args()
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        parser.exit(1, "No Chromium was found on PATH. Install the package `chromium`.\n")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        sources = Path(folder) / "sources"
        sources.mkdir()
        system = System(Path(folder), source_roots=sources, sweep_s=1)
        system.start()
        browser = driver.chromium.launch(executable_path=found, args=list(FLAGS))
        try:
            model = prepare(Registry(system))
            taken = _take(browser, system.url, model, asked.folder)
        finally:
            browser.close()
            system.stop()
    print(f"{taken} pictures in {asked.folder}")
    if asked.docs:
        _shrink(asked.folder)


def _take(browser: Browser, url: str, model: str, folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    taken = 0
    for theme in ("light", "dark"):
        for width in (1440, 390):
            context = browser.new_context(
                base_url=url, color_scheme=theme, viewport={"width": width, "height": 900}, reduced_motion="reduce"
            )
            page = context.new_page()
            for view in VIEWS:
                view.open(page, model)
                # A dialog hangs in the window, not on the page.
                whole = page.locator("dialog[open]").count() == 0
                page.screenshot(path=folder / f"{view.name}-{theme}-{width}.png", full_page=whole)
                taken += 1
            context.close()
    return taken


def _shrink(folder: Path) -> None:
    IMAGES.mkdir(exist_ok=True)
    for name, (view, theme, width) in IN_DOCS.items():
        picture = Image.open(folder / f"{view}-{theme}-{width}.png").convert("RGB")
        if picture.width > 1200:
            picture = picture.resize((1200, round(picture.height * 1200 / picture.width)), Image.Resampling.LANCZOS)
        path = IMAGES / f"{name}.webp"
        for quality in (82, 70, 55, 40):
            picture.save(path, quality=quality, method=6)
            if path.stat().st_size <= MOST_BYTES:
                break
        print(f"{re.sub(r'.*/', '', str(path))}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
