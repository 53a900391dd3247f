"""Names of files and models are shown letter by letter, also where they look like rich text."""

from __future__ import annotations

from typing import Any

import pytest
from shown_texts import HOSTILE, shown

from napari_impa.viewer.kit.forms import breakable, plain


@pytest.mark.parametrize("text", [*HOSTILE, "a < b", "plain text", "two\nlines of <b>x</b>"])
@pytest.mark.parametrize("as_shown", [plain, breakable])
def test_a_text_is_shown_as_it_is(qapp: Any, text: str, as_shown: Any) -> None:
    assert shown(as_shown(text)) == text
