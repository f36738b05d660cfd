"""Markdown of descriptions and comments -> HTML that is safe to show, whoever wrote it."""

from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

_TAGS = (
    "a abbr b blockquote br code dd del dl dt em h3 h4 h5 h6 hr i li ol p pre s strong sub sup "
    "table tbody td th thead tr ul"
)
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
# A page has one h1, and a card's title is an h2: what people write begins below.
_DEEPER = {"h1": "h3", "h2": "h4", "h3": "h5", "h4": "h6", "h5": "h6", "h6": "h6"}


@lru_cache(512)
def rendered(text: str) -> Markup:
    """Return a Markdown text as HTML: no script, no style, no picture, links that lead out only by a click.

    HTML within it is shown as it is written. The cleaning does not rely on that.
    """
    html = _parser().render(text)
    clean = nh3.clean(
        html,
        tags=set(_TAGS.split()),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return Markup(clean)  # noqa: S704 -- nh3 has cleaned it.


@lru_cache(1)
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])
    # Pictures would load from other hosts, and tell them who reads.
    parser.disable("image")

    def deepen(state: object) -> None:
        for token in state.tokens:  # type: ignore[attr-defined]
            token.tag = _DEEPER.get(token.tag, token.tag) if token.type.startswith("heading") else token.tag

    parser.core.ruler.push("deepen", deepen)
    return parser
