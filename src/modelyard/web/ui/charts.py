"""Small drawings of numbers, as points of an SVG: no script draws them, and no style."""

from collections.abc import Sequence


def sparkline(values: Sequence[int], width: int, height: int) -> str:
    """Return the points of a line through `values` from left to right, the largest at the top."""
    most, steps = max(values, default=0) or 1, max(1, len(values) - 1)
    inner = height - 4
    points = ((place * width / steps, height - 2 - value * inner / most) for place, value in enumerate(values))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
