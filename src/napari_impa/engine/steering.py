"""Steering a training from another thread: pause it, go on, stop it, or leave it at once."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Any

from napari_impa.watch import CancelledError, Watch

if TYPE_CHECKING:  # a window that steers need not wait for torch to be imported
    from torch import Tensor
    from torch.nn import Module

GRACE = 0.25
"""Seconds that a training which is to be left has to end its step and to save; then it is left where it is."""


class Abandoned(CancelledError):
    """Raised inside a step to leave it; what the step has changed by then is not kept."""


class Steering(Watch):
    """A watch that asks more of a training than to end; every method may be called from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._paused = self._stopped = False
        self._deadline = math.inf

    @property
    def paused(self) -> bool:
        """Whether to wait before the next step."""
        return self._paused and not self._stopped

    @property
    def stopped(self) -> bool:
        """Whether to make no further step."""
        return self._stopped

    @property
    def abandoned(self) -> bool:
        """Whether to leave within a second."""
        return self._deadline < math.inf

    @property
    def seconds_left(self) -> float:
        """Until a training that is to be left is left where it is; infinite for any other."""
        return self._deadline - time.monotonic()

    def pause(self) -> None:
        """Wait after the step that is being made."""
        self._ask(paused=True)

    def go_on(self) -> None:
        """Pause no longer."""
        self._ask(paused=False)

    def stop(self) -> None:
        """Make no further step; a pause ends."""
        self._ask(stopped=True)

    def abandon(self, grace: float = GRACE) -> None:
        """Stop, and leave even the step that is being made where it takes more than `grace` seconds still."""
        self._ask(stopped=True, deadline=min(self._deadline, time.monotonic() + grace))

    def _ask(self, **changes: Any) -> None:
        with self._changed:
            for name, value in changes.items():
                setattr(self, f"_{name}", value)
            self._changed.notify_all()

    def wait(self) -> None:
        """Wait while the training is paused."""
        with self._changed:
            self._changed.wait_for(lambda: not self.paused)

    def check(self) -> None:
        """Leave here if the time to leave has come.

        Raises
        ------
        Abandoned
            If so.
        """
        if self.abandoned and self.seconds_left <= 0:
            raise Abandoned


class Steered:
    """A training that is steered; every method may be called from any thread."""

    steering: Steering

    def stop(self) -> None:
        """Stop at the end of the step that is being made."""
        self.steering.stop()

    def pause(self) -> None:
        """Save after the step that is being made and wait for `go_on`.

        The time until then does not count. Not for a training that several processes share.
        """
        self.steering.pause()

    def go_on(self) -> None:
        """Go on after a pause."""
        self.steering.go_on()

    def abandon(self) -> None:
        """Leave within a second, even a step that takes longer.

        Where step and checkpoint can be ended in this time, they are; otherwise the run goes on from the checkpoint
        before when it is resumed.
        """
        self.steering.abandon()


def interruptible(networks: Module, watch: Watch) -> None:
    """Ask a watch after every convolution of these networks and before its gradient; what it raises leaves the pass.

    The networks' numbers stay the same.
    """
    from torch.nn import Conv2d

    def before_backward(gradient: Tensor) -> None:
        watch.check()

    def after_forward(module: Module, inputs: Any, output: Any) -> None:
        watch.check()
        if output.requires_grad:
            output.register_hook(before_backward)

    for module in networks.modules():
        if isinstance(module, Conv2d):
            module.register_forward_hook(after_forward)
