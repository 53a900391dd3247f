"""In what images of one source may not differ, and what is said where they do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_impa.cells.readers import Image

_OTHER_SCALE = 0.02  # pixel sizes that differ by less are the same, written with other digits


def other_channels(one: Path, count: int, other: Path, other_count: int) -> str:
    """Say that two images have not as many channels."""
    return f"{one} has {count} channels and {other} has {other_count}; a source needs images of the same channels."


def other_type(one: Path, dtype: np.dtype[Any], other: Path, other_dtype: np.dtype[Any]) -> str:
    """Say that two images are of two types of pixels."""
    return f"{other} is {other_dtype} and {one} is {dtype}; save all images as one type."


def other_sizes(images: Sequence[Image], are_crops: bool, *, said: bool = False) -> tuple[str, ...]:
    """Say where images differ in what they show of a cell: in size, which may be, and in pixel size.

    `said`: the pixel size is known from elsewhere, so that not every image has to say it.
    """
    sizes = sorted({image.pixels.shape[1:] for image in images})
    scales = sorted({image.pixel_size for image in images if image.pixel_size})
    notes = [f"Images differ in size: {by(sizes[0])} to {by(sizes[-1])} px."] if len(sizes) > 1 else []
    if len(sizes) > 1 and are_crops:
        notes[0] += (
            f" They were taken for ready crops, and are cut to {min(map(min, sizes))} px or less around their centre; "
            "where they are whole fields, say how nuclei are found (--segment nuclei)."
        )
    unsaid = sum(image.pixel_size is None for image in images)
    if scales and unsaid and not said:
        notes.append(
            f"{unsaid} of {len(images)} images looked at do not say their pixel size, the others {scales[0]:.4g} µm: "
            "make sure that it is the same."
        )
    if scales and scales[-1] > (1 + _OTHER_SCALE) * scales[0]:
        notes.append(
            f"Images differ in pixel size, {scales[0]:.4g} to {scales[-1]:.4g} µm, so that cells of some look larger; "
            "resample them, or read those of one kind."
        )
    return tuple(notes)


def are_others(ours: Sequence[str], theirs: Sequence[str]) -> bool:
    """Whether images name other channels: all of them, in whatever order, or one and the same by other names."""
    if all(ours) and all(theirs):
        return sorted(ours) != sorted(theirs)
    return any(one and other and one != other for one, other in zip(ours, theirs, strict=False))


def unnamed(images: Sequence[Image]) -> tuple[str, ...]:
    """Say that some images name their channels and others do not, which are taken by their place."""
    named = [image.channels for image in images if all(image.channels)]
    if not named or len(named) == len(images) or len(named[0]) < 2:
        return ()
    return (
        f"{len(images) - len(named)} of {len(images)} images looked at do not name their channels; they were taken in "
        f"the order of the others ({', '.join(named[0])}): make sure that it is theirs.",
    )


def doubts(files: Sequence[Path], images: Sequence[Image]) -> tuple[str, ...]:
    """Say what is odd about what images say of their pixels, each thing once."""
    said: dict[str, list[Path]] = {}
    for file, image in zip(files, images, strict=True):
        if image.doubt:
            said.setdefault(image.doubt, []).append(file)
    return tuple(
        f"{of[0].name}{f' ({len(of)} of {len(images)} images looked at)' * (len(of) > 1)} {doubt}."
        for doubt, of in said.items()
    )


def other_scale(given: float, said: float, by: str) -> tuple[str, ...]:
    """Say that a table gives another pixel size than the images."""
    if abs(given / said - 1) <= _OTHER_SCALE:
        return ()
    return (
        f"Pixels are {given:.4g} µm by {by}, which is taken, and {said:.4g} µm by the images: make sure what is right.",
    )


def other_names(one: Path, ours: Sequence[str], other: Path, theirs: Sequence[str]) -> str:
    """Say that two images name other channels."""
    return (
        f"{one} has the channels {_named(ours)} and {other} has {_named(theirs)}; a source needs images of the "
        "same channels: give those of one kind, or name them alike."
    )


def _named(channels: Sequence[str]) -> str:
    return ", ".join(name or "one without a name" for name in channels)


def by(shape: Sequence[int]) -> str:
    """Write a size as people do, height and width."""
    return "×".join(map(str, shape))
