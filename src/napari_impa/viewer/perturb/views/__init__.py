"""The ways to look at a prediction in the Perturb dock, one file each; the first is shown where another cannot be."""

from napari_impa.viewer.perturb.views.channels_apart import ChannelsApart
from napari_impa.viewer.perturb.views.difference import Difference
from napari_impa.viewer.perturb.views.flicker import Flicker
from napari_impa.viewer.perturb.views.gallery import GalleryView
from napari_impa.viewer.perturb.views.in_place import InPlace
from napari_impa.viewer.perturb.views.side_by_side import SideBySide
from napari_impa.viewer.perturb.views.uncertainty import Uncertainty
from napari_impa.viewer.perturb.views.view import View
from napari_impa.viewer.perturb.views.what_mattered import WhatMattered

VIEWS: tuple[type[View], ...] = (
    GalleryView,
    SideBySide,
    ChannelsApart,
    InPlace,
    Difference,
    Flicker,
    Uncertainty,
    WhatMattered,
)

__all__ = [
    "VIEWS",
    "ChannelsApart",
    "Difference",
    "Flicker",
    "GalleryView",
    "InPlace",
    "SideBySide",
    "Uncertainty",
    "View",
    "WhatMattered",
]
