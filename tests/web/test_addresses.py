"""Callers' addresses behind proxies."""

import pytest

from modelyard.errors import ConfigurationError
from modelyard.web.addresses import caller_address, parse_networks

TRUSTED = parse_networks(["10.0.0.0/8", "127.0.0.1", "::1"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("10.1.1.1", "203.0.113.9", "203.0.113.9"),
        ("::1", "203.0.113.9", "203.0.113.9"),
        ("10.1.1.1", "198.51.100.7, 203.0.113.9", "203.0.113.9"),
        ("10.1.1.1", "203.0.113.9, 10.2.2.2", "203.0.113.9"),
        ("10.1.1.1", "", "10.1.1.1"),
        ("10.1.1.1", "10.2.2.2", "10.2.2.2"),
        ("10.1.1.1", "nonsense, , ", "nonsense"),
        ("10.1.1.1", "x" * 500, "x" * 100),
        ("", "203.0.113.9", ""),
    ],
)
def test_only_trusted_proxies_are_believed(peer: str, forwarded: str, address: str) -> None:
    assert caller_address(peer, forwarded, TRUSTED) == address


def test_a_network_that_is_none_is_a_mistake_of_the_settings() -> None:
    with pytest.raises(ConfigurationError, match="MODELYARD_TRUSTED_PROXIES"):
        parse_networks(["proxy.example"])
