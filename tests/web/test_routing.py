"""The routing table: one for all applications, and no slower to make than it must be."""

from flask import Response
from werkzeug.routing import Map, Rule

from modelyard.web.app import routing
from modelyard.web.routing import Endpoint, Routing


def answer() -> Response:
    return Response("yes")


def test_applications_of_a_process_share_one_table(open_yard):
    first, second = open_yard(), open_yard()

    assert first.app.url_map is second.app.url_map
    assert first.app.url_map is routing().rules


def test_a_method_that_no_route_has_is_not_answered_for_it():
    table = Routing.of([Endpoint("POST /m", "POST", "/m", answer, open=False)])

    assert [rule.methods for rule in table.rules.iter_rules()] == [{"POST"}]


def test_only_open_endpoints_need_no_credentials():
    table = Routing.of(
        [Endpoint("GET /a", "GET", "/a", answer, open=True), Endpoint("GET /b", "GET", "/b", answer, open=False)]
    )

    assert table.open_endpoints == {"GET /a"}


def test_addresses_are_written_as_by_any_other_rule():
    path = "/models/<name>/versions/<int:number>"
    ours = Routing.of([Endpoint("version", "GET", path, answer, open=True)]).rules.bind("yard.example")
    plain = Map([Rule(path, endpoint="version")]).bind("yard.example")
    values = {"name": "a b/é", "number": 3, "page": "2"}

    assert ours.build("version", values) == plain.build("version", values)
    assert ours.build("version", values, append_unknown=False) == plain.build("version", values, append_unknown=False)
