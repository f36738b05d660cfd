"""The model of `modelyard demo`: a linear rule for house prices, loadable with `mlflow.pyfunc.load_model`."""

import json
from pathlib import Path
from typing import Any


class HousePrices:
    """Predicts prices from the columns `rooms`, `square_metres` and `age_years`."""

    def __init__(self, coefficients: dict[str, float]) -> None:
        self._intercept = coefficients.pop("intercept")
        self._weights = coefficients

    def predict(self, frame: Any, params: dict[str, Any] | None = None) -> Any:
        """Return one price for each row of the data frame."""
        return sum((frame[column] * weight for column, weight in self._weights.items()), self._intercept)


def _load_pyfunc(path: str) -> HousePrices:
    return HousePrices(json.loads(Path(path).read_text()))
