"""Pages of the site that are made of what stands elsewhere (a hook of mkdocs.yml), and links that lead out of `docs`.

`CONTRIBUTING.md`, `CHANGELOG.md`, `SECURITY.md` and the models' cards are shown where the site wants them, the command
line says itself what its commands are, and formulas become MathML, which browsers draw without a script.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
ON_GITHUB = "https://github.com/napari-impa/napari-impa/blob/main/"

SHOWN = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md", "SECURITY.md": "security.md"} | {
    path.relative_to(REPOSITORY).as_posix(): f"cards/{path.name}"
    for path in sorted((REPOSITORY / "src" / "napari_impa" / "models").glob("*.md"))
}
"""Files of the repository that are pages of the site, and what they are called there."""

_CODE = re.compile(r"^```.*?^```|^ {4}.*?$|`[^`\n]+`", flags=re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(\]\(<?)([^)>\s]+)(>?\))")
_FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+?)\$", flags=re.DOTALL)


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are no files of `docs`."""
    from mkdocs.structure.files import File

    made = {page: (REPOSITORY / name).read_text(encoding="utf-8") for name, page in SHOWN.items()}
    for page, text in made.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links out of `docs` to the site's own page, else to the repository, and write formulas as MathML."""
    shown = page.file.src_uri
    origin = next((name for name, made in SHOWN.items() if made == shown), f"docs/{shown}")

    def led(match: re.Match[str]) -> str:
        return match[1] + target_from(origin, shown, match[2]) + match[3]

    if shown == "command-line.md":
        markdown = re.sub("<!-- commands.*?-->", lambda _: commands(), markdown)
    text = outside_code(markdown, lambda part: _LINK.sub(led, part))
    if page.meta.get("formulas"):
        text = outside_code(text, lambda part: _FORMULA.sub(_mathml, part))
    return text


def target_from(origin: str, shown: str, target: str) -> str:
    """What a link of the file `origin`, which is shown as the page `shown`, leads to on the site."""
    if re.match(r"[a-z]+:|#", target):
        return target
    name, _, anchor = target.partition("#")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), name))
    start = path == "README.md" and not anchor  # the site's own start page says the same in other words
    found = "README.md" if start else SHOWN.get(path, path.removeprefix("docs/"))
    inside = start or path in SHOWN or path.startswith("docs/")
    place = posixpath.relpath(found, posixpath.dirname(shown) or ".") if inside else ON_GITHUB + path
    return f"{place}#{anchor}" if anchor else place


def outside_code(text: str, change: Any) -> str:
    """Change a page but for its code."""
    parts, at = [], 0
    for code in _CODE.finditer(text):
        parts += [change(text[at : code.start()]), code[0]]
        at = code.end()
    return "".join([*parts, change(text[at:])])


def commands() -> str:
    """Every command, as the command line describes itself."""
    from napari_impa.cli.main import app

    text: str = app.generate_docs(output_format="markdown")
    _, _, body = text.partition("**Commands**:")
    return re.sub(r"\n {2,}(?=\S)", " ", body.replace("```console", "```text"))


def _mathml(match: re.Match[str]) -> str:
    from latex2mathml.converter import convert

    block = match[1] is not None
    made: str = convert((match[1] or match[2]).strip(), display="block" if block else "inline")
    return f'\n<div class="formula">{made}</div>\n' if block else made
