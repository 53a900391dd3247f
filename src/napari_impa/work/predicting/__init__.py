"""Predicting of whole folders: what is asked, kept where it is left, with what is measured beside."""
