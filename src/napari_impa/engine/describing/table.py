"""Conditions by the numbers of a table: genes by their embeddings, compounds by their descriptors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from numpy.typing import NDArray

from napari_impa.engine.describing.description import Description
from napari_impa.errors import ConditionError

if TYPE_CHECKING:
    import pandas as pd


class Table(Description):
    """Each condition is a row of a CSV table."""

    kind = "table"
    needs = "file"
    endings = (".csv", ".tsv", ".txt")
    files = "Tables"
    label = "a table"
    help = "the path of a CSV table (a row a condition: its name, then numbers)"
    tip = "Table: a CSV file with a row a condition, its name first, then numbers."
    plural = "numbers of its table"
    singular = "numbers of a table"
    advice = "give its vector"
    takes_numbers = True

    @classmethod
    def of_training(
        cls, facts: pd.DataFrame, modality: str, path: str, *, standardize: bool
    ) -> tuple[Self, NDArray[Any]]:
        """(K, columns) rows of the table; they are standardized by all of its rows but those of what is held out."""
        import pandas as pd

        from napari_impa.engine.describing.named_numbers import read_descriptions

        table = read_descriptions(path)
        missing = [key for key in facts["key"] if key not in table.index]
        if missing:
            raise ConditionError(f"{path} has no row for {', '.join(sorted(set(missing))[:5])}; add it.")
        scaling: dict[str, Any] = {}
        if standardize:
            trained = facts.get("trained", pd.Series(True, facts.index))
            held_out = set(facts["key"][~trained]) - set(facts["key"][trained])
            seen = table[~table.index.isin(held_out)]
            deviation = seen.std(ddof=0)
            scaling = {"center": tuple(seen.mean()), "spread": tuple(deviation.where(deviation > 0, 1.0))}
        described = cls(modality, features=tuple(map(str, table.columns)), **scaling)
        return described, table.loc[facts["key"]].to_numpy()
