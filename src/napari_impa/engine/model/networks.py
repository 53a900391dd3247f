"""The four networks of IMPA and the embedding of its conditions.

Palma, Theis & Lotfollahi, Nature Communications 16:505 (2025), in the line of StarGAN v2 (Choi et al., CVPR 2020) with
adaptive instance normalisation (Huang & Belongie, ICCV 2017).  Parameter names and shapes are those of published
checkpoints.  Images are float, (B, C, S, S), in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from scipy.linalg import orth
from torch import Tensor, nn

from napari_impa.engine.model.blocks import SLOPE, UPSAMPLING, AdainResBlk, ResBlk
from napari_impa.engine.model.layers import InstanceNorm
from napari_impa.engine.model.shape import Shape

MAX_WIDTH = 512

TOGETHER = 4
"""Cells whose spread the discriminator sees."""


class Generator(nn.Module):
    """Autoencoder: what the cell is (content) without a style, then the image under a style."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        widths = [min(shape.width * 2**i, MAX_WIDTH) for i in range(shape.generator_downs + 1)]
        pairs = list(pairwise(widths))
        last = widths[-1]
        self.from_rgb = nn.Conv2d(shape.channels, shape.width, 3, padding=1)
        self.encode = nn.ModuleList(ResBlk(a, b, normalize=True, down=True) for a, b in pairs)
        self.encode.extend(ResBlk(last, last, normalize=True) for _ in range(2))
        self.decode = nn.ModuleList(AdainResBlk(last, last, shape.style_dim) for _ in range(2))
        up = UPSAMPLING[shape.upsampling]
        self.decode.extend(AdainResBlk(b, a, shape.style_dim, up=up) for a, b in reversed(pairs))
        self.to_rgb = nn.Sequential(
            InstanceNorm(shape.width), nn.LeakyReLU(SLOPE, inplace=True), nn.Conv2d(shape.width, shape.channels, 1)
        )

    def content(self, x: Tensor) -> Tensor:
        """(B, C, S, S) → content (B, w·2^r, S/2^r, S/2^r)."""
        x = self.from_rgb(x)
        for block in self.encode:
            x = block(x)
        return x

    def render(self, content: Tensor, style: Tensor | None) -> Tensor:
        """Content and style (B, d) → image (B, C, S, S); without a style the bare normalised image (basal)."""
        for maps in self.decoded(content, style):
            last = maps
        out: Tensor = self.to_rgb(last)
        return out

    def decoded(self, content: Tensor, style: Tensor | None) -> Iterator[Tensor]:
        """Maps after each block of the decoder, (B, …); `to_rgb` makes the image of the last."""
        for block in self.decode:
            content = block(content, style)
            yield content

    def forward(self, x: Tensor, style: Tensor | None) -> Tensor:
        """(B, C, S, S), (B, d) → (B, C, S, S)."""
        return self.render(self.content(x), style)


def _trunk(shape: Shape, last_kernel: int, beside: int = 0) -> tuple[list[nn.Module], int]:
    """Convolutions of the style encoder and the discriminator, the last of which sees `beside` more maps; its width."""
    widths = [min(shape.width * 2**i, MAX_WIDTH) for i in range(shape.encoder_downs + 1)]
    layers: list[nn.Module] = [nn.Conv2d(shape.channels, shape.width, 3, padding=1)]
    layers += [ResBlk(a, b, down=True) for a, b in pairwise(widths)]
    layers += [nn.LeakyReLU(SLOPE), nn.Conv2d(widths[-1] + beside, widths[-1], last_kernel), nn.LeakyReLU(SLOPE)]
    return layers, widths[-1]


class StyleEncoder(nn.Module):
    """Image → the style it was drawn with."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        layers, width = _trunk(shape, shape.size // 2**shape.encoder_downs)
        self.conv = nn.Sequential(*layers)
        self.linear = nn.Linear(width, shape.style_dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, S, S) → (B, d)."""
        out: Tensor = self.linear(self.conv(x).flatten(1))
        return out


class Discriminator(nn.Module):
    """Image → one logit a condition, the mean over positions; one head a modality.

    `Shape.discriminator` says which: the published one, or one whose last convolution also sees the spread of each few
    cells (`spread`), so that generated cells which are all alike give themselves away (minibatch standard deviation:
    Karras et al., ICLR 2018).
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.sees_spread = shape.discriminator == "spread"
        layers, width = _trunk(shape, 3, 1 if self.sees_spread else 0)
        self.conv_blocks = nn.Sequential(*layers)
        heads = [nn.Conv2d(width, count, 1) for count in shape.conditions]
        self.head: nn.Module = heads[0] if len(heads) == 1 else nn.ModuleList(heads)

    def forward(self, x: Tensor, y: Tensor, modality: int = 0, *, parts: int = 1) -> Tensor:
        """(B, C, S, S) and condition numbers (B,) → the logit of each cell's own condition (B,).

        `parts` is of how many equal batches, one behind the other, the cells are, whose spread is looked at apart.
        """
        head = self.head[modality] if isinstance(self.head, nn.ModuleList) else self.head
        maps = self.conv_blocks[:-2](x)
        if self.sees_spread:
            maps = torch.cat([maps, spread(maps, parts)], dim=1)
        logits = head(self.conv_blocks[-2:](maps)).mean((2, 3))
        out: Tensor = logits.gather(1, y[:, None])[:, 0]
        return out


def spread(maps: Tensor, parts: int = 1) -> Tensor:
    """How far maps (B, F, H, W) of each few cells differ, as one map more (B, 1, H, W).

    The standard deviation over `TOGETHER` cells that follow each other, or so many as there are, mean over features and
    positions (Karras et al., ICLR 2018, section 3). The batch is `parts` equal ones, which are looked at apart. Where
    processes share a batch, each sees its own cells: the same fours as one alone, if its share is a multiple of four.
    """
    values = maps.float().reshape(parts, -1, *maps.shape[1:])  # squares of small differences
    found = []
    for cells in torch.split(values, TOGETHER, dim=1):
        deviation = (cells.var(1, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
        found.append(deviation[:, None].expand(-1, cells.shape[1]))
    return torch.cat(found, 1).flatten().to(maps.dtype)[:, None, None, None].expand(-1, 1, *maps.shape[2:])


class _Layers(nn.Module):
    """Linear layers with ReLU between them."""

    def __init__(self, dims: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for a, b in pairwise(dims):
            layers += [nn.Linear(a, b), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return out


class MappingNetwork(nn.Module):
    """Embedding of a condition (and of its modality, where learned) beside noise → style; one network a modality."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        hidden, beside = [MAX_WIDTH] * (shape.mapping_layers - 1), shape.modality_dim + shape.noise_dim
        nets = [_Layers([e + beside, *hidden, shape.style_dim]) for e in shape.embedding_dims]
        self.mapping_network: nn.Module = nets[0] if len(nets) == 1 else nn.ModuleList(nets)

    def forward(self, embedding: Tensor, z: Tensor, modality: int = 0) -> Tensor:
        """(B, e + m), (B, n) → (B, d)."""
        several = isinstance(self.mapping_network, nn.ModuleList)
        net = self.mapping_network[modality] if several else self.mapping_network  # type: ignore[index]
        out: Tensor = net(torch.cat([embedding, z], dim=1))
        return out


def _table(count: int, width: int) -> nn.Embedding:
    """An embedding table; on the `meta` device without random numbers, for which torch would load its compiler."""
    weight = torch.empty(count, width)
    return nn.Embedding(count, width, _weight=weight) if weight.is_meta else nn.Embedding(count, width)


class Networks(nn.Module):
    """The four networks, the embedding tables, (K, e) each, and the modalities' embedding, as one module."""

    start_axes: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.generator = Generator(shape)
        self.style_encoder = StyleEncoder(shape)
        self.discriminator = Discriminator(shape)
        self.mapping_network = MappingNetwork(shape)
        tables = [_table(k, e) for k, e in zip(shape.conditions, shape.embedding_dims, strict=True)]
        self.embedding_matrix: nn.Module = tables[0] if len(tables) == 1 else nn.ModuleList(tables)
        if shape.modality_dim:
            self.modality_embedding = _table(len(tables), shape.modality_dim)
        if shape.relative_style:
            self.start_style = nn.Parameter(torch.zeros(shape.relative_style, shape.style_dim))
        if shape.relative_style > 1:
            self.register_buffer("start_axes", torch.eye(shape.style_dim))

    def initialize(self, generator: torch.Generator) -> Networks:
        """He initialisation (He et al., ICCV 2015): normal with fan-in, zero bias; embeddings standard normal."""
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu", generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, generator=generator)
        return self

    def weights(self, *, compact: bool = False) -> dict[str, Tensor]:
        """Return the state; `compact` leaves out the discriminator, which prediction does not need."""
        state = self.state_dict()
        return {name: value for name, value in state.items() if not (compact and name.startswith("discriminator."))}

    def table(self, modality: int = 0) -> nn.Embedding:
        """The embedding table of a modality."""
        found = self.embedding_matrix
        return found[modality] if isinstance(found, nn.ModuleList) else found  # type: ignore[return-value]

    def describe(self, vectors: Tensor, modality: int = 0) -> None:
        """Fix the embeddings of a modality to descriptions (K, e): a buffer, which no optimiser changes."""
        table = self.table(modality)
        if table.weight.shape != vectors.shape:
            raise ValueError(f"descriptions of shape {tuple(table.weight.shape)} expected, not {tuple(vectors.shape)}")
        del table.weight
        table.register_buffer("weight", vectors)

    def forget_unknown(self, modality: int = 0) -> None:
        """Let what a modality's descriptions do not span say nothing, rather than something random.

        No gradient ever reaches the part of the first layer's weights that is orthogonal to all descriptions, such as
        those of a substructure that none has, so that it would move a new condition by the chance that it was
        initialised with.
        """
        net = self.mapping_network.mapping_network
        first = (net[modality] if isinstance(net, nn.ModuleList) else net).layers[0]  # type: ignore[index]
        vectors = self.table(modality).weight
        axes = torch.from_numpy(orth(vectors.double().numpy().T))
        with torch.no_grad():
            known = first.weight[:, : vectors.shape[1]]  # type: ignore[union-attr]
            known.copy_(known.double() @ axes @ axes.T)

    def embed(self, y: Tensor, modality: int = 0) -> Tensor:
        """Condition numbers (B,) → embeddings (B, e)."""
        out: Tensor = self.table(modality)(y)
        return out

    def style_of(self, embedding: Tensor, z: Tensor, modality: int = 0) -> Tensor:
        """Embeddings (B, e) and noise (B, n) → styles (B, d)."""
        if self.shape.modality_dim:
            beside = self.modality_embedding.weight[modality].expand(len(embedding), -1)
            embedding = torch.cat([embedding, beside], dim=1)
        out: Tensor = self.mapping_network(embedding, z, modality)
        return out

    def style(self, y: Tensor, z: Tensor, modality: int = 0) -> Tensor:
        """Condition numbers (B,) and noise (B, n) → the condition's styles (B, d)."""
        return self.style_of(self.embed(y, modality), z, modality)

    def start(self, own: Tensor, modality: int | None) -> Tensor:
        """Mean styles (B, d) that cells of the styles `own` start from: their modality's, or their likely batch's.

        Without a modality the start is the mean of the batches' mean styles, each weighed by how likely the cell is of
        that batch: the posterior of linear discriminant analysis, with even priors, once the model is calibrated.
        """
        if modality is not None:
            return self.start_style[modality].expand_as(own)
        return likely_start(own, self.start_style, self.start_axes)


def likely_start(own: Tensor, means: Tensor, axes: Tensor) -> Tensor:
    """Mean styles of batches (K, d), each weighed by how likely cells of the styles `own` (B, d) are of it: (B, d).

    Along the axes (d, d) styles spread evenly.
    """
    cells, middles = own.float() @ axes, means.float() @ axes
    return (-torch.cdist(cells, middles).square() / 2).softmax(1) @ means
