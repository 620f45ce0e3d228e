"""What holds for every fold: it goes on from its arrays, says the same twice, and changes nothing that it was given."""

from __future__ import annotations

import ast
import io
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import services
import shared
from tests.unit.checks.folds import FOLDS, INSIDE, Fold
from tests.unit.states import assert_same

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

MOST_CUTS = 6


def state_of_fold(fold: Any) -> dict[str, NDArray[Any]]:
    """Return the arrays of a fold; one that is a single array has no name."""
    state = fold.state()
    return {"": state} if isinstance(state, np.ndarray) else state


def kept(state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the arrays as a file gives them back that holds no object; nothing is unpickled."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **{f"/{name}": array for name, array in state.items()})
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        return {name.removeprefix("/"): arrays[name] for name in arrays.files}


def exact(said: object) -> object:
    """Return what was said so that NaN is the same as NaN, and arrays are compared to the bit."""
    if isinstance(said, np.ndarray):
        return said.dtype.str, said.shape, said.tobytes()
    if isinstance(said, (tuple, list)):
        return [exact(one) for one in said]
    return repr(said)


def check_it_goes_on_from_its_arrays(fold: Fold) -> None:
    """Stopped anywhere, kept in a file and taken up, it says the same of what follows, and ends with the same state."""
    count = len(fold.inputs)
    for cut in range(int(not fold.begins_empty), count, max(1, count // MOST_CUTS)):
        old = fold.begin()
        for one in fold.inputs[:cut]:
            fold.take(old, one)
        new = fold.goes_on(kept(state_of_fold(old)))
        for one in fold.inputs[cut:]:
            assert exact(fold.take(new, one)) == exact(fold.take(old, one)), cut
        assert_same(state_of_fold(new), state_of_fold(old))


def check_two_say_the_same(fold: Fold) -> None:
    """Of the same inputs, to the bit: nothing is random, and nothing depends on the clock."""
    first, second = fold.begin(), fold.begin()
    for one in fold.inputs:
        assert exact(fold.take(first, one)) == exact(fold.take(second, one))
    assert_same(state_of_fold(first), state_of_fold(second))


def check_inputs_stay_as_they_are(fold: Fold) -> None:
    """What is handed over is another's."""
    inputs = deepcopy(list(fold.inputs))
    one = fold.begin()
    for each in inputs:
        fold.take(one, each)
    assert exact(inputs) == exact(list(fold.inputs))


def check_a_state_that_was_given_is_not_changed(fold: Fold) -> None:
    """Who goes on from arrays does not write into them."""
    old = fold.begin()
    half = len(fold.inputs) // 2
    for one in fold.inputs[:half]:
        fold.take(old, one)
    state = {name: array.copy() for name, array in state_of_fold(old).items()}
    given = deepcopy(state)
    new = fold.goes_on(given)
    for one in fold.inputs[half:]:
        fold.take(new, one)
    assert_same(given, state)


CHECKS = (
    check_it_goes_on_from_its_arrays,
    check_two_say_the_same,
    check_inputs_stay_as_they_are,
    check_a_state_that_was_given_is_not_changed,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", FOLDS)
def test_every_fold(name: str, check: Any) -> None:
    """Each check holds for each fold."""
    check(FOLDS[name])


@pytest.mark.parametrize("name", [name for name, fold in FOLDS.items() if fold.block is not None])
def test_one_by_one_is_in_blocks(name: str) -> None:
    """Whether inputs come alone or many in one go, the state is the same to the bit."""
    fold = FOLDS[name]
    assert fold.block is not None
    alone, parted = fold.begin(), fold.begin()
    for one in fold.inputs:
        fold.take(alone, one)
    for first, end in ((0, 1), (1, 100), (100, 103), (103, len(fold.inputs))):
        fold.block(parted, fold.inputs[first:end])
    assert_same(state_of_fold(parted), state_of_fold(alone))


def folds_of_the_project() -> Iterator[tuple[str, str]]:
    """Yield module and name of each class with a state to go on from; a core, which has parts, has its own tests."""
    for file in (file for package in (shared, services) for file in Path(package.__path__[0]).rglob("*.py")):
        module = ".".join(file.relative_to(Path(shared.__path__[0]).parent).with_suffix("").parts)
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and "Protocol" not in map(ast.unparse, node.bases):
                methods = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
                if methods >= {"state", "resume"} and "parts" not in methods:
                    yield module, node.name


def test_every_fold_of_the_project_is_listed() -> None:
    """A new one gets an entry in `FOLDS`: how it begins, and what it takes."""
    covered = {(kind.__module__, kind.__name__) for kind in (*(fold.kind for fold in FOLDS.values()), *INSIDE)}
    found = set(folds_of_the_project())
    assert len(found) > 10
    assert found - covered == set()
