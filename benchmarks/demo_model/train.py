"""Train the demo's detector from nothing but rendered streets, on one processor core.

    pip install torch
    python benchmarks/demo_model/train.py --work FOLDER [--steps 3000] [--minutes 60] [--start FILE]

Stopping is harmless: the same command resumes where it stopped. It writes into FOLDER demo.onnx,
which `tallylens convert` takes, log.csv, and curves.png. `ship.py` does the rest.
"""

from __future__ import annotations

import argparse
import copy
import csv
import math
import random
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from data import Batches, render_pool, save_labeled
from loss import detection_loss
from measure import measure
from network import WIDTHS, Network, to_graph
from torch import Tensor

from tallylens.converters.emit.onnx import emit_onnx
from tallylens.demo.stills import Stills

BATCH = 32
POOL = 4000
PEAK_RATE, LAST_RATE, DECAY = 3e-3, 3e-5, 1e-3
WARM_UP = 150
MOSAIC, PLAIN_END = 0.5, 0.15
SAVE_EVERY_S = 150.0
MEASURE_EVERY = 250
VALIDATION = range(50_000, 50_100)
SIZE = (192, 320)


class Average:
    """The exponential moving average of a network's weights, which is what is shipped."""

    def __init__(self, network: Network) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.updates = 0

    @torch.no_grad()
    def update(self, network: Network) -> None:
        """One step nearer to `network`; slowly at the end, faster at first."""
        self.updates += 1
        keep = 0.998 * (1 - math.exp(-self.updates / 200))
        for mean, new in zip(
            self.network.state_dict().values(), network.state_dict().values(), strict=True
        ):
            if mean.dtype.is_floating_point:
                mean.mul_(keep).add_(new, alpha=1 - keep)


class Training:
    """Everything that a step changes, so that it can be saved whole."""

    def __init__(self, steps: int, batches: Batches, peak: float = PEAK_RATE) -> None:
        self.steps, self.peak = steps, peak
        self.batches = batches
        self.network = Network(WIDTHS)
        self.average = Average(self.network)
        weights = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim <= 1]
        groups = [{"params": weights, "weight_decay": DECAY}, {"params": others, "weight_decay": 0}]
        self.optimizer = torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.99))
        self.step = 0

    def rate(self) -> float:
        """Linear warm-up, then a cosine down."""
        warm_up = min(WARM_UP, self.steps // 10)
        if self.step < warm_up:
            return self.peak * (self.step + 1) / warm_up
        done = (self.step - warm_up) / max(self.steps - warm_up, 1)
        return LAST_RATE + (self.peak - LAST_RATE) * (1 + math.cos(math.pi * min(done, 1))) / 2

    def start_from(self, path: Path) -> None:
        """Begin at step 0 with the averaged weights that an earlier training saved."""
        weights = torch.load(path, weights_only=True)["average"]
        self.network.load_state_dict(weights)
        self.average.network.load_state_dict(weights)

    def advance(self) -> dict[str, float]:
        """One batch; returns the parts of its loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        mosaic = MOSAIC if self.step < self.steps * (1 - PLAIN_END) else 0.0
        pictures, objects = self.batches.next(mosaic)
        x: Tensor = torch.from_numpy(pictures).to(memory_format=torch.channels_last).float() / 255
        total, parts = detection_loss(self.network.train()(x), torch.from_numpy(objects))
        self.optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        self.optimizer.step()
        self.average.update(self.network)
        self.step += 1
        return parts | {"total": float(total.detach())}

    def save(self, path: Path) -> None:
        """Write the whole state; a reader sees the old file or the new one."""
        state = {
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "updates": self.average.updates,
            "optimizer": self.optimizer.state_dict(),
            "rng": self.batches.rng.bit_generator.state,
        }
        torch.save(state, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)

    def restore(self, path: Path) -> None:
        """Resume from what `save` wrote."""
        state: dict[str, Any] = torch.load(path, weights_only=True)
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.average.network.load_state_dict(state["average"])
        self.average.updates = state["updates"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.batches.rng.bit_generator.state = state["rng"]


def main() -> None:
    """Train to the end, or until the minutes are over."""
    options = _options()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    random.seed(options.seed)
    torch.manual_seed(options.seed)
    work: Path = options.work
    pool = render_pool(work / "pool", options.pool)
    stills = save_labeled(work / "validation", VALIDATION, 2)
    training = Training(options.steps, Batches(pool, options.batch, options.seed), options.rate)
    training.network.to(memory_format=torch.channels_last)
    if (work / "state.pt").is_file():
        training.restore(work / "state.pt")
    elif options.start:
        training.start_from(options.start)
    parameters = sum(p.numel() for p in training.network.parameters())
    print(f"{parameters} parameters, from step {training.step}", flush=True)
    _run(training, work, stills, time.monotonic() + 60 * options.minutes)


def _run(training: Training, work: Path, stills: Stills, until: float) -> None:
    saved = time.monotonic()
    sums: dict[str, list[float]] = {}
    while training.step < training.steps and time.monotonic() < until:
        for name, value in training.advance().items():
            sums.setdefault(name, []).append(value)
        if time.monotonic() - saved > SAVE_EVERY_S:
            training.save(work / "state.pt")
            saved = time.monotonic()
        if training.step % 50 == 0:
            row = {name: float(np.mean(values)) for name, values in sums.items()}
            measured = training.step % MEASURE_EVERY == 0 or training.step == training.steps
            if measured:
                row |= measure(_export(training, work), stills)
            _log(work / "log.csv", training.step, training.rate(), row)
            sums = {}
    training.save(work / "state.pt")
    _export(training, work)


def _export(training: Training, work: Path) -> Path:
    path = work / "demo.onnx"
    network = training.average.network
    path.write_bytes(emit_onnx(to_graph(network, SIZE, "tallylens-demo")))
    return path


def _log(path: Path, step: int, rate: float, row: dict[str, float]) -> None:
    names = ("total", "box", "object", "class", "map50", "map50_95")
    new = not path.is_file()
    with path.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(("step", "rate", *names))
        shown = [f"{row[name]:.4f}" if name in row else "" for name in names]
        writer.writerow((step, f"{rate:.6f}", *shown))
    print(f"step {step}", *(f"{name} {value:.4f}" for name, value in row.items()), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="where all files go")
    parser.add_argument("--steps", type=int, default=3000, help="batches to learn from")
    parser.add_argument("--batch", type=int, default=BATCH, help="frames in each")
    parser.add_argument("--rate", type=float, default=PEAK_RATE, help="the greatest learning rate")
    parser.add_argument(
        "--minutes",
        type=float,
        default=math.inf,
        help="stop then; run again to resume",
    )
    parser.add_argument("--pool", type=int, default=POOL, help="frames to render")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--start", type=Path, metavar="FILE", help="state.pt of an earlier training to begin with"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
