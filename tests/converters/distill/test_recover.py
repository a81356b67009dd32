"""Recovery: better or as before, resumed bit for bit, interrupted without harm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tallylens.converters.distill.recover import Schedule, recover
from tallylens.converters.distill.student import Weights, read_weights, write_weights
from tallylens.converters.distill.training import TrainingState
from tallylens.converters.distill.training_state import fingerprint, load_state, save_state
from tallylens.converters.emit.onnx import emit_onnx
from tallylens.converters.graph import DetectorGraph
from tallylens.edge_runtime.errors import InputError, UsageError

pytestmark = pytest.mark.slow

PLAN = Schedule(rate=0.01, warm_up=2, batch=4, side=32, checks=4, save_every=3)


def same(one: Weights, other: Weights) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in one | other)


def test_a_damaged_student_comes_nearer_to_its_teacher(
    student: DetectorGraph, teacher: DetectorGraph, folder: Path, clock: Callable[[], float]
) -> None:
    before = emit_onnx(student)
    reports: list[tuple[str, float | None]] = []
    found = recover(
        student,
        teacher,
        folder,
        2,
        schedule=PLAN,
        clock=clock,
        progress=lambda *report: reports.append(report),
    )
    assert emit_onnx(student) == before
    record = found.metadata.passes[-1]
    assert record.name == "recover"
    assert record.effect["steps"] == 120
    before_training, after = (record.effect[f"error_{when}"] for when in ("before", "after"))
    assert isinstance(before_training, float)
    assert isinstance(after, float)
    assert after < 0.7 * before_training
    losses = [float(stage.removeprefix("recover, loss ")) for stage, _ in reports]
    assert losses[-1] < losses[0]
    assert [done for _, done in reports] == [step / 120 for step in range(1, 121)]


def test_what_training_only_harms_stays_as_it_was(
    teacher: DetectorGraph, folder: Path, clock: Callable[[], float]
) -> None:
    found = recover(teacher, teacher, folder, 0.2, schedule=PLAN, clock=clock)
    assert same(read_weights(found), read_weights(teacher))
    assert found.metadata.passes[-1].effect["error_after"] == 0


class InterruptedRunError(Exception):
    """Stands for Ctrl-C."""


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(
    student: DetectorGraph,
    teacher: DetectorGraph,
    folder: Path,
    tmp_path: Path,
    ticking: Callable[[], Callable[[], float]],
) -> None:
    whole = recover(student, teacher, folder, 0.3, schedule=PLAN, clock=ticking())
    state = tmp_path / "run.state"

    def interrupt(_stage: str, done: float | None) -> None:
        if done == 11 / 18:
            raise InterruptedRunError

    with pytest.raises(InterruptedRunError):
        recover(
            student,
            teacher,
            folder,
            0.3,
            state=state,
            schedule=PLAN,
            clock=ticking(),
            progress=interrupt,
        )
    assert [path.name for path in tmp_path.iterdir()] == ["run.state"]
    resumed = recover(student, teacher, folder, 0.3, state=state, schedule=PLAN, clock=ticking())
    assert same(read_weights(resumed), read_weights(whole))
    assert resumed.metadata == whole.metadata


def test_a_finished_state_takes_no_more_steps(
    student: DetectorGraph,
    teacher: DetectorGraph,
    folder: Path,
    tmp_path: Path,
    clock: Callable[[], float],
) -> None:
    state = tmp_path / "run.state"
    first = recover(student, teacher, folder, 0.1, state=state, schedule=PLAN, clock=clock)
    reports: list[tuple[str, float | None]] = []
    again = recover(
        student,
        teacher,
        folder,
        0.1,
        state=state,
        schedule=PLAN,
        clock=clock,
        progress=lambda *report: reports.append(report),
    )
    assert reports == []
    assert same(read_weights(again), read_weights(first))


def test_a_state_reads_back_as_written(student: DetectorGraph, tmp_path: Path) -> None:
    state = TrainingState.start(read_weights(student), 0.5)
    state.step, state.seconds, state.best_error = 7, 1.25, 0.1 + 0.2
    belongs_to = fingerprint(state.weights, {})
    save_state(tmp_path / "state", state, belongs_to)
    found = load_state(tmp_path / "state", state.weights, belongs_to)
    assert found is not None
    for part in ("weights", "average", "momentum", "variance", "best"):
        assert same(getattr(found, part), getattr(state, part))
    assert (found.step, found.seconds, found.best_error) == (7, 1.25, 0.1 + 0.2)


def test_a_state_of_the_first_version_resumes(
    student: DetectorGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tallylens.converters.distill import training_state

    state = TrainingState.start(read_weights(student), 0.5)
    state.momentum = {name: array + 1 for name, array in state.momentum.items()}
    names = tuple(name for name in training_state._FIGURES if name not in ("stale", "optimizer"))
    with monkeypatch.context() as then:
        then.setattr(training_state, "_FIGURES", names)
        save_state(tmp_path / "state", state, "this")
    found = load_state(tmp_path / "state", state.weights, "this")
    assert found is not None
    assert found.stale == 0
    # Its momentum was of another optimizer, in other units.
    assert not any(array.any() for array in found.momentum.values())
    assert same(found.weights, state.weights)
    save_state(tmp_path / "state", found, "this")
    again = load_state(tmp_path / "state", state.weights, "this")
    assert again is not None
    assert again.optimizer == found.optimizer > 1


def test_a_state_of_another_optimizer_goes_on_with_its_weights(
    student: DetectorGraph,
    teacher: DetectorGraph,
    folder: Path,
    tmp_path: Path,
    ticking: Callable[[], Callable[[], float]],
) -> None:
    path = tmp_path / "run.state"
    recover(student, teacher, folder, 0.1, state=path, schedule=PLAN, clock=ticking())
    start = read_weights(student)
    belongs_to = fingerprint(start, read_weights(teacher))
    state = load_state(path, start, belongs_to)
    assert state is not None
    state.optimizer, before = 1, state.best_error
    state.momentum = {name: array + 1e6 for name, array in state.momentum.items()}
    save_state(path, state, belongs_to)
    found = recover(student, teacher, folder, 1, state=path, schedule=PLAN, clock=ticking())
    effect = found.metadata.passes[-1].effect
    assert effect["steps"] == 60
    assert float(str(effect["error_after"])) < before


def test_there_is_no_state_at_first(student: DetectorGraph, tmp_path: Path) -> None:
    assert load_state(tmp_path / "none", read_weights(student), "") is None


def test_the_state_of_another_recovery_is_refused(student: DetectorGraph, tmp_path: Path) -> None:
    weights = read_weights(student)
    save_state(tmp_path / "state", TrainingState.start(weights, 1.0), "that")
    with pytest.raises(InputError, match=r"state of another recovery\. Delete it to restart"):
        load_state(tmp_path / "state", weights, "this")


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.99])
def test_a_damaged_state_is_refused(student: DetectorGraph, tmp_path: Path, kept: float) -> None:
    weights, path = read_weights(student), tmp_path / "state"
    save_state(path, TrainingState.start(weights, 1.0), "this")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content) if kept < 1 else kept)])
    with pytest.raises(InputError, match="is not the state of a recovery"):
        load_state(path, weights, "this")


def test_a_state_of_other_shapes_is_refused(student: DetectorGraph, tmp_path: Path) -> None:
    weights = read_weights(student)
    save_state(tmp_path / "state", TrainingState.start(weights, 1.0), "this")
    wider = {name: np.repeat(array, 2, axis=-1) for name, array in weights.items()}
    with pytest.raises(InputError, match="has another shape"):
        load_state(tmp_path / "state", wider, "this")


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf")])
def test_no_time_is_refused(
    student: DetectorGraph, teacher: DetectorGraph, folder: Path, minutes: float
) -> None:
    with pytest.raises(UsageError, match="minutes of recovery"):
        recover(student, teacher, folder, minutes)


def test_an_empty_folder_is_refused(
    student: DetectorGraph, teacher: DetectorGraph, tmp_path: Path
) -> None:
    with pytest.raises(InputError):
        recover(student, teacher, tmp_path, 1)


def test_weights_read_back_as_written(student: DetectorGraph) -> None:
    weights = read_weights(student)
    assert same(read_weights(write_weights(student, weights)), weights)


def test_a_state_belongs_to_a_teacher_and_to_shapes(
    student: DetectorGraph, teacher: DetectorGraph
) -> None:
    weights, taught = read_weights(student), read_weights(teacher)
    whole = fingerprint(weights, taught)
    moved = {name: array + 1e-6 for name, array in weights.items()}
    assert fingerprint(moved, taught) == whole
    assert fingerprint(weights, weights) != whole
    assert fingerprint({name: array[..., :1] for name, array in weights.items()}, taught) != whole
