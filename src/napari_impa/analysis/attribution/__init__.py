"""What mattered: which pixels of a prediction make a classifier of real cells take the cell for treated."""
