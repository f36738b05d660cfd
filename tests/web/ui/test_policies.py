"""Policies, their plans, and the roll back of a model: looked at first, done after."""

from tests.web.ui.reader import Reader, elements, text_of

ALL = {
    "registered_days": "0",
    "moved_days": "0",
    "downloaded_days": "0",
    "keep_newest": "1",
    "max_percent": "100",
    "max_versions": "500",
    "models": "",
    "tag_key": "",
    "tag_value": "",
    "mode": "propose",
    "expression": "0 4 * * 1",
    "zone": "UTC",
    "everything": "1",
}


def plan_of(reader: Reader, policy: str) -> str:
    """Have a policy make a plan; return the plan's address."""
    reader.done(f"/policies/{policy}/run")
    reader.yard.work()
    links = elements(reader.open(f"/policies/{policy}"), "a")
    return next(str(link["href"]) for link in links if str(link.get("href")).startswith("/plans/"))


def test_a_dry_run_touches_nothing_and_its_plan_does_just_what_it_says(reader: Reader) -> None:
    for stage in (None, "Production", None):
        reader.yard.ready("m", stage=stage)
    reader.done("/policies", name="tidy", action="archive", **ALL)
    plan = plan_of(reader, "tidy")

    shown = reader.open(plan)
    kept = text_of(reader.open(f"{plan}?show=kept"))
    digest = str(elements(shown, "input", name="digest")[0]["value"])

    assert "m version 1" in text_of(shown)
    assert "m version 2" not in text_of(shown)
    assert "It is among the newest that are kept." in kept
    assert reader.yard.version("m", "1")["current_stage"] == "None"
    assert reader.send(f"{plan}/execute", digest="0" * 64).status_code == 303
    assert reader.yard.version("m", "1")["current_stage"] == "None"
    reader.done(f"{plan}/execute", digest=digest)
    reader.yard.work()
    stages = [reader.yard.version("m", number)["current_stage"] for number in "123"]
    assert stages == ["Archived", "Production", "None"]
    assert "Executed" in text_of(reader.open(plan))
    assert len(reader.get(f"{plan}/lines.jsonl").data.splitlines()) >= 2
    assert "tidy" in text_of(reader.open("/plans"))


def test_a_policy_is_changed_and_what_is_wrong_comes_back_as_it_was_typed(reader: Reader) -> None:
    reader.done("/policies", name="tidy", action="archive", **ALL)

    odd = reader.refused("/policies/tidy/edit", **{**ALL, "keep_newest": "many", "models": "fraud-*"})
    reader.done("/policies/tidy/edit", **{**ALL, "keep_newest": "7", "enabled": "1"})

    assert "keep_newest" in text_of(odd)
    assert "fraud-*" in odd
    assert "keep newest 7" in text_of(reader.open("/policies/tidy"))
    assert "already" in text_of(reader.refused("/policies", name="tidy", action="archive", **ALL))
    unsaid = {name: value for name, value in ALL.items() if name != "everything"}
    reader.refused("/policies", name="wide", action="archive", **unsaid)


def test_policies_stand_among_the_schedules(reader: Reader) -> None:
    html = text_of(reader.open("/schedules"))

    assert "archive-idle" in html
    assert "Free unused files" in html


def test_a_roll_back_says_first_what_it_would_move(reader: Reader) -> None:
    reader.yard.ready("m", stage="Production")
    reader.yard.ready("m")
    reader.done("/models/m/versions/2/transition", to="Production", comment="", archive_existing="1")

    form = text_of(reader.open("/models/m/rollback"))
    reader.done("/models/m/rollback", comment="too slow")

    assert "In Production afterwards: version 1" in form
    assert [reader.yard.version("m", number)["current_stage"] for number in "12"] == ["Production", "None"]
    assert "too slow" in text_of(reader.open("/models/m/versions/1"))
