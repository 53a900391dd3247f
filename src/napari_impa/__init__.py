"""See beside each cell the cell it would become under a compound.

    import napari_impa as impa

    cells = impa.read_cells("plate/", label=["compound", "dose_um"], control="DMSO", size=64)   # crops or whole fields
    run = impa.train(cells, "runs/chx", hold_out={"plate": ["Week4_27861"]}, steps=3000)
    model = impa.load_model("runs/chx")                    # or a `.impa` file, or the name of a bundled model
    after = model.predict(cells.controls(), "cycloheximide 50", strength=1.0, variability=0.1, seed=0)
    impa.evaluate(model, cells)                            # a table, with the untreated control as the baseline

Each name is imported when it is first used, so that `import napari_impa` alone loads neither torch nor napari.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_impa.analysis.evaluation import evaluate
    from napari_impa.cells.folder import crop_source, read_cells
    from napari_impa.cells.layouts import LayoutChoice
    from napari_impa.cells.segmenters.blobs import segment_nuclei
    from napari_impa.cells.simulated.screen import simulated_cells, simulated_screen, true_counterfactual
    from napari_impa.cells.source import open_source
    from napari_impa.cells.store import Cells, open_cells
    from napari_impa.engine.describing.new_condition import NewCondition
    from napari_impa.engine.model.model import IMPA
    from napari_impa.engine.training.run_folder.run import Run
    from napari_impa.errors import ImpaError
    from napari_impa.work.catalog import load_model
    from napari_impa.work.training import train

    __version__: str

_ROOMS = {
    "IMPA": "engine.model.model",
    "Cells": "cells.store",
    "ImpaError": "errors",
    "LayoutChoice": "cells.layouts",
    "NewCondition": "engine.describing.new_condition",
    "Run": "engine.training.run_folder.run",
    "crop_source": "cells.folder",
    "evaluate": "analysis.evaluation",
    "load_model": "work.catalog",
    "open_cells": "cells.store",
    "open_source": "cells.source",
    "read_cells": "cells.folder",
    "segment_nuclei": "cells.segmenters.blobs",
    "simulated_cells": "cells.simulated.screen",
    "simulated_screen": "cells.simulated.screen",
    "train": "work.training",
    "true_counterfactual": "cells.simulated.screen",
}

__all__ = [
    "IMPA",
    "Cells",
    "ImpaError",
    "LayoutChoice",
    "NewCondition",
    "Run",
    "__version__",
    "crop_source",
    "evaluate",
    "load_model",
    "open_cells",
    "open_source",
    "read_cells",
    "segment_nuclei",
    "simulated_cells",
    "simulated_screen",
    "train",
    "true_counterfactual",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from napari_impa.versions import own_version

        value: Any = own_version()
    elif name in _ROOMS:
        value = getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
