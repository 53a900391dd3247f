"""A model as a package of bioimage.io, which other programs run."""
