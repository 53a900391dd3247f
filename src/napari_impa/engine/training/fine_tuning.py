"""Going on from a trained model: which of its weights a new training takes over, and what it starts anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from napari_impa.engine.describing.description import Description
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.engine.training.presets import WIDTHS
from napari_impa.errors import ModelError, TrainingError

if TYPE_CHECKING:
    from napari_impa.engine.model.model import IMPA
    from napari_impa.engine.training.data.labels import TrainingLabels
    from napari_impa.engine.training.run_folder.run import Run


def settings_of(model: IMPA) -> dict[str, Any]:
    """Settings that a training has to share with the model it goes on from, as keywords of `TrainingSettings`.

    Networks that no preset makes leave the preset out.
    """
    shape = model.shape
    found: dict[str, Any] = {"task": model.task, "size": shape.size}
    preset = next((name for name, width in WIDTHS.items() if width == shape.width), None)
    found |= {"preset": preset} if preset else {}
    found |= {name: getattr(shape, name) for name in ("style_dim", "noise_dim", "modality_dim")}
    if all(description.kind == "learned" for description in model.descriptions):
        found["embedding_dim"] = shape.embedding_dims[0]
    return found


def require_fit(
    model: IMPA, networks: Networks, *, task: str, channels: Sequence[str], descriptions: Sequence[Description]
) -> None:
    """Check that a training can go on from a model.

    Raises
    ------
    ModelError
        If task, channels, networks or the way conditions are described differ.
    """
    old, new = model.shape, networks.shape
    cannot = f"The training cannot go on from the model {model.name!r}"
    if model.task != task:
        raise ModelError(f"{cannot}, whose task is {model.task}, not {task}; choose that task or another model.")
    if len(channels) != len(model.channels):
        raise ModelError(
            f"{cannot} of {len(model.channels)} channels ({', '.join(model.channels)}) with cells of {len(channels)} "
            f"({', '.join(channels)}); choose the same channels or another model."
        )
    if tuple(channels) != model.channels and sorted(channels) == sorted(model.channels):
        raise ModelError(
            f"{cannot}, whose channels are {', '.join(model.channels)} in this order, not {', '.join(channels)}; "
            "give the channels in the model's order."
        )
    presets = {width: f"preset {name}" for name, width in WIDTHS.items()}
    words: dict[str, Callable[[Shape], str]] = {
        "size": lambda shape: f"crop side {shape.size}",
        "width": lambda shape: presets.get(shape.width, f"width {shape.width}"),
        "style_dim": lambda shape: f"style_dim {shape.style_dim}",
        "noise_dim": lambda shape: f"noise_dim {shape.noise_dim}",
        "modality_dim": lambda shape: f"modality_dim {shape.modality_dim}",
    }
    differ = [say for name, say in words.items() if getattr(old, name) != getattr(new, name)]
    if differ:
        raise ModelError(
            f"{cannot}, which has {', '.join(say(old) for say in differ)}, not {', '.join(say(new) for say in differ)};"
            " train with the model's values or choose another model."
        )
    kinds = [[(one.modality, one.kind, one.features) for one in many] for many in (model.descriptions, descriptions)]
    if kinds[0] != kinds[1] or old.embedding_dims != new.embedding_dims or old.mapping_layers != new.mapping_layers:
        raise ModelError(
            f"{cannot}, whose conditions are described otherwise ({_described(model.descriptions)}, not "
            f"{_described(descriptions)}); describe them as the model's, or choose another model."
        )


def _described(descriptions: Sequence[Description]) -> str:
    return ", ".join(
        f"{f'{one.modality}: ' if one.modality else ''}{one.kind}{' with dose' if one.dose is not None else ''}"
        for one in descriptions
    )


def go_on_from(
    model: IMPA,
    networks: Networks,
    labels: TrainingLabels,
    task: str,
    channels: Sequence[str],
    descriptions: Sequence[Description],
) -> dict[str, Any]:
    """Give the networks of a training the model's weights, in place, if it fits; arguments, errors and result as below.

    See `require_fit` and `take_over`.
    """
    require_fit(model, networks, task=task, channels=channels, descriptions=descriptions)
    return take_over(networks, model, labels)


def take_over(networks: Networks, model: IMPA, labels: TrainingLabels) -> dict[str, Any]:
    """Give networks a model's weights, in place; what has no counterpart in it stays as it is.

    Generator, style encoder, mapping network and, where both have them, the mean styles that conditions are relative to
    are taken as they are; so is the discriminator where the model has it.
    Learned embeddings and the discriminator's outputs belong to conditions: those of conditions that the model knows
    too are taken, by name.

    Returns
    -------
    What was taken over, JSON-able: the model's name and hash, the conditions it knew, the new ones, and whether the
    discriminator was taken too.
    """
    rows = [_rows(model, labels, number) for number in range(len(labels.modalities))]
    old = model.networks.state_dict()
    with torch.no_grad():
        for name, value in networks.state_dict().items():
            if name.startswith("discriminator.") and not model.has_discriminator:
                continue
            if name == "start_axes":
                continue  # of other cells; found anew when the training is calibrated
            number = _modality(name)
            if name == "start_style":
                mine, theirs = _starts(model, labels, len(value))
                value[mine] = old[name][theirs] if theirs else value[mine]
            elif number is None:
                value.copy_(old[name])
            elif name in dict(networks.named_parameters()):  # descriptions are those of the cells, and not learned
                mine, theirs = rows[number]
                value[mine] = old[name][theirs]
    known = [name for name in labels.conditions if name in model.conditions]
    return {
        "model": model.name,
        "hash": model.hash,
        "known": known,
        "new": [name for name in labels.conditions if name not in known],
        "discriminator": model.has_discriminator,
    }


def _starts(model: IMPA, labels: TrainingLabels, count: int) -> tuple[list[int], list[int]]:
    """Rows of the mean styles to start from that both have: a batch's by its name, a modality's by its place."""
    old = model.shape.relative_style
    if model.task == "batch" and old:
        return _rows(model, labels, 0)
    both = list(range(count)) if old == count else []
    return both, both


def _rows(model: IMPA, labels: TrainingLabels, modality: int) -> tuple[list[int], list[int]]:
    """Rows of the conditions of a modality that both know, in the new tables and in the model's."""
    start = sum(model.shape.conditions[:modality])
    theirs = model.conditions[start : start + model.shape.conditions[modality]]
    mine = labels.of_modality(modality)
    both = [name for name in mine if name in theirs]
    return [mine.index(name) for name in both], [theirs.index(name) for name in both]


def _modality(name: str) -> int | None:
    """Number of the modality whose conditions the rows of a weight belong to; None for weights of all conditions."""
    for table in ("embedding_matrix.", "discriminator.head."):
        if name.startswith(table):
            first = name[len(table) :].split(".")[0]
            return int(first) if first.isdecimal() else 0
    return None


def words_of(taken: Mapping[str, Any]) -> str:
    """Say in a sentence what was taken over."""
    known, new = len(taken["known"]), taken["new"]
    text = f"Going on from the model {taken['model']!r}, which knows {known} of {known + len(new)} conditions"
    text += f" (new: {', '.join(new[:8])}{' …' if len(new) > 8 else ''})" if new else ""
    return text + ("." if taken["discriminator"] else "; it lacks the discriminator, which starts anew.")


def recorded(run: Run, model: IMPA | None) -> dict[str, Any] | None:
    """Return what a run that is resumed took over when it was started.

    Raises
    ------
    TrainingError
        If the model given is another than it was started from, or is needed, as the run has no checkpoint yet, but not
        given.
    """
    taken = run.started_from
    if model is not None and model.hash != (taken or {}).get("hash"):
        raise TrainingError(
            f"{run.folder} was not started from this model; resume it without, or choose another folder."
        )
    if taken and model is None and not run.checkpoint_path.is_file():
        raise TrainingError(
            f"{run.folder} was to go on from the model {taken['model']!r} but has no checkpoint yet; "
            "give the model again, or choose another folder."
        )
    return taken
