"""A classifier of conditions, trained on real cells, to ask what predicted cells are taken for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from napari_impa.errors import ConditionError

REGULARISATION = 0.01
"""scikit-learn's C; small, as with more freedom faint noise or blur, which differ between wells, decide."""


@dataclass(frozen=True, eq=False)
class ConditionClassifier:
    """Logistic regressions on standardised features: which condition, and treated or not; see `fit`."""

    condition: Pipeline
    treatment: Pipeline | None

    @classmethod
    def fit(
        cls, features: NDArray[np.float64], conditions: NDArray[np.object_], control: str | None = None
    ) -> ConditionClassifier:
        """Train on real cells; every condition counts the same, however many cells it has.

        Parameters
        ----------
        features
            (N, D), as of `deep_features`.
        conditions
            (N,) names of the cells' conditions.
        control
            Name of the untreated control; without one nothing is taken for treated.

        Raises
        ------
        ConditionError
            If the cells are all of one condition, or none or all of them are controls.
        """
        names = np.asarray(conditions).astype(str)
        if len(set(names)) < 2:
            raise ConditionError(
                "A classifier needs real cells of two conditions or more; give other cells, or hold out fewer."
            )
        treated = names != str(control)
        if control is not None and treated.all():
            raise ConditionError(
                f"A classifier needs real controls ({control}) beside treated cells; give cells with controls."
            )
        return cls(_fitted(features, names), None if control is None else _fitted(features, treated))

    def conditions(self, features: NDArray[np.float64]) -> NDArray[np.str_]:
        """(N,) condition that each cell is taken for."""
        return np.asarray(self.condition.predict(features))

    def is_treated(self, features: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(N,) whether each cell is taken for treated, with any condition.

        Raises
        ------
        ConditionError
            If the classifier was trained without a control.
        """
        if self.treatment is None:
            raise ConditionError("Without a control no cell can be told to be treated; name the control.")
        return np.asarray(self.treatment.predict(features), bool)


def _fitted(features: NDArray[np.float64], target: NDArray[np.generic]) -> Pipeline:
    regression = LogisticRegression(C=REGULARISATION, class_weight="balanced", max_iter=1000)
    return make_pipeline(StandardScaler(), regression).fit(features, target)
