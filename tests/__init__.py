"""Tests; what is run by itself: `python -m tests.interrupted`."""
