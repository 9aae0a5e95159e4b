"""ScaledAdam: Adam whose steps are in units of each tensor's size, plus a step of the size itself.

After icefall's optimiser (Apache-2.0) as GPT-SoVITS runs it (spec: s1 §7.3); the code is our own.
One quirk of it is kept: clipping acts on the size's step only, not on the main one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

SCALAR_LR_SCALE = 0.1
SIZE_PERIOD = 4
MIN_RMS, MAX_RMS = 1e-5, 3.0
SCALAR_MAX = 10.0


class ScaledAdam(Optimizer):
    """`clipping_scale` times the median gradient norm of the last period is the threshold."""

    def __init__(
        self,
        params: Iterable[Any],
        *,
        lr: float = 0.01,
        betas: tuple[float, float] = (0.9, 0.95),
        eps: float = 1e-8,
        clipping_scale: float = 2.0,
        clipping_period: int = 1000,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "clipping_scale": clipping_scale,
            "clipping_period": clipping_period,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update of every tensor that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            active = [p for p in group["params"] if p.grad is not None]
            if not active:
                continue
            states = [self._state_of(p) for p in active]
            clip = self._clip(group, active, states)
            for p, state in zip(active, states):
                if p.numel() > 1:
                    _scale_step(p, state, group, clip)
                    _main_step(p, state, group)
                else:
                    _scalar_step(p, state, group)
                state["step"] += 1
        return loss

    def _state_of(self, p: Tensor) -> dict[str, Any]:
        state: dict[str, Any] = self.state[p]
        if not state:
            state["step"] = 0
            state["delta"] = torch.zeros_like(p)
            state["exp_avg_sq"] = torch.zeros_like(p)
            if p.numel() > 1:
                state["param_rms"] = _rms(p)
                state["scale_exp_avg_sq"] = torch.zeros_like(state["param_rms"])
                state["scale_grads"] = p.new_zeros(SIZE_PERIOD)
        return state

    def _clip(
        self, group: dict[str, Any], params: list[Tensor], states: list[dict[str, Any]]
    ) -> float:
        """Factor <= 1 for the gradient of the sizes; 1 until one period of norms is known."""
        step, period = states[0]["step"], group["clipping_period"]
        if step == 0:
            return 1.0
        norms = states[0].setdefault("model_norms", torch.zeros(period, device=params[0].device))
        parts = [p.grad * s.get("param_rms", 1.0) for p, s in zip(params, states)]
        norm = torch.stack([part.square().sum() for part in parts]).sum().sqrt()
        norms[step % period] = norm
        if step % period == 0:
            median = norms.sort().values[min(period - 1, period // 4 * 2)]
            states[0]["model_norm_threshold"] = group["clipping_scale"] * median.item()
        if step < period:
            return 1.0
        return float(min(1.0, states[0]["model_norm_threshold"] / (norm.item() + 1e-20)))


def _rms(p: Tensor) -> Tensor:
    return p.square().mean().sqrt()


def _scale_step(p: Tensor, state: dict[str, Any], group: dict[str, Any], clip: float) -> None:
    """Decay the momentum; every fourth step, move the tensor's size along its own direction."""
    assert p.grad is not None
    beta1, beta2 = group["betas"]
    lr, step, delta = group["lr"], state["step"], state["delta"]
    delta.mul_(beta1)
    state["scale_grads"][step % SIZE_PERIOD] = (p * p.grad).sum() * clip
    if step % SIZE_PERIOD != SIZE_PERIOD - 1:
        return
    rms = _rms(p)
    state["param_rms"].copy_(rms)
    decay = beta2**SIZE_PERIOD
    grads, square = state["scale_grads"], state["scale_exp_avg_sq"]
    square.mul_(decay).add_(grads.square().mean(), alpha=1 - decay)
    correction = 1 - decay ** ((step + 1) // SIZE_PERIOD)
    size_lr = lr * SCALAR_LR_SCALE
    move = -size_lr * math.sqrt(correction) * grads.sum() / (square.sqrt() + group["eps"])
    move = torch.where(rms < MIN_RMS, torch.zeros_like(move), move)
    move = torch.where(rms > MAX_RMS, torch.full_like(move, -size_lr * SIZE_PERIOD), move)
    delta.add_(p * move, alpha=1 - beta1)


def _main_step(p: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    """Adam's step times the tensor's size."""
    beta1, beta2 = group["betas"]
    square = state["exp_avg_sq"]
    square.mul_(beta2).addcmul_(p.grad, p.grad, value=1 - beta2)
    correction = 1 - beta2 ** (state["step"] + 1)
    if correction < 0.99:
        square = square / correction
    step = p.grad / (square.sqrt() + group["eps"])
    size = state["param_rms"].clamp(min=MIN_RMS)
    state["delta"].add_(step * size, alpha=-group["lr"] * (1 - beta1))
    p.add_(state["delta"])


def _scalar_step(p: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    """One-element tensors: plain Adam at a tenth of the rate, kept within +-10 before the step."""
    beta1, beta2 = group["betas"]
    delta, square = state["delta"], state["exp_avg_sq"]
    delta.mul_(beta1)
    square.mul_(beta2).addcmul_(p.grad, p.grad, value=1 - beta2)
    denominator = (square / (1 - beta2 ** (state["step"] + 1))).sqrt() + group["eps"]
    delta.addcdiv_(p.grad, denominator, value=-group["lr"] * SCALAR_LR_SCALE * (1 - beta1))
    p.clamp_(-SCALAR_MAX, SCALAR_MAX).add_(delta)
