"""A simulated compound screen: real structures, grouped by mechanism, each mechanism drawn as one simulated phenotype.

The structures are public and the groups are real ones, but what the cells do is drawn: each mechanism was given one of
the phenotypes of the simulated screen and each compound a strength, by hand. Nothing here says what a compound does to
a real cell. It serves to learn how a model that is told structures predicts a compound that it never saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from napari_impa.cells.simulated.scenes import CONTROL
from napari_impa.cells.simulated.screen import scene_seed, simulated_cells, true_counterfactual
from napari_impa.cells.store import Cells, concatenate
from napari_impa.errors import CellsError


@dataclass(frozen=True)
class SimulatedCompound:
    """A structure, and what it was made to do.

    Parameters
    ----------
    name, smiles
        A real compound.
    mechanism
        A name in `MECHANISMS`.
    strength
        How far it moves cells towards its mechanism's phenotype; 1 is the full effect.
    held_out
        Whether the bundled model never saw it.
    """

    name: str
    smiles: str
    mechanism: str
    strength: float = 1.0
    held_out: bool = False

    @property
    def phenotype(self) -> str:
        """The simulated condition that its mechanism is drawn as."""
        return MECHANISMS[self.mechanism]


MECHANISMS: dict[str, str] = {
    "benzimidazole carbamate": "microtubule poison",
    "isoquinoline sulfonamide": "actin inhibitor",
    "nitrogen mustard": "shrinkage",
    "dihydropyrimidine": "mitotic arrest",
    "nuclear export inhibitor": "nuclear translocation",
}
"""Phenotype that each group of structures was given."""


def _group(mechanism: str, *compounds: tuple[str, str, float, bool]) -> tuple[SimulatedCompound, ...]:
    return tuple(SimulatedCompound(name, smiles, mechanism, far, held) for name, smiles, far, held in compounds)


COMPOUNDS: tuple[SimulatedCompound, ...] = (
    *_group(
        "benzimidazole carbamate",
        ("nocodazole", "COC(=O)Nc1nc2cc(ccc2[nH]1)C(=O)c1cccs1", 1.0, False),
        ("mebendazole", "COC(=O)Nc1nc2cc(ccc2[nH]1)C(=O)c1ccccc1", 1.0, False),
        ("flubendazole", "COC(=O)Nc1nc2cc(ccc2[nH]1)C(=O)c1ccc(F)cc1", 1.0, True),
        ("albendazole", "CCCSc1ccc2[nH]c(NC(=O)OC)nc2c1", 0.85, False),
        ("fenbendazole", "COC(=O)Nc1nc2cc(Sc3ccccc3)ccc2[nH]1", 0.9, False),
        ("oxibendazole", "CCCOc1ccc2[nH]c(NC(=O)OC)nc2c1", 0.9, True),
        ("parbendazole", "CCCCc1ccc2[nH]c(NC(=O)OC)nc2c1", 1.0, False),
        ("ciclobendazole", "COC(=O)Nc1nc2cc(ccc2[nH]1)C(=O)C1CC1", 0.8, False),
    ),
    *_group(
        "isoquinoline sulfonamide",
        ("fasudil", "O=S(=O)(c1cccc2cnccc12)N1CCCNCC1", 0.9, False),
        ("hydroxyfasudil", "O=c1[nH]ccc2c1cccc2S(=O)(=O)N1CCCNCC1", 0.9, False),
        ("ripasudil", "CC1CNCCCN1S(=O)(=O)c1cccc2cncc(F)c12", 1.0, True),
        ("H-1152", "CC1CNCCCN1S(=O)(=O)c1cccc2cncc(C)c12", 1.0, False),
        ("H-7", "CC1CNCCN1S(=O)(=O)c1cccc2cnccc12", 0.9, False),
        ("H-8", "CNCCNS(=O)(=O)c1cccc2cnccc12", 0.85, True),
        ("H-9", "NCCNS(=O)(=O)c1cccc2cnccc12", 0.85, False),
        ("HA-1004", "NC(=N)NCCNS(=O)(=O)c1cccc2cnccc12", 0.8, False),
    ),
    *_group(
        "nitrogen mustard",
        ("mechlorethamine", "CN(CCCl)CCCl", 1.0, False),
        ("chlorambucil", "OC(=O)CCCc1ccc(cc1)N(CCCl)CCCl", 0.9, False),
        ("melphalan", "NC(Cc1ccc(cc1)N(CCCl)CCCl)C(O)=O", 1.0, True),
        ("bendamustine", "Cn1c(CCCC(O)=O)nc2cc(ccc12)N(CCCl)CCCl", 0.9, False),
        ("uramustine", "O=c1[nH]cc(N(CCCl)CCCl)c(=O)[nH]1", 0.9, False),
        ("cyclophosphamide", "ClCCN(CCCl)P1(=O)NCCCO1", 0.8, False),
        ("ifosfamide", "ClCCNP1(=O)OCCCN1CCCl", 0.8, False),
        ("trofosfamide", "ClCCN(CCCl)P1(=O)OCCCN1CCCl", 0.8, True),
    ),
    *_group(
        "dihydropyrimidine",
        ("monastrol", "CCOC(=O)C1=C(C)NC(=S)NC1c1cccc(O)c1", 0.9, False),
        ("oxomonastrol", "CCOC(=O)C1=C(C)NC(=O)NC1c1cccc(O)c1", 0.8, False),
        ("enastron", "O=C1CCCC2=C1C(NC(=S)N2)c1cccc(O)c1", 1.0, False),
        ("dimethylenastron", "CC1(C)CC(=O)C2=C(C1)NC(=S)NC2c1cccc(O)c1", 1.0, True),
        ("piperastrol", "CCOC(=O)C1=C(C)NC(=S)NC1c1ccc2OCOc2c1", 0.9, False),
    ),
    *_group(
        "nuclear export inhibitor",
        ("selinexor", r"O=C(NNc1cnccn1)/C=C\n1cnc(n1)-c1cc(cc(c1)C(F)(F)F)C(F)(F)F", 1.0, False),
        ("verdinexor", r"O=C(NNc1ccccn1)/C=C\n1cnc(n1)-c1cc(cc(c1)C(F)(F)F)C(F)(F)F", 1.0, True),
        ("KPT-276", r"O=C(/C=C\n1cnc(n1)-c1cc(cc(c1)C(F)(F)F)C(F)(F)F)N1CC(F)(F)C1", 0.9, True),
        ("KPT-185", r"CC(C)OC(=O)/C=C\n1cnc(n1)-c1cc(OC)cc(c1)C(F)(F)F", 0.9, False),
        ("KPT-251", r"FC(F)(F)c1cc(cc(c1)C(F)(F)F)-c1ncn(/C=C\c2nnco2)n1", 0.9, False),
        ("eltanexor", "NC(=O)/C(=C/n1cnc(n1)-c1cc(cc(c1)C(F)(F)F)C(F)(F)F)c1cncnc1", 0.8, False),
    ),
)  # fmt: skip
"""The library; structures without chirality, which fingerprints do not see."""


def simulated_compound_cells(
    n_per_compound: int,
    *,
    controls: int | None = None,
    size: int = 48,
    seed: int = 0,
    compounds: Sequence[SimulatedCompound] = COMPOUNDS,
) -> Cells:
    """Draw cells under every compound, and controls, all of different cells on four plates in two batches.

    Parameters
    ----------
    n_per_compound, controls
        Cells of each compound, and of the control (six times as many where None).
    size
        Crop side in pixels.
    seed
        Other seeds give other cells.
    compounds
        Some of the library, or others.

    Returns
    -------
    Cells
        As of `simulated_cells`, with the compound's name in `compound`, and with `smiles`, `mechanism` and `strength`;
        of controls these are empty, empty and 0.
    """
    if n_per_compound < 1:
        raise CellsError("No simulated cells were asked for; ask for one or more a compound.")

    def drawn(count: int, number: int) -> Cells:
        return simulated_cells(count, size=size, seed=scene_seed(seed, number, 2), conditions=(CONTROL,))

    cells = drawn(6 * n_per_compound if controls is None else controls, 0)
    parts = [replace(cells, table=cells.table.assign(smiles="", mechanism="", strength=0.0))]
    for number, compound in enumerate(compounds, 1):
        cells = true_counterfactual(drawn(n_per_compound, number), compound.phenotype, strength=compound.strength)
        about = {"smiles": compound.smiles, "mechanism": compound.mechanism, "strength": compound.strength}
        parts.append(replace(cells, table=cells.table.assign(compound=compound.name, **about)))
    history = {"simulated compounds": {"seed": seed}}
    return replace(concatenate(parts), label=("compound",), control=CONTROL, history=history)
