"""The page of the Train dock on which a training is set up: source, labels, settings, run folder."""
