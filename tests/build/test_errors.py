"""The errors of the build room are like all others of the library."""

from __future__ import annotations

import pickle

import pytest

from tests.test_errors import HOSTILE, example
from wheelhouse_resolver.build.classify import ClassifyError
from wheelhouse_resolver.build.environment import EnvironmentProblemError
from wheelhouse_resolver.build.executors import ExecutorError
from wheelhouse_resolver.build.libraries import TooManyLibrariesError
from wheelhouse_resolver.build.needs import NeedsError
from wheelhouse_resolver.build.plan import CycleError
from wheelhouse_resolver.build.publication import UnclassifiedError
from wheelhouse_resolver.build.verify import NoEmulatorError
from wheelhouse_resolver.errors import WheelhouseError


@pytest.mark.parametrize(
    "kind",
    [
        ClassifyError,
        CycleError,
        EnvironmentProblemError,
        ExecutorError,
        NeedsError,
        NoEmulatorError,
        TooManyLibrariesError,
        UnclassifiedError,
    ],
)
def test_one_printable_line_that_survives_pickling(kind: type[WheelhouseError]) -> None:
    error = example(kind, HOSTILE)
    assert str(error).isprintable()
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.args, vars(again)) == (kind, error.args, vars(error))
