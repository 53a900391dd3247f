"""What an error cites of a file is shown as text."""

from __future__ import annotations

import pytest

from napari_impa.errors import ImpaError, SourceError, brief


@pytest.mark.parametrize(
    ("cited", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"), ("a\nb", r"a\nb"), ("\x07", r"\x07"), ("\ud800", r"\ud800"),
        ("\u202e", r"\u202e"), ("\x85", r"\x85"), ("\u2028", r"\u2028"),
        ("NFκB µ é 細胞 \xa0\u202f👩🏽‍🔬", "NFκB µ é 細胞 \xa0\u202f👩🏽‍🔬"),
    ],
)  # fmt: skip
def test_control_characters_are_written_out(cited: str, shown: str) -> None:
    assert str(SourceError(f"The name {cited} is none.")) == f"The name {shown} is none."
    assert ImpaError(cited).args == (cited,)


def test_of_a_message_that_became_long_the_middle_is_left_out() -> None:
    shown = str(SourceError(f"The dose {'10,' * 1000} is not a number; write one."))
    assert len(shown) == 900
    assert shown.startswith("The dose 10,")
    assert shown.endswith("is not a number; write one.")


def test_what_another_library_says_becomes_one_line() -> None:
    assert brief(ValueError("size mismatch\n" * 300)) == f"{('size mismatch ' * 300)[:200]} …"
    assert brief(KeyError()) == "KeyError"
