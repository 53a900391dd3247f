"""Names of files and models are shown letter by letter, also where they look like rich text."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtWidgets import QLabel

from napari_impa.viewer.kit.forms import breakable, plain

IMAGE = '<img src="file:////host/share/x.png">'


@pytest.mark.parametrize("text", ["a < b", "NFκB & friends", f"DMSO {IMAGE}\n2 <b>bold</b>", "plain text"])
@pytest.mark.parametrize("shown", [plain, lambda text: breakable(text).replace("\u200b", "")])
def test_a_text_is_shown_as_it_is(qtbot: Any, text: str, shown: Any) -> None:
    from qtpy.QtGui import QTextDocument

    label = QLabel(shown(text))
    qtbot.addWidget(label)
    document = QTextDocument()
    if "<" in text:
        document.setHtml(label.text())
        assert document.toPlainText() == text
    else:
        assert label.text() == text
    assert "<img" not in label.text()
