"""Open layers as what is trained on: their cells, named by condition and plate, group by group."""
