"""What a label says, and names that say something else where they are taken for rich text or escaped twice."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLabel

HOSTILE = ("<b>A&B</b> <img src='file:////host/share/x.png'>", '5\' "x" &lt; y', "it's & NFκB")
"""Tags; what Qt takes for rich text though it has none; what is escaped, and no rich text."""


def shown(text: str) -> str:
    """What a label, or a tooltip, shows of a text: what somebody reads who selects and copies all of it."""
    label = QLabel(text)
    flags = Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
    label.setTextInteractionFlags(flags)
    QTest.keySequence(label, QKeySequence(QKeySequence.StandardKey.SelectAll))
    places = {"\u200b": None, "\xa0": " ", "\u2028": "\n", "\u2029": "\n"}
    return str(label.selectedText()).translate(str.maketrans(places))
