"""The command `runs`: what was trained in a folder and below."""

from __future__ import annotations

from pathlib import Path

from napari_impa.work.text_table import aligned


def runs(folder: Path = Path()) -> None:
    """List the trainings in a folder and below: name, date, how far each came, and its best held-out score.

    Parameters
    ----------
    folder
        Where to look.
    """
    from napari_impa.engine.training.run_folder.summaries import runs_in

    found = runs_in(folder)
    if not found:
        print(f"There is no run in {folder} or below.")
        return
    head = ("run", "changed", "state", "steps", "score", "task", "conditions", "size", "device")
    table = [
        (
            str(one.folder.relative_to(folder)) if one.folder != folder else one.name,
            f"{one.date:%Y-%m-%d %H:%M}",
            one.state,
            "" if one.state == "damaged" else one.progress,
            "" if one.score is None else f"{one.score:.3f}",
            one.task,
            str(len(one.conditions) or ""),
            "" if one.size is None else f"{one.size} px",
            one.device,
        )
        for one in found
    ]
    print("\n".join(aligned([head, *table])))
    for one in found:
        if one.problem:
            print(f"{one.name} is damaged: {one.problem}")
