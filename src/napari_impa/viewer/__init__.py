"""The docks in napari: thin Qt forms over functions that a script could call as well."""
