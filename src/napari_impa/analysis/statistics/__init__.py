"""Statistics of sets of cells, which metrics are made of: features on one scale, profiles, distances, neighbours."""
