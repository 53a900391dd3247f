"""What is shown as a label, tooltip or message and is no literal goes through `viewer.kit.texts`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import napari_impa.viewer

FILES = sorted(Path(napari_impa.viewer.__file__).parent.rglob("*.py"))

SHOWN = dict.fromkeys(
    ("QLabel", "setHtml", "setInformativeText", "setText", "setTitle", "setToolTip", "show_error", "show_info"), 0
) | {"show_warning": 0, "setLabel": 1, "setItemData": 1}
"""What may show rich text, with the number of the argument that is the text."""

READY = {"plain", "breakable", "rich", "joined", "toolTip"}
"""What gives a text that is ready to be shown; a tooltip that is there has been through it."""

LETTERS = {"QLineEdit", "QPushButton", "QToolButton", "QCollapsible", "QStandardItem", "TextItem", "clipboard", "item"}
"""What shows any text letter by letter."""

NUMBER = re.compile(r"[^<>]*[,dfg%]")
"""How numbers are formatted, and texts are not."""


def last_name(node: ast.AST) -> str:
    """The last part of a name, or of what is called."""
    match node:
        case ast.Call(func=called):
            return last_name(called)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def is_ready(text: ast.expr) -> bool:
    """Whether a text is a literal or a constant, is made ready to be shown, or holds numbers alone."""
    match text:
        case ast.Constant():
            return True
        case ast.JoinedStr(values=parts) | ast.BoolOp(values=parts):
            return all(map(is_ready, parts))
        case ast.FormattedValue(value=value, format_spec=ast.JoinedStr(values=[ast.Constant(value=how)])):
            return NUMBER.fullmatch(str(how)) is not None or is_ready(value)
        case ast.FormattedValue(value=value):
            return last_name(value) == "len" or is_ready(value)
        case ast.IfExp(body=one, orelse=other) | ast.BinOp(left=one, right=other, op=ast.Add()):
            return is_ready(one) and is_ready(other)
        case ast.BinOp(left=one, op=ast.Mult()):
            return is_ready(one)
        case ast.Call():
            return last_name(text) in READY
    return last_name(text).isupper()


def classes_of(trees: Iterable[ast.AST]) -> dict[str, set[str]]:
    """The classes that variables and attributes are made of, by their names."""
    found: dict[str, set[str]] = {}
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Assign):
            targets, values = [node.targets[0]], [node.value]
            if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
                targets, values = node.targets[0].elts, node.value.elts
            for target, value in zip(targets, values, strict=True):
                if isinstance(value, ast.Call) and last_name(value)[:1].isupper() and last_name(value) != "Path":
                    found.setdefault(last_name(target), set()).add(last_name(value))
    return found


TREES = {file: ast.parse(file.read_text("utf-8")) for file in FILES}
EVERYWHERE = classes_of(TREES.values())


def not_ready(tree: ast.AST) -> Iterator[str]:
    """Where a module shows a text that is not ready."""
    here = EVERYWHERE | classes_of([tree])
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = last_name(call)
        if name not in SHOWN or len(call.args) <= SHOWN[name]:
            continue
        if name == "setText" and isinstance(call.func, ast.Attribute):
            whose = last_name(call.func.value)
            if here.get(whose, {whose}) <= LETTERS:
                continue
        if name == "setItemData" and "ToolTipRole" not in ast.unparse(call):
            continue
        if not is_ready(call.args[SHOWN[name]]):
            yield f"line {call.lineno}: {ast.unparse(call)}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: "/".join(file.parts[-2:]))
def test_texts_are_ready_to_be_shown(file: Path) -> None:
    assert not list(not_ready(TREES[file]))


@pytest.mark.parametrize(
    "shows",
    [
        "box.setToolTip(name)",
        "label.setText(f'{name}: {cells:,}')",
        "form.addRow(QLabel(title))",
        "show_info('Saved ' + path)",
        "box.setItemData(0, tip, Qt.ItemDataRole.ToolTipRole)",
        "plot.setLabel('bottom', channel if channel else 'all')",
    ],
)
def test_what_is_not_ready_is_found(shows: str) -> None:
    assert list(not_ready(ast.parse(shows)))


def test_numbers_literals_and_what_is_plain_anyway_are_none() -> None:
    fine = "line = QLineEdit()\nline.setText(name)\nlabel.setText(f'{cells:,} of {len(all_cells)}' if cells else NONE)"
    assert not list(not_ready(ast.parse(f"{fine}\nlabel.setText(plain(name))")))
