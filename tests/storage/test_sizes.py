"""How sizes are written for people."""

import pytest

from modelyard.storage.sizes import written


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_999, "1.0 MB"),
        (1_234_567_890, "1.2 GB"),
        (5_000_000_000_000_000, "5000.0 TB"),
    ],
)
def test_a_size_is_written_in_the_unit_that_people_would_choose(size_bytes, text):
    assert written(size_bytes) == text
