"""Pages of the site that are made of what stands elsewhere (a hook of mkdocs.yml), and links that lead out of `docs`.

`CONTRIBUTING.md`, `CHANGELOG.md`, `SECURITY.md` and the models' cards are shown where the site wants them, the command
line says itself what its commands are, and formulas become MathML, which browsers draw without a script. Notebooks are
pages as they stand, with the outputs that are in them: `jupyter execute --inplace docs/notebooks/*.ipynb` brings these.
"""

from __future__ import annotations

import html
import json
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
SHOWN |= {f"docs/notebooks/{p.name}": f"notebooks/{p.stem}.md" for p in (REPOSITORY / "docs/notebooks").glob("*.ipynb")}
"""Files of the repository that are pages of the site, and what they are called there."""

_CODE = re.compile(r"^```.*?^```|^ {4}.*?$|`[^`\n]+`", flags=re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(\]\(<?)([^)>\s]+)(>?\))")
_FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+?)\$", flags=re.DOTALL)


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are no files of `docs`."""
    from mkdocs.structure.files import File

    for name, page in SHOWN.items():
        path = REPOSITORY / name
        text = notebook_page(path) if path.suffix == ".ipynb" else path.read_text(encoding="utf-8")
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


def notebook_page(path: Path) -> str:
    """A notebook as a page: texts, code, and below it what came of it."""
    at = ON_GITHUB + path.relative_to(REPOSITORY).as_posix()
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        parts += filter(None, map(_output, cell.get("outputs", [])))
    parts.insert(1, f"[This page as a notebook]({at})")
    return "\n\n".join(parts) + "\n"


def _output(output: dict[str, Any]) -> str:
    data = output.get("data", {})
    if "image/png" in data:
        return f'<img alt="What the code above shows" src="data:image/png;base64,{data["image/png"].strip()}">'
    if "text/html" in data:
        table = re.sub(r"<style.*?</style>|\n", "", "".join(data["text/html"]), flags=re.DOTALL)
        return f'<div class="output">{table}</div>'
    said = "".join(data.get("text/plain", output.get("text", "") if output.get("name") == "stdout" else ""))
    return f'<pre class="output">{html.escape(said.rstrip())}</pre>' if said.strip() else ""


def _mathml(match: re.Match[str]) -> str:
    from latex2mathml.converter import convert

    block = match[1] is not None
    made: str = convert((match[1] or match[2]).strip(), display="block" if block else "inline")
    return f'\n<div class="formula">{made}</div>\n' if block else made
