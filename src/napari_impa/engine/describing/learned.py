"""Conditions that the training learns by name, a row of the embedding table each."""

from __future__ import annotations

from napari_impa.engine.describing.description import Description


class Learned(Description):
    """Each condition is a trained row."""

    kind = "learned"
    label = "their names"
    help = "learned (by name)"
    tip = "Names: it learns each condition from its cells, and knows no other."
    plural = "their names"
    singular = "a name"
