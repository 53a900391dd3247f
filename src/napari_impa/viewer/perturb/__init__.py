"""The Perturb dock."""
