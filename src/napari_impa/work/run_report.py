"""The report of a run: its model scored on its own cells, those held out where there are any, in the run's folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_impa.errors import ModelError
from napari_impa.watch import UNWATCHED, Watch
from napari_impa.work.training_plan import cells_of, files_in_words, plan_of

FOLDER = "report"
"""Where it is written, in the run folder."""

MOST = 500
"""Cells of a condition that are scored."""


def report_of_run(
    folder: Path, *, features: Sequence[str] | None = None, most: int = MOST, watch: Watch = UNWATCHED
) -> Path:
    """Evaluate the model of a run and write the report.

    Parameters
    ----------
    folder
        The run folder.
    features
        Names of the feature spaces that cells are compared in; None for those of `evaluate`.
    most
        Cells of a condition above which a sample is taken.
    watch
        Told how far it is, and asked before every few cells whether to go on.

    Returns
    -------
    Path of `report.html`.

    Raises
    ------
    TrainingError
        If the folder holds no run, or its files cannot be read.
    ModelError
        If the run has no model yet.
    SourceError, CellsError
        If the cells of the training are not there any more, or the report cannot be written.
    ConditionError
        If there are too few cells to score.
    """
    from napari_impa.analysis.evaluation import DEFAULT_SPACES, evaluation
    from napari_impa.analysis.report.files import write_report
    from napari_impa.engine.training.run_folder.run import Run
    from napari_impa.work.catalog import load_model

    plan = plan_of(folder)
    if not Run(folder).model_path.is_file():
        raise ModelError(f"{folder.name} has no model yet; go on training it.")
    with files_in_words(plan):
        cells = cells_of(plan, reuse=True, watch=watch)
    watch.check()
    model = load_model(folder).to("auto")
    scored = evaluation(model, cells, features=features or DEFAULT_SPACES, most=most, mattered=True, watch=watch)
    return write_report(scored, folder / FOLDER, watch=watch)
