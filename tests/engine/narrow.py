"""The command line, with preset tiny of width 8: `narrow.py train ...` takes a third of the time.

Tests that start it in processes of its own need networks, not good ones.
"""

from __future__ import annotations

from napari_impa.cli.main import main
from napari_impa.engine.training.presets import WIDTHS

if __name__ == "__main__":
    WIDTHS["tiny"] = 8
    main()
