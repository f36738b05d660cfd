"""What follows from settings that are given, and from those that are not."""

import pytest

from modelyard.errors import ConfigurationError
from modelyard.settings import Settings, load_settings, reachable


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104 - nobody listens.
        ("::", "[::1]"),
        ("[::1]", "[::1]"),
        ("registry.example", "registry.example"),
    ],
)
def test_a_server_is_reached_on_the_loopback_address_of_its_family(host, reached):
    assert reachable(host) == reached


def test_the_address_of_this_machines_server_follows_from_host_and_port():
    assert Settings(host="::", port=5081).address == "http://[::1]:5081"


@pytest.mark.parametrize("token", ["two words", "one,two", "line\nline"])
def test_a_token_that_no_header_can_show_is_refused_and_not_shown(token, monkeypatch):
    monkeypatch.setenv("MODELYARD_ADMIN_TOKEN", token)

    with pytest.raises(ConfigurationError, match=r"MODELYARD_ADMIN_TOKEN: .*no blanks and no commas") as refusal:
        load_settings()

    assert token not in str(refusal.value)
