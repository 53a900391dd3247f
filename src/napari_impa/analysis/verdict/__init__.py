"""The verdict on a model: what its scores say, in words, by rules that are written down."""
