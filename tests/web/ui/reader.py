"""What a browser without scripts does with a page: follow it, fill in its forms, send them with their token."""

from html.parser import HTMLParser
from typing import Any

from werkzeug.test import TestResponse

from tests.web.yards import Yard

HTML = {"Accept": "text/html,application/xhtml+xml"}


class _Parts(HTMLParser):
    """Every element's tag and attributes, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


class Reader:
    """A browser without scripts, before a yard's application."""

    def __init__(self, yard: Yard) -> None:
        self.yard = yard
        self.client = yard.app.test_client()

    def open(self, path: str, status: int = 200, **headers: str) -> str:
        """Open a page that must answer with `status`; return its HTML."""
        answer = self.client.get(path, headers=HTML | headers)
        assert answer.status_code == status, f"{path}: {answer.status_code} {answer.get_data(as_text=True)[:2000]}"
        return answer.get_data(as_text=True)

    def get(self, path: str, **headers: str) -> TestResponse:
        """Send a GET and return the whole answer."""
        return self.client.get(path, headers=HTML | headers)

    def token(self) -> str:
        """Return the token that forms of this browser bring back."""
        fields = elements(self.open("/settings/profile"), "meta", name="form-token")
        return str(fields[0]["content"])

    def send(self, path: str, *, token: str | None = None, headers: dict[str, str] | None = None, **fields: Any) -> Any:
        """Send a form with this browser's token, or with the one given; return the answer."""
        data = {"form_token": self.token() if token is None else token, **fields}
        return self.client.post(path, data=data, headers=HTML | (headers or {}))

    def done(self, path: str, **fields: Any) -> str:
        """Send a form that must be taken; return the address that it leads to."""
        answer = self.send(path, **fields)
        assert answer.status_code == 303, answer.get_data(as_text=True)[:3000]
        return str(answer.headers["Location"])

    def refused(self, path: str, **fields: Any) -> str:
        """Send a form that must come back with its reason; return its HTML."""
        answer = self.send(path, **fields)
        assert answer.status_code == 422, f"{answer.status_code} {answer.get_data(as_text=True)[:2000]}"
        return str(answer.get_data(as_text=True))


def text_of(html: str) -> str:
    """Return the words of a page, white space made one."""
    return " ".join(_Parts(html).text.split())


def elements(html: str, tag: str, **attributes: str) -> list[dict[str, str | None]]:
    """Return the attributes of every such element that has these values."""
    found = [attrs for name, attrs in _Parts(html).elements if name == tag]
    return [one for one in found if all(one.get(key) == value for key, value in attributes.items())]


def links(html: str) -> set[str]:
    """Return where a page leads to."""
    return {str(one["href"]) for one in elements(html, "a") if one.get("href")}
