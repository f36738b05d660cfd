"""Host names that a server answers to."""

import pytest

from modelyard.rules.hosts import LOOPBACK_NAMES, host_name, is_allowed, origin_name


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost", "localhost"),
        ("LocalHost:5080", "localhost"),
        ("127.0.0.1:1", "127.0.0.1"),
        ("[::1]:5080", "::1"),
        ("registry.example.", "registry.example"),
        ("", ""),
        ("a/b", ""),
        ("user@localhost", ""),
        ("localhost#x", ""),
        ("local host", ""),
        ("[::1", ""),
    ],
)
def test_a_host_is_known_by_its_name(host: str, name: str) -> None:
    assert host_name(host) == name


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ("http://localhost:3000", "localhost"),
        ("https://Registry.example", "registry.example"),
        ("null", ""),
        ("file://", ""),
        ("chrome-extension://abc", ""),
        ("http://evil.example/localhost", ""),
    ],
)
def test_an_origin_is_known_by_its_name(origin: str, name: str) -> None:
    assert origin_name(origin) == name


@pytest.mark.parametrize(
    ("name", "allowed", "answer"),
    [
        ("localhost", LOOPBACK_NAMES, True),
        ("evil.example", LOOPBACK_NAMES, False),
        ("localhost.evil.example", LOOPBACK_NAMES, False),
        ("", LOOPBACK_NAMES, False),
        ("anything", frozenset({"*"}), True),
        ("", frozenset({"*"}), False),
    ],
)
def test_only_known_names_are_answered(name: str, allowed: frozenset[str], answer: bool) -> None:
    assert is_allowed(name, allowed) is answer
