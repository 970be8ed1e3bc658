"""The errors of the build room are like all others of the library."""

from __future__ import annotations

import pickle

import pytest

from tests.test_errors import HOSTILE, example
from wheelhouse_resolver.builder.classification.classify import ClassifyError
from wheelhouse_resolver.builder.executors.base import ExecutorError
from wheelhouse_resolver.builder.planning.source_metadata import SourceMetadataError
from wheelhouse_resolver.builder.planning.waves import CycleError
from wheelhouse_resolver.builder.process.virtualenvs import VirtualenvError
from wheelhouse_resolver.builder.publish import UnclassifiedError
from wheelhouse_resolver.builder.verification.verify import NoEmulatorError
from wheelhouse_resolver.errors import WheelhouseError


@pytest.mark.parametrize(
    "kind",
    [
        ClassifyError,
        CycleError,
        VirtualenvError,
        ExecutorError,
        NoEmulatorError,
        SourceMetadataError,
        UnclassifiedError,
    ],
)
def test_one_printable_line_that_survives_pickling(kind: type[WheelhouseError]) -> None:
    error = example(kind, HOSTILE)
    assert str(error).isprintable()
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (kind, str(error), vars(error))
