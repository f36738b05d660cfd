"""Every page and dialog that there is to look at: axe looks at them, and so do people (`make screenshots`)."""

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page

from tests.ui.registry import Registry, path_of


@dataclass(frozen=True)
class View:
    """A name, an address for the model that it is about, and what to do there before looking."""

    name: str
    path: Callable[[str], str]
    then: Callable[[Page], None] = lambda page: None

    def open(self, page: Page, model: str) -> None:
        """Go there."""
        page.goto(self.path(model))
        self.then(page)


def prepare(registry: Registry) -> str:
    """Fill a registry so that every view has something to show; return the model that they are about."""
    name = registry.model(
        "scikit-learn-power-forecasting",
        description="Day-ahead **power** forecast of the grid.\n\n- hourly, 24 h ahead\n- retrained each week",
        tags=[{"key": "team", "value": "grid"}, {"key": "tier", "value": "1"}, {"key": "dataset", "value": "weather"}],
    )
    note = "Gradient-boosted day-ahead forecast, retrained on weather data to 31 December. See the "
    for number, stage in enumerate(("Archived", None, "Production", None, "Staging"), 1):
        source = registry.folder(f"forecast-{number}", **{"metadata/note.txt": f"run {number}".encode()})
        text = note + "[evaluation note](https://wiki.grid.example/eval)."
        registry.version(name, source=source, stage=stage, description=text, run_id="0f82831aa67a4c20")
    registry.system.call("POST", "registered-models/alias", {"name": name, "alias": "challenger", "version": "5"})
    for key, value in (("validation", "approved"), ("dataset", "weather-2026-12")):
        tag = {"name": name, "version": "5", "key": key, "value": value}
        registry.system.call("POST", "model-versions/set-tag", tag)
    registry.version(name, source=registry.broken_folder())
    reason = "Beats version 3 on the hold-out: RMSE 0.118 against 0.141."
    wish = {"name": name, "version": "4", "stage": "Production", "comment": reason}
    registry.system.call("POST", "transition-requests/create", wish)
    remark = {"name": name, "version": "5", "comment": "Latency on the edge box is fine, p95 11 ms."}
    registry.system.call("POST", "comments/create", remark)
    registry.native("POST", "/api/v1/users", {"name": "amira@grid.example", "display_name": "Amira Khan"})
    for other, text in (("churn-gbm", "Customers who leave"), ("fraud-scorer", "Card payments"), ("image-quality", "")):
        registry.model(other, description=text)
        registry.version(other, stage="Production")
    registry.model("ticket-router", description="Not registered yet")
    registry.model("deleted-by-mistake")
    registry.system.call("DELETE", "registered-models/delete", {"name": "deleted-by-mistake"})
    return name


def _menu(page: Page) -> None:
    page.locator("#stage-button").click()


def _dialog(page: Page) -> None:
    _menu(page)
    page.get_by_role("menuitem", name="Transition to Production").click()
    page.locator("dialog[open] textarea").wait_for()


VIEWS = [
    View("models", lambda model: "/models"),
    View("models-no-match", lambda model: "/models?q=nothing"),
    View("model", path_of),
    View("model-empty", lambda model: path_of("ticket-router")),
    View("version", lambda model: path_of(model, "5")),
    View("version-menu", lambda model: path_of(model, "5"), _menu),
    View("version-dialog", lambda model: path_of(model, "5"), _dialog),
    View("version-failed", lambda model: path_of(model, "6")),
    View("version-schema", lambda model: path_of(model, "5", "/schema")),
    View("version-mlmodel", lambda model: path_of(model, "5", "/mlmodel")),
    View("version-metrics", lambda model: path_of(model, "5", "/metrics")),
    View("version-jobs", lambda model: path_of(model, "5", "/jobs")),
    View("version-file", lambda model: path_of(model, "5", "/artifacts/requirements.txt")),
    View("version-pickle", lambda model: path_of(model, "5", "/artifacts/model.pkl")),
    View("compare", lambda model: path_of(model, rest="/compare?v=5&v=3")),
    View("compare-choose", lambda model: path_of(model, rest="/compare?v=5")),
    View("register", lambda model: "/register"),
    View("create-model", lambda model: "/new"),
    View("delete-model", lambda model: path_of("ticket-router", rest="/delete")),
    View("delete-blocked", lambda model: path_of(model, rest="/delete")),
    View("cancel-jobs", lambda model: "/jobs/cancel"),
    View("runs-without-server", lambda model: "/runs"),
    View("version-request", lambda model: path_of(model, "4")),
    View("approvals", lambda model: "/requests"),
    View("approvals-none", lambda model: "/requests?view=asked"),
    View("approve", lambda model: path_of(model, "4", "/requests?answer=approve&to=Production&creator=local")),
    View("permissions", lambda model: path_of(model, rest="/permissions?check=admins")),
    View("audit", lambda model: "/audit"),
    View("tokens", lambda model: "/settings/tokens"),
    View("users", lambda model: "/settings/users"),
    View("new-user", lambda model: "/settings/users/new"),
    View("jobs", lambda model: "/jobs"),
    View("jobs-none", lambda model: "/jobs?status=cancelled"),
    View("job", lambda model: "/jobs/1"),
    View("workers", lambda model: "/workers"),
    View("schedules", lambda model: "/schedules"),
    View("schedule", lambda model: "/schedules/collect"),
    View("policy", lambda model: "/policies/archive-idle"),
    View("policy-edit", lambda model: "/policies/archive-idle/edit"),
    View("plans", lambda model: "/plans"),
    View("rollback", lambda model: path_of(model, rest="/rollback")),
    View("trash", lambda model: "/trash"),
    View("storage", lambda model: "/usage"),
    View("settings", lambda model: "/settings/profile"),
    View("keyboard", lambda model: "/settings/keys"),
    View("not-found", lambda model: "/models/nobody"),
]
