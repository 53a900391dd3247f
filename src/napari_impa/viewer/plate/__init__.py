"""The Plate dock: any field of a plate, one at a time, as layers."""
