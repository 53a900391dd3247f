"""What the steps of all recipes share: networks, optimisers, running average, and all that the next step needs."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor
from torch.nn import Module, Parameter

from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.tensor_file import flatten_optimizer, restore_optimizer
from napari_impa.engine.one_launch import Inputs, OneLaunch, Recorder
from napari_impa.engine.steering import interruptible
from napari_impa.engine.training.steps.batch import Batch
from napari_impa.engine.training.steps.draws import Draws
from napari_impa.engine.training.steps.rates import RateFactors
from napari_impa.engine.training.steps.recipe import Recipe, Stage
from napari_impa.engine.training.steps.terms import require_known
from napari_impa.watch import UNWATCHED, Watch

R = TypeVar("R", bound=Recipe)

CELLS = ("control", "treated", "y_treated", "y_target", "at_target")
"""Tensors of a batch."""


class Step(ABC, Generic[R]):
    """Networks, their optimisers and their running average; a call makes one step.

    Parameters
    ----------
    networks
        On the device to train on; changed in place.
    recipe
        The step's values.
    batch_size, seed
        Cells of a whole step, of which several processes have a part each; and of everything random.
    is_batch_task
        Whether cells move between batches, so that they start from their batch's mean style.
    share_gradients
        Called with the parameters after every backward pass, before the optimiser's step: where several processes
        train one model, it averages their gradients.
    watch
        Asked at every convolution and product of matrices; what it raises leaves the step, with some weights changed.
        A step that is replayed is made to its end.
    recorder
        What records steps, to replay them as one launch each; None: they are made operation by operation.

    Attributes
    ----------
    optimizers
        By name; `critic` holds the discriminator's weights.
    average
        Running average of the weights, to predict with; None where the recipe keeps none.
    one_launch
        How steps are made, and why not as one launch.
    lowered
        What the rates of further steps are multiplied by.
    """

    recipe_type: ClassVar[type[Recipe]]
    layout: ClassVar[torch.memory_format] = torch.contiguous_format
    """Of networks and images in memory."""

    def __init__(
        self,
        networks: Networks,
        recipe: R,
        *,
        batch_size: int,
        seed: int = 0,
        is_batch_task: bool = False,
        share_gradients: Callable[[Sequence[Parameter]], None] | None = None,
        watch: Watch = UNWATCHED,
        recorder: Recorder | None = None,
    ) -> None:
        self.networks, self.recipe = networks.train().requires_grad_(True), recipe
        self._is_batch_task, self._seed, self._batch_size = is_batch_task, seed, batch_size
        self._share_gradients = share_gradients or (lambda parameters: None)
        self.networks.to(memory_format=self.layout)  # type: ignore[call-overload]
        self._critic = list(networks.discriminator.parameters())
        self.one_launch, self.lowered = OneLaunch[Tensor](recorder), RateFactors()
        # Numbers that change from step to step lie on a GPU, where a step that is replayed reads them.
        self._on_device = recorder is not None or self.device.type == "cuda"
        self._weights: dict[str, float | Tensor] = {}
        self._names: dict[Hashable, tuple[str, ...]] = {}
        self._makers = [p for name, p in networks.named_parameters() if not name.startswith("discriminator.")]
        self.optimizers = self._make_optimizers(watch)
        self.average = copy.deepcopy(networks).requires_grad_(False) if self._decay(0) else None
        for watched in (self.networks, self.average):
            if watched is not None:
                interruptible(watched, watch)

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self._critic[0].device

    def __call__(
        self,
        batch: Batch,
        number: int,
        stage: Stage,
        *,
        progress: float,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> dict[str, float]:
        """Make step `number`; returns the losses by name. `meanwhile` is called while a GPU is still at work.

        Raises
        ------
        TrainingError
            If a loss has no row in `terms.TERMS`.
        """
        self._set_rates(number, stage, progress)
        noise_dim = self.networks.shape.noise_dim
        draws = Draws(
            self._seed, number, batch, batch_size=self._batch_size, noise_dim=noise_dim, device=self.device
        )  # fmt: skip
        for name, value in self._weights_of(number, progress).items():
            self._weigh(name, value)
        if self.average is not None:
            self._weigh("average", 1 - self._decay(number))
        batch = batch.to(self.device, self.layout)
        kind = (stage, self._kind(number, stage), batch.modality, batch.first)

        def work(inputs: Inputs) -> Tensor:
            losses = self._make(*_with(batch, draws, inputs), number, stage)
            require_known(losses)
            self._update_average()
            self._names[kind] = tuple(losses)
            return torch.stack([value.detach().float() for value in losses.values()])

        values = self.one_launch(kind, _tensors(batch, draws), work)
        meanwhile()
        return dict(zip(self._names[kind], values.tolist(), strict=True))  # waits once

    # ---- what a recipe says -------------------------------------------------------------------------------------

    @abstractmethod
    def _make_optimizers(self, watch: Watch) -> dict[str, torch.optim.Optimizer]:
        """Make the optimisers, `critic` among them."""

    @abstractmethod
    def _make(self, batch: Batch, draws: Draws, number: int, stage: Stage) -> dict[str, Tensor]:
        """Let the networks learn from a batch; returns the losses by name.

        Steps of one kind may differ in tensors alone, and in the numbers of `self._weights`.
        """

    def _kind(self, number: int, stage: Stage) -> Hashable:
        """What of a step's number its operations depend on."""
        return None

    def _weights_of(self, number: int, progress: float) -> dict[str, float]:
        """Weights of losses that change from step to step, by name."""
        return {}

    def _set_rates(self, number: int, stage: Stage, progress: float) -> None:
        """Give the optimisers the rates of this step, times `lowered`."""
        return

    def _decay(self, number: int) -> float:
        """How much of the running average of the weights a step keeps; 0: there is none."""
        return 0.0

    def _precision(self) -> AbstractContextManager[object]:
        """One for each forward pass: autocast keeps its copies of weights until it is left, though they may change."""
        return nullcontext()

    def _shifted(self, nets: Networks, control: Tensor, style: Tensor, start: int | Tensor) -> Tensor:
        """Styles (B, d) to draw control cells with, under conditions of such styles; `start`: of their mean styles."""
        return style

    # ---- what all do --------------------------------------------------------------------------------------------

    def _adam(self, parameters: list[Parameter], rate: float, **how: Any) -> torch.optim.Adam:
        """Adam, on a GPU as one operation whose rate and count of steps lie there."""
        if not self._on_device:
            return torch.optim.Adam(parameters, lr=rate, **how)
        fused = self.device.type == "cuda"
        lr = torch.tensor(rate, device=self.device)
        return torch.optim.Adam(parameters, lr=lr, fused=fused, capturable=fused, **how)

    def _learn(self, total: Tensor, *names: str) -> None:
        """Let the optimisers named make a step down the gradient of a loss."""
        optimizers = [self.optimizers[name] for name in names if name in self.optimizers]
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(total)
        self._share_gradients(self._critic if "critic" in names else self._makers)
        for optimizer in optimizers:
            optimizer.step()

    def _weigh(self, name: str, value: float) -> None:
        if not self._on_device:
            self._weights[name] = value
        elif name not in self._weights:
            self._weights[name] = torch.tensor(value, device=self.device)
        else:
            self._weights[name].fill_(value)  # type: ignore[union-attr]

    @torch.no_grad()
    def _update_average(self) -> None:
        if self.average is None:
            return
        average: list[Tensor] = list(self.average.parameters())
        now: list[Tensor] = list(self.networks.parameters())
        weight = self._weights["average"]
        if isinstance(weight, Tensor):
            change = torch._foreach_sub(now, average)
            torch._foreach_mul_(change, weight)
            torch._foreach_add_(average, change)
        else:
            torch._foreach_lerp_(average, now, weight)

    @torch.no_grad()
    def predict(
        self, control: Tensor, y: Tensor, noise: Tensor, modality: int = 0, start: Tensor | None = None
    ) -> Tensor:
        """Predicted images of a few cells, by the averaged weights where there are any; `start` (B,): their batches."""
        nets = self.average or self.networks
        control, y, noise = control.to(self.device), y.to(self.device), noise.to(self.device)
        style = self._shifted(nets, control, nets.style(y, noise, modality), modality if start is None else start)
        images: Tensor = nets.generator(control, style)
        return images.cpu()

    def averaged_state(self) -> dict[str, Tensor]:
        """The weights to predict with."""
        nets = self.average or self.networks
        return {name: value.detach().cpu().clone() for name, value in nets.state_dict().items()}

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on."""
        tensors = {f"networks.{name}": value for name, value in self.networks.state_dict().items()}
        if self.average is not None:
            tensors |= {f"average.{name}": value for name, value in self.average.state_dict().items()}
        for name, optimizer in self.optimizers.items():
            tensors |= flatten_optimizer(optimizer, name)
        return tensors

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take the state that `state` gave."""
        self.one_launch.forget()
        self.networks.load_state_dict(_part(tensors, "networks."))
        if self.average is not None:
            self.average.load_state_dict(_part(tensors, "average."))
        for name, optimizer in self.optimizers.items():
            restore_optimizer(optimizer, name, tensors)


@contextmanager
def frozen(*modules: Module) -> Iterator[None]:
    """Let gradients pass through some modules, but not reach their weights."""
    for module in modules:
        module.requires_grad_(False)
    try:
        yield
    finally:
        for module in modules:
            module.requires_grad_(True)


def set_rate(group: dict[str, Any], rate: float) -> None:
    """Give a group of an optimiser's parameters another rate; one that lies on a GPU stays where it is."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


def _tensors(batch: Batch, draws: Draws) -> dict[str, Tensor]:
    """All that changes from step to step, by name."""
    cells = {name: getattr(batch, name) for name in CELLS if getattr(batch, name) is not None}
    noise, other = draws.noise
    return {**cells, "noise": noise, "other_noise": other, "normal": draws.normal, "uniform": draws.uniform}


def _with(batch: Batch, draws: Draws, inputs: Inputs) -> tuple[Batch, Draws]:
    """Return batch and draws with these tensors."""
    other = copy.copy(draws)
    other.noise = [inputs["noise"], inputs["other_noise"]]
    other.normal, other.uniform = inputs["normal"], inputs["uniform"]
    cells: dict[str, Any] = {name: inputs[name] for name in CELLS if name in inputs}
    return replace(batch, **cells), other


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
