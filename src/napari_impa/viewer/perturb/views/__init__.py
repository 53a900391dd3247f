"""The views of the Perturb dock, one file each."""
