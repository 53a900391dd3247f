"""What fixes the shapes of the networks, and the crop sides that they take; torch is not needed."""

from __future__ import annotations

import math
from dataclasses import dataclass

DISCRIMINATORS = ("published", "spread")


@dataclass(frozen=True)
class Shape:
    """Everything that fixes the shapes of the networks.

    Parameters
    ----------
    size
        Crop side S in pixels.
    channels
        Image channels C.
    width
        Base width w of the convolutions.
    style_dim
        Style dimension d.
    noise_dim
        Noise dimension n of the mapping network.
    embedding_dims
        Embedding dimension e, one for each kind of perturbation (modality).
    conditions
        Number of conditions K, one for each modality.
    mapping_layers
        Linear layers of the mapping network.
    modality_dim
        Dimension m of a learned embedding of the modality beside the condition's; 0 for none.
    relative_style
        Number of mean styles that conditions are relative to: one a modality, of its controls, or one a batch. 0 where
        the style of a condition replaces the cell's own.
    upsampling
        How the decoder doubles its maps: `nearest`, as published, or `bilinear_skip`, bilinear where nothing follows
        that could smooth (the skip connections), nearest before convolutions.
    discriminator
        `published`, or `spread`, which also sees how far cells differ from each other (`Discriminator`).
    """

    size: int
    channels: int
    width: int = 64
    style_dim: int = 64
    noise_dim: int = 16
    embedding_dims: tuple[int, ...] = (64,)
    conditions: tuple[int, ...] = (1,)
    mapping_layers: int = 1
    modality_dim: int = 0
    relative_style: int = 0
    upsampling: str = "nearest"
    discriminator: str = "published"

    @property
    def generator_downs(self) -> int:
        """r, how often the generator's encoder halves the image."""
        return math.ceil(math.log2(self.size)) - 4

    @property
    def encoder_downs(self) -> int:
        """q, how often the style encoder and the discriminator halve the image."""
        return math.ceil(math.log2(self.size)) - 2


def is_valid_size(size: int) -> bool:
    """Whether the networks take crops of this side: 3 or 4 times a power of two, from 24 pixels."""
    downs = math.ceil(math.log2(size)) - 2 if size > 1 else 0
    return size >= 24 and size % 2**downs == 0 and size // 2**downs in (3, 4)


def valid_sizes(at_most: int = 512) -> list[int]:
    """Crop sides the networks take, ascending."""
    return [size for size in range(24, at_most + 1) if is_valid_size(size)]
