"""Fuzzers, one driver a reader: true files are changed at random, and each reader reads them or says why it cannot."""
