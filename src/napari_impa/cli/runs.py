"""The command `runs`: what was trained in a folder and below."""

from __future__ import annotations

from pathlib import Path

from napari_impa.work.tables.text_table import aligned

EARLIER = "Scored by an earlier measure, which says nothing of the gap closed (`evaluate` measures it)"


def runs(folder: Path = Path()) -> None:
    """List the trainings in a folder and below: name, date, how far each came, and the gap that its best model closes.

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
    head = ("run", "changed", "state", "steps", "gap closed", "task", "conditions", "size", "device")
    table = [
        (
            str(one.folder.relative_to(folder)) if one.folder != folder else one.name,
            f"{one.date:%Y-%m-%d %H:%M}",
            one.state,
            "" if one.state == "damaged" else one.progress,
            "–" if one.gap_closed is None else f"{one.gap_closed:.2f}",
            one.task,
            str(len(one.conditions) or ""),
            "" if one.size is None else f"{one.size} px",
            one.device,
        )
        for one in found
    ]
    print("\n".join(aligned([head, *table])))
    if any(one.gap_closed is not None for one in found):
        print("Gap closed on held-out cells: 0 is no better than leaving the cells as they are, 1 is as real cells.")
    earlier = [one.name for one in found if one.of_earlier_measure]
    if earlier:
        print(f"{EARLIER}: {', '.join(earlier)}.")
    for one in found:
        if one.problem:
            print(f"{one.name} is damaged: {one.problem}")
