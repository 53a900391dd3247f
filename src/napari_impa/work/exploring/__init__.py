"""Asking models of many conditions and many cells: screens, profiles, what did this."""
