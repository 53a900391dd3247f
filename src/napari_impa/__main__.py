"""`python -m napari_impa` is the command `napari-impa`."""

from __future__ import annotations

from napari_impa.cli.main import main

if __name__ == "__main__":
    main()
