"""The pages of the docs: which pictures they show."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def pages() -> list[Path]:
    """README and all that is read with it."""
    return [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]


def shown() -> set[str]:
    """Names of the pictures in `docs/images` that a page shows; no others are made or kept."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages())
    return set(re.findall(r"images/([\w.-]+\.\w+)", text))
