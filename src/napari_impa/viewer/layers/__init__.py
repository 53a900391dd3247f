"""Layers and channels: which layer is what, and cells found in them."""
