"""The readers: for each, true files, how they are read, and texts that Hypothesis invents for it.

What is read is used as commands and docks do. A new reader is a function of true files, one that reads, and its line in
the tuple of its kind.
"""

from __future__ import annotations

from .folder_readers import FOLDERS
from .image_readers import IMAGES
from .model_readers import MODELS
from .table_readers import TABLES

READERS = (*MODELS, *IMAGES, *TABLES, *FOLDERS)
"""All of them."""
