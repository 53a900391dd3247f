"""Names of files and models are shown letter by letter, also where they look like rich text."""

from __future__ import annotations

from typing import Any

import pytest
from shown_texts import HOSTILE, shown

from napari_impa.viewer.kit.texts import breakable, breaks, joined, plain, rich

every_text = pytest.mark.parametrize("text", [*HOSTILE, "a < b", "plain text", "two\nlines of <b>x</b>"])


@every_text
@pytest.mark.parametrize("as_shown", [plain, breakable])
def test_a_text_is_shown_as_it_is(qapp: Any, text: str, as_shown: Any) -> None:
    assert shown(as_shown(text)) == text
    assert shown(plain(as_shown(text))) == text  # a text that is ready stays so


@every_text
@pytest.mark.parametrize("template", ["{} and more", "<b>{}</b> and more", "{}<b> and more</b>"])
def test_names_in_rich_text_are_shown_as_they_are(qapp: Any, text: str, template: str) -> None:
    assert shown(rich(template, text)) == f"{text} and more"
    assert shown(plain(rich(template, rich("{}", text)))) == f"{text} and more"


def test_several_are_joined(qapp: Any) -> None:
    assert shown(joined(" · ", [rich("{}", name) for name in HOSTILE])) == " · ".join(HOSTILE)
    assert joined(" ", []) == ""


def test_long_words_may_break(qapp: Any) -> None:
    path = "/a/long/path/of/a/folder/with/<tags>"
    assert breaks("short/words stay") == "short/words stay"
    assert "\u200b" in breakable(path)
    assert shown(rich("<b>{}</b>", breaks(path))) == path
