"""Layouts of plates, one file a microscope or way of naming: each says which plane a file is."""
