"""The groups of rows that the Perturb dock's form is made of."""
