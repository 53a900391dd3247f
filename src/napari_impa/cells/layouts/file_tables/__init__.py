"""Tables of files as other programs write them: CellProfiler's LoadData, JUMP's `load_data.csv`, BBBC021's."""
