"""The table by which requests find their views, made once and shared by every application of the process."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from flask import Flask, Response
from werkzeug.routing import Map, Rule

Build = Callable[..., tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method and path as Werkzeug writes them, the name they have in `request.endpoint`, and who answers.

    `open` ones need no credentials.
    """

    name: str
    method: str
    path: str
    view: Callable[..., Response]
    open: bool


@dataclass(frozen=True, slots=True)
class Routing:
    """The table: rules, the view of each endpoint, and the endpoints that need no credentials."""

    rules: Map
    views: Mapping[str, Callable[..., Response]]
    open_endpoints: frozenset[str]

    @classmethod
    def of(cls, endpoints: Iterable[Endpoint]) -> Self:
        """Make the table, which takes some 20 ms for our 300 rules."""
        endpoints = list(endpoints)
        rules = [_Rule(one.path, methods=[one.method], endpoint=one.name) for one in endpoints]
        return cls(
            # Clients upload below a doubled slash and follow no redirect.
            rules=Map(rules, merge_slashes=False),
            views={one.name: one.view for one in endpoints},
            open_endpoints=frozenset(one.name for one in endpoints if one.open),
        )

    def mount(self, app: Flask) -> None:
        """Let `app` answer by this table and no other."""
        app.url_map = self.rules
        app.view_functions = dict(self.views)


class _Rule(Rule):
    """A rule that is ready to write addresses only when it is first asked for one, which our code never does.

    The code that Werkzeug compiles for that is three quarters of the time that a rule takes.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Build:
        compile_now = super()._compile_builder
        compiled: list[Build] = []

        def build(rule: Rule, **values: Any) -> tuple[str, str]:
            if not compiled:
                compiled.append(compile_now(append_unknown))
            return compiled[0](rule, **values)

        return build
