"""Forms without scripts: what they do, what they refuse, and that nothing typed is lost."""

from collections.abc import Callable

from modelyard.database.session import reading
from modelyard.registry.followers import followers_of
from tests.web.ui.reader import Reader, elements, text_of
from tests.web.yards import Yard

REFUSED_FIELD = "aria-invalid"


def test_a_model_is_made_and_shown(reader: Reader) -> None:
    where = reader.done("/new", name="churn", description="who leaves", tags="team: grid\n\ntier: 1")

    page = reader.open(where)
    assert where == "/models/churn"
    assert "The model churn was created" in text_of(page)
    assert "who leaves" in text_of(page)
    assert "The model churn was created" not in text_of(reader.open(where))


def test_a_refused_model_keeps_what_was_typed(reader: Reader) -> None:
    reader.done("/new", name="taken")
    cases = [
        ({"name": "taken"}, "RESOURCE_ALREADY_EXISTS", "name"),
        ({"name": "a/b"}, "must not contain", "name"),
        ({"name": " "}, "cannot be empty", "name"),
        ({"name": "x" * 257}, "257 characters", "name"),
        ({"name": "free", "tags": "no colon"}, "key: value", "tags"),
    ]

    for fields, said, field in cases:
        html = reader.refused("/new", **{"description": "typed with care", **fields})
        assert said in text_of(html)
        assert "typed with care" in html
        shown = elements(html, "input") + elements(html, "textarea")
        assert any(one.get("id") == field and one.get(REFUSED_FIELD) for one in shown), field


def test_a_form_without_its_browsers_token_changes_nothing(reader: Reader) -> None:
    other = Reader(reader.yard)

    for token in ("", "forged", other.token()):
        answer = reader.send("/new", token=token, name="stolen")
        assert answer.status_code == 403
        assert "nothing was changed" in answer.get_data(as_text=True)
    assert reader.get("/models/stolen").status_code == 404


def test_an_outdated_form_gets_the_token_for_its_next_try(reader: Reader) -> None:
    answer = reader.send("/new", token="old", headers={"HX-Request": "true"}, name="kept")

    again = reader.send("/new", token=answer.headers["X-Form-Token"], name="kept")

    assert again.status_code == 303


def test_a_form_of_another_site_is_refused_though_the_cookie_comes_along(reader: Reader) -> None:
    answer = reader.send("/new", headers={"Origin": "https://evil.example"}, name="stolen")

    assert answer.status_code == 403


def test_a_description_is_replaced_for_a_model_and_a_version(reader: Reader) -> None:
    reader.yard.ready("m")

    for here in ("/models/m", "/models/m/versions/1"):
        reader.done(f"{here}/description", description="**new**\r\nline")
        assert "<strong>new</strong>" in reader.open(here)


def test_the_second_of_two_editors_sees_the_first_ones_text_and_decides(reader: Reader) -> None:
    reader.yard.ready("m")
    here = "/models/m/versions/1/description"
    seen = elements(reader.open(here), "input", name="seen")[0]["value"]
    reader.done(here, description="the first text", seen=seen)

    told = reader.refused(here, description="the second text", seen=seen)

    assert "the first text" in told
    assert "the second text" in told
    assert "the first text" in reader.open("/models/m/versions/1")
    reader.done(here, description="the second text", seen=elements(told, "input", name="seen")[0]["value"])
    assert "the second text" in reader.open("/models/m/versions/1")


def test_too_long_a_description_comes_back_with_its_reason(reader: Reader) -> None:
    reader.yard.ready("m")

    html = reader.refused("/models/m/description", description="x" * 65_536)

    assert "at most 65535" in text_of(html)


def test_tags_and_aliases_are_set_and_removed(reader: Reader) -> None:
    reader.yard.ready("m")
    here = "/models/m/versions/1"

    reader.done("/models/m/tags", key="team", value="grid")
    reader.done(f"{here}/tags", key="validation", value="approved")
    reader.done(f"{here}/alias", alias="champion")
    model, version = text_of(reader.open("/models/m")), text_of(reader.open(here))
    assert "team grid" in model or "teamgrid" in model
    assert "validation" in version
    assert "@champion" in version

    reader.done("/models/m/tags/delete", key="team")
    reader.done(f"{here}/tags/delete", key="validation")
    reader.done(f"{here}/alias/delete", alias="champion")
    html = reader.open(here)
    assert not elements(html, "button", **{"aria-label": "Remove the tag validation"})
    assert "@champion" not in text_of(html)


def test_what_is_no_tag_or_alias_comes_back_with_its_reason(reader: Reader) -> None:
    reader.yard.ready("m")

    for path, fields in (("tags", {"key": "", "value": "x"}), ("alias", {"alias": "latest"})):
        html = reader.refused(f"/models/m/versions/1/{path}", **fields)
        assert elements(html, "input", **{REFUSED_FIELD: "true"})


def test_a_promotion_archives_the_others_only_when_asked(reader: Reader) -> None:
    reader.yard.ready("m", stage="Production")
    reader.yard.ready("m")
    reader.yard.ready("m")

    reader.done("/models/m/versions/2/transition", to="Production", comment="")
    assert reader.yard.version("m", "1")["current_stage"] == "Production"
    reader.done("/models/m/versions/3/transition", to="Production", comment="why", archive_existing="1")

    stages = [reader.yard.version("m", number)["current_stage"] for number in ("1", "2", "3")]
    assert stages == ["Archived", "Archived", "Production"]


def test_a_promotion_that_is_refused_keeps_its_comment(reader: Reader) -> None:
    reader.yard.register("m")

    html = reader.refused("/models/m/versions/1/transition", to="Production", comment="so that it lives")

    assert "only a READY version" in text_of(html)
    assert "so that it lives" in html


def test_a_version_in_use_is_not_deleted_and_the_page_says_why(reader: Reader) -> None:
    reader.yard.ready("m", stage="Staging")

    form = reader.open("/models/m/versions/1/delete")
    html = reader.refused("/models/m/versions/1/delete")

    assert "Only versions in None or Archived can be deleted" in text_of(form)
    assert "Move it to None or Archived" in text_of(html)


def test_a_model_goes_only_with_its_name_typed_and_comes_back_from_the_trash(reader: Reader) -> None:
    reader.yard.ready("m")

    assert "Type the model" in text_of(reader.refused("/models/m/delete", name="n"))
    assert reader.done("/models/m/delete", name="m") == "/models"

    trash = reader.open("/trash")
    restore = next(one["href"] for one in elements(trash, "a") if str(one.get("href")).endswith("/restore"))
    reader.done("/new", name="m")
    assert "already exists" in text_of(reader.refused(str(restore), name="m"))
    assert reader.done(str(restore), name="m again") == "/models/m%20again"


def test_a_purge_from_the_trash_is_a_job(reader: Reader) -> None:
    reader.yard.ready("m")
    reader.done("/models/m/delete", name="m")
    trash = reader.open("/trash")
    purge = str(next(one["href"] for one in elements(trash, "a") if str(one.get("href")).endswith("/purge")))

    assert "cannot be undone" in text_of(reader.open(purge))
    where = reader.done(purge)

    assert "Purge model" in text_of(reader.open(where))


def test_a_version_is_followed_and_left(reader: Reader) -> None:
    reader.yard.ready("m")
    button = {"id": "follow-version"}
    assert elements(reader.open("/models/m/versions/1"), "button", **button)[0]["aria-pressed"] == "false"

    for _ in range(2):
        reader.done("/models/m/versions/1/follow", wish="1")
    assert elements(reader.open("/models/m/versions/1"), "button", **button)[0]["aria-pressed"] == "true"
    with reading(reader.yard.engine) as session:
        assert followers_of(session, 1) == ["local"]

    reader.done("/models/m/versions/1/follow")
    assert elements(reader.open("/models/m/versions/1"), "button", **button)[0]["aria-pressed"] == "false"


def test_a_job_is_cancelled_and_tried_again(reader: Reader) -> None:
    reader.yard.register("m")

    reader.done("/jobs/1/cancel", back="/models/m/versions/1")
    assert "Registration failed" in text_of(reader.open("/models/m/versions/1"))
    reader.done("/jobs/1/retry")

    assert "Pending registration" in text_of(reader.open("/models/m/versions/1"))
    reader.yard.work()
    assert reader.yard.version()["status"] == "READY"


def test_a_form_leads_back_to_pages_of_ours_alone(reader: Reader) -> None:
    for back in ("https://evil.example", "//evil.example", "/\\evil.example", "/jobs\\@evil.example"):
        reader.yard.register("m")
        newest = reader.yard.jobs()[-1].id

        assert reader.done(f"/jobs/{newest}/cancel", back=back) == f"/jobs/{newest}"


def test_failed_jobs_are_counted_by_kind_and_then_retried(reader: Reader) -> None:
    for _ in range(2):
        reader.yard.add_job(status="FAILED")
    reader.yard.add_job(status="FAILED", kind="prune_jobs")

    form = text_of(reader.open("/jobs/retry?kind=probe"))
    where = reader.done("/jobs/retry", kind="probe", model="", actor="")

    assert "2 failed jobs" in form
    assert "2 jobs queued again" in text_of(reader.open(where))


def test_ticked_jobs_are_counted_by_kind_and_then_cancelled(reader: Reader) -> None:
    waiting = [reader.yard.add_job() for _ in range(2)]
    over = reader.yard.add_job(status="SUCCEEDED")
    ticks = elements(reader.open("/jobs"), "input", name="job")
    assert {tick["value"] for tick in ticks} == {str(job_id) for job_id in waiting}

    form = text_of(reader.open(f"/jobs/cancel?job={waiting[0]}&job={over}&job=9999&job=x&job={waiting[0]}"))
    assert "1 job will be cancelled" in form
    where = reader.done("/jobs/cancel", job=[*map(str, waiting), str(over)])

    assert "2 jobs being cancelled; 1 job had ended" in text_of(reader.open(where))
    assert [job.status for job in reader.yard.jobs()] == ["CANCELLED", "CANCELLED", "SUCCEEDED"]
    assert "No job that waits or runs is ticked" in text_of(reader.open("/jobs/cancel"))


def test_a_schedule_is_changed_and_a_rule_that_is_none_comes_back(reader: Reader) -> None:
    html = reader.refused("/schedules/collect", enabled="1", rule="cron", expression="at noon", zone="UTC")
    assert "at noon" in html

    reader.done("/schedules/collect", enabled="1", rule="every", expression="3600", zone="UTC")

    assert "Every 1 h" in text_of(reader.open("/schedules"))


def test_a_sheet_is_a_page_or_a_piece_for_the_dialog(reader: Reader) -> None:
    page = reader.open("/new")
    piece = reader.open("/new", **{"HX-Request": "true", "HX-Target": "dialog"})

    assert elements(page, "nav")
    assert not elements(piece, "nav")
    assert elements(piece, "form", action="/new")[0]["hx-post"] == "/new"


def test_a_taken_sheet_leads_the_dialogs_page_on(reader: Reader) -> None:
    answer = reader.send("/new", headers={"HX-Request": "true"}, name="m")

    assert answer.status_code == 204
    assert answer.headers["HX-Redirect"] == "/models/m"


def test_the_theme_is_kept_without_a_script(reader: Reader) -> None:
    reader.done("/settings/theme")
    assert elements(reader.open("/models"), "html")[0]["data-theme"] == "dark"

    reader.done("/settings/theme")
    assert elements(reader.open("/models"), "html")[0]["data-theme"] == "light"


def test_what_is_only_remembered_is_taken_over_by_its_menu(open_yard: Callable[..., Yard]) -> None:
    reader = Reader(open_yard(registration="reference"))
    reader.yard.register("m", source=reader.yard.model_folder())
    here = "/models/m/versions/1"
    assert "Not here: only the source is remembered" in text_of(reader.open(here))
    assert "Verify the stored files" not in reader.open(here)

    job = reader.done(f"{here}/materialize")
    reader.yard.work()

    assert "Take over the files" in text_of(reader.open(job))
    assert "Copy the files into the store" not in reader.open(here)
    assert "Verify the stored files" in reader.open(here)
    assert reader.done(f"{here}/materialize") == here
    assert "are in the store already" in text_of(reader.open(here))
