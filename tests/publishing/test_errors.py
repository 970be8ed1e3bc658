"""The errors of publishing are like all others of the library."""

from __future__ import annotations

import pickle

import pytest

from tests.test_errors import HOSTILE, example
from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.publishing.errors import AfterHookError, PublishError
from wheelhouse_resolver.utils.atomic import AlreadyExistsError
from wheelhouse_resolver.wheelfile.build_tag import StampError
from wheelhouse_resolver.wheelfile.validate import InvalidWheelError


@pytest.mark.parametrize(
    "kind", [AfterHookError, AlreadyExistsError, InvalidWheelError, PublishError, StampError]
)
def test_one_printable_line_that_survives_pickling(kind: type[WheelhouseError]) -> None:
    error = example(kind, HOSTILE).with_hint("run this")
    assert str(error).isprintable()
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.hint, vars(again)) == (kind, str(error), "run this", vars(error))
