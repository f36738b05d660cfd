"""One route of the wire: its method and path, the function that answers, and what that function is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from flask import Response

from modelyard.web.api.arguments import Arguments, arguments

Answer: TypeAlias = Mapping[str, Any] | Response
Handler: TypeAlias = Callable[..., Answer]


@dataclass(frozen=True, slots=True)
class Texts:
    """What a handler that answers in other words than JSON says of itself, beside `Response` in its annotation.

    `contents` maps media type -> the type of a line, `headers` maps name -> meaning.
    """

    contents: Mapping[str, type]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Route:
    """A method and path, and the function that answers. `open` ones need no credentials.

    `repeatable` handlers run again after a deadlock; those that read a streamed body cannot.
    """

    method: str
    path: str
    handler: Handler
    open: bool = False
    repeatable: bool = True

    @property
    def asked(self) -> type[Arguments] | None:
        """The class of the request that the handler takes as `asked`; None for one that takes the path alone."""
        return self.handler.__annotations__.get("asked")

    def answer(self, path_parameters: Mapping[str, str]) -> Answer:
        """Answer the request that this thread is in, whose path holds `path_parameters`."""
        if self.asked is None:
            return self.handler(**path_parameters)
        return self.handler(arguments(self.asked, path_parameters))
