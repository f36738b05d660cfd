"""Every page answers, says what a browser may do with it, and leads on by links that answer, too."""

import re
from urllib.parse import parse_qsl, quote, urlsplit

from modelyard.web.ui.pages import PAGES
from tests.web.ui.reader import Reader, elements, links, text_of

ODD = "a b?c#d%25é"
HOSTILE = "<script>alert(1)</script>"
RIGHT_TO_LEFT = "نموذج"


def seed(reader: Reader, name: str = "m") -> None:
    """Register a version with a few files, and move it to Production."""
    source = reader.yard.model_folder("seeded", **{"data/a.txt": b"text", "model.pkl": b"\x80\x04\x00"})
    reader.yard.ready(name, source=source, stage="Production")


def kind_of(link: str) -> str:
    """Return a link without the values of its query: filters can be combined in a thousand ways."""
    parts = urlsplit(link)
    return parts.path + "?" + "&".join(sorted({key for key, _ in parse_qsl(parts.query)}))


def test_every_page_of_a_living_registry_answers_and_leads_on(reader: Reader) -> None:
    seed(reader)
    reader.yard.ready("gone")
    reader.yard.call("DELETE", "registered-models/delete", {"name": "gone"})
    waiting, seen = ["/models"], {kind_of("/models")}

    while waiting:
        here = waiting.pop()
        answer = reader.get(here)
        assert answer.status_code in (200, 302), f"{here}: {answer.status_code} {answer.get_data(as_text=True)[:2000]}"
        if answer.mimetype == "text/html":
            html = answer.get_data(as_text=True)
            # A form without a method asks for a page, as a link does.
            forms = {str(form["action"]) for form in elements(html, "form") if "method" not in form}
            found = sorted(link for link in {*links(html), *forms} if link.startswith("/"))
            waiting += [link for link in found if kind_of(link) not in seen]
            seen |= {kind_of(link) for link in found}

    plain = {one.path for one in PAGES if one.method == "GET" and "<" not in one.path and not one.open}
    # Without MODELYARD_AUTH everybody is the registry's own user, who has no tokens.
    plain -= {"/settings/tokens/new"}
    reached = {kind.partition("?")[0] for kind in seen}
    assert {path for path in plain if not path.startswith("/ui/")} - {"/"} - reached == set()


def test_a_page_may_do_little_in_a_browser(reader: Reader) -> None:
    answer = reader.get("/models")

    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    html = answer.get_data(as_text=True)
    assert all("src" in script for script in elements(html, "script"))
    assert elements(html, "style") == []
    assert "style=" not in html
    assert "onclick" not in html


def test_cookies_are_for_the_server_alone_and_no_other_site(reader: Reader) -> None:
    cookies = reader.get("/models").headers.getlist("Set-Cookie")

    assert cookies
    assert all("HttpOnly" in cookie and "SameSite=Lax" in cookie for cookie in cookies)


def test_names_of_any_kind_have_pages_and_are_shown_as_they_are(reader: Reader) -> None:
    for name in (ODD, "<b>x|b", RIGHT_TO_LEFT, "n" * 256, "a  b", "'\"`", "{{ 7*7 }}"):
        seed(reader, name)
        here = f"/models/{quote(name, safe='')}"
        listed, page, version = (reader.open(path) for path in ("/models", here, f"{here}/versions/1"))

        assert here in links(listed)
        assert f"{here}/versions/1" in links(page)
        for html in (listed, page, version):
            assert " ".join(name.split()) in text_of(html)
            assert "<b>x" not in html


def test_what_people_write_is_text_and_markdown_never_html(reader: Reader) -> None:
    written = f"{HOSTILE} **bold** [x](javascript:alert(1)) [y](https://example.com) ![z](https://example.com/i.png)"
    reader.yard.ready("m", description=written, tags=[{"key": "k", "value": HOSTILE}])
    reader.yard.call("PATCH", "registered-models/update", {"name": "m", "description": written})

    for path in ("/models", "/models/m", "/models/m/versions/1"):
        html = reader.open(path)
        assert "<script>alert" not in html
        assert not any(link.startswith("javascript:") for link in links(html))
        assert not elements(html, "img")
    version = reader.open("/models/m/versions/1")
    assert "<strong>bold</strong>" in version
    assert elements(version, "a", href="https://example.com")[0]["rel"] == "noopener noreferrer nofollow"


def test_an_unknown_page_says_so_in_html_and_an_unknown_route_in_json(reader: Reader) -> None:
    page = reader.get("/nothing/here")
    route = reader.get("/api/2.0/mlflow/nothing")

    assert page.status_code == 404
    assert "Not found" in text_of(page.get_data(as_text=True))
    assert page.headers["Content-Security-Policy"]
    assert route.get_json()["error_code"] == "ENDPOINT_NOT_FOUND"


WRONG_ADDRESSES = (
    ("/models/nobody", 404),
    ("/models/m/versions/9", 404),
    ("/models/m/versions/99999999999999999999999", 404),
    ("/models/m/versions/x", 404),
    ("/models/m/versions/1/artifacts/none", 404),
    ("/models/m/versions/1/artifacts/../../etc/passwd", 404),
    ("/models/m/versions/1/raw/none", 404),
    ("/models/m/versions/1/image/MLmodel", 404),
    ("/models/m/versions/1/transition?to=Moon", 400),
    ("/models?after=forged", 400),
    ("/models?q=%00", 400),
    ("/models?size=7&sort=colour", 200),
    ("/jobs?status=odd&kind=odd&after=", 200),
    ("/jobs?model=%00", 400),
    ("/jobs/999999999999999999999999", 404),
    ("/jobs/12345", 404),
    ("/trash/nothing/restore", 404),
    ("/schedules/none", 404),
    ("/static/000000000000/app.css", 404),
    ("/static/x/..%2fapp.py", 404),
)


def test_a_wrong_address_is_answered_by_a_page_that_says_why(reader: Reader) -> None:
    seed(reader)

    for path, status in WRONG_ADDRESSES:
        assert elements(reader.open(path, status), "h1"), path


def test_a_fragment_is_empty_while_nothing_has_changed(reader: Reader) -> None:
    seed(reader)
    for path in ("/models", "/models/m", "/models/m/versions/1", "/jobs", "/workers"):
        html = reader.open(path)
        region = next(one for one in elements(html, "section") + elements(html, "div") if one.get("data-live"))

        same = reader.get(str(region["hx-get"]))

        assert same.status_code == 204, path
        assert same.headers["Cache-Control"] == "no-store"


def test_a_fragment_is_sent_again_when_something_has_changed(reader: Reader) -> None:
    seed(reader)
    html = reader.open("/models/m/versions/1")
    live = next(one for one in elements(html, "div") if one.get("data-live"))

    reader.yard.call("POST", "registered-models/alias", {"name": "m", "alias": "champion", "version": "1"})
    changed = reader.get(str(live["hx-get"]))

    assert changed.status_code == 200
    assert "@champion" in changed.get_data(as_text=True)


def test_a_job_that_is_over_is_asked_for_no_more(reader: Reader) -> None:
    seed(reader)

    html = reader.open("/jobs/1")

    assert not [one for one in elements(html, "div") if one.get("data-live")]


def test_a_job_s_page_lists_its_steps_and_how_long_each_took(reader: Reader) -> None:
    seed(reader)

    told = " ".join(text_of(reader.open("/jobs/1")).split())

    assert re.search(r"Steps ?Opening the source ?\d\.\d s ?Copying ?\d\.\d s ?Log", told)


def test_files_that_pages_load_are_kept_for_ever_and_packed(reader: Reader) -> None:
    style = str(elements(reader.open("/models"), "link", rel="stylesheet")[0]["href"])

    plain = reader.get(style)
    packed = reader.get(style, **{"Accept-Encoding": "gzip"})

    assert "immutable" in plain.headers["Cache-Control"]
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.data) < len(plain.data) / 3


def test_a_first_visit_loads_little(reader: Reader) -> None:
    seed(reader)
    html = reader.open("/models/m/versions/1")
    loaded = {str(one["href"]) for one in elements(html, "link")}
    loaded |= {str(one["src"]) for one in elements(html, "script")}

    sizes = [len(reader.get(address.partition("#")[0], **{"Accept-Encoding": "gzip"}).data) for address in loaded]

    assert len(sizes) + 1 <= 10
    assert sum(sizes) + len(html.encode()) <= 100_000


def test_a_former_name_leads_to_the_one_of_now(reader: Reader) -> None:
    reader.yard.ready("old")
    reader.yard.call("POST", "registered-models/rename", {"name": "old", "new_name": ODD})

    moved = reader.get("/models/old/versions/1")

    assert moved.status_code == 302
    assert moved.headers["Location"] == f"/models/{quote(ODD, safe='')}/versions/1"
    reader.yard.ready("old")
    assert reader.get("/models/old").status_code == 200


def test_old_bookmarks_and_the_root_lead_to_the_models(reader: Reader) -> None:
    assert reader.get("/").headers["Location"] == "/models"


def test_the_list_of_models_is_narrowed_by_clicks(reader: Reader) -> None:
    reader.yard.ready("live", stage="Production")
    reader.yard.ready("old", stage="Archived")
    reader.yard.register("waiting")
    names = {"live", "old", "waiting"}

    def shown(query: str) -> set[str]:
        found = links(reader.open(f"/models?{query}"))
        return {name for name in names if f"/models/{name}" in found}

    assert shown("") == names
    assert shown("with=production") == {"live"}
    assert shown("with=archived") == {"old"}
    assert shown("with=pending") == {"waiting"}
    assert shown("with=production&with=archived") == set()
    assert shown("owner=local") == names
    assert shown("owner=nobody") == set()
    assert shown("with=odd") == names
    wish = {"name": "old", "version": "1", "stage": "Staging"}
    reader.yard.call("POST", "transition-requests/create", wish)
    assert shown("with=requested") == {"old"}
