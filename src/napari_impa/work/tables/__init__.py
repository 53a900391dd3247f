"""Tables of a source: its conditions, what its columns can be, and how a table is written as text."""
