"""Cells to model: IMPA's networks, losses, training, prediction and files.  No napari and no Qt here."""
