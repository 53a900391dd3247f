"""Classifiers of conditions, trained on real cells, to ask what predicted cells are taken for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.selection import FEWEST, ScoredCells
from napari_impa.errors import ConditionError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

REGULARISATION = 0.01
"""scikit-learn's C; small, as with more freedom faint noise or blur, which differ between wells, decide."""

FOLDS = 5
"""Parts of a cross-validation where there are no plates to leave out."""


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


class FairClassifier:
    """Classifiers such that no real cell is judged by one that was trained on it, or, where possible, on its plate.

    Parameters
    ----------
    chosen
        The cells that are scored, and the others.
    features
        (n, D) of them all.
    seed
        Of the parts of a cross-validation where there are no plates to leave out.

    Attributes
    ----------
    how
        On what it was trained, to end a sentence.
    """

    def __init__(self, chosen: ScoredCells, features: NDArray[np.float64], seed: int) -> None:
        classes = [*chosen.conditions] if chosen.control is None else [chosen.control, *chosen.conditions]
        rest = {name: len(chosen.real(name, scored=False)) for name in classes}
        self._fold = np.where(chosen.scored, 0, -1)
        if min(rest.values()) >= FEWEST:
            self.how = "trained on the real cells that are not scored"
        elif all(len(set(chosen.plates[chosen.real(name)])) > 1 for name in classes):
            self._fold[chosen.scored] = np.unique(chosen.plates[chosen.scored].astype(str), return_inverse=True)[1]
            self.how = "trained on the real cells of the other plates"
        else:
            rng = np.random.default_rng([seed, 3])
            for name in classes:
                rows = chosen.real(name)
                self._fold[rows] = rng.permutation(np.arange(len(rows)) % FOLDS)
            self.how = "trained on other real cells of the same plates; it may know the plate rather than the condition"
        used = np.isin(chosen.names, classes)
        self._classifiers = [
            ConditionClassifier.fit(
                features[used & (self._fold != fold)], chosen.names[used & (self._fold != fold)], chosen.control
            )
            for fold in range(self._fold.max() + 1)
        ]

    def conditions(self, features: NDArray[np.float64], rows: NDArray[np.intp]) -> NDArray[np.object_]:
        """Condition that cells are taken for; `rows` are those cells among the chosen, or what they were made of."""
        return self._ask(lambda classifier, some: classifier.conditions(some), features, rows, object)

    def treated(self, features: NDArray[np.float64], rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether cells are taken for treated."""
        return self._ask(lambda classifier, some: classifier.is_treated(some), features, rows, bool)

    def _ask(
        self,
        question: Callable[[ConditionClassifier, NDArray[np.float64]], NDArray[Any]],
        features: NDArray[np.float64],
        rows: NDArray[np.intp],
        kind: type,
    ) -> NDArray[Any]:
        """Answers (n,) of the classifiers, each to the cells of its own fold."""
        out: NDArray[Any] = np.zeros(len(rows), kind)
        for fold, classifier in enumerate(self._classifiers):
            if (mask := self._fold[rows] == fold).any():
                out[mask] = question(classifier, features[mask])
        return out


def _fitted(features: NDArray[np.float64], target: NDArray[np.generic]) -> Pipeline:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    regression = LogisticRegression(C=REGULARISATION, class_weight="balanced", max_iter=1000)
    return make_pipeline(StandardScaler(), regression).fit(features, target)
