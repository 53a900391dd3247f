"""Metrics of models that take cells from one batch to another."""
