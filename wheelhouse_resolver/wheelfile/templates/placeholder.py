"""A placeholder: imports what it stands for if that is further on in the path; else it says what to do."""

import importlib.util
import os
import sys
from importlib.machinery import PathFinder

_MESSAGE = ""


def _find():  # type: ignore[no-untyped-def] # for the oldest Python that there is
    here = os.path.realpath(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    above = __name__.rpartition(".")[0]
    path = sys.modules[above].__path__ if above else sys.path
    return PathFinder.find_spec(__name__, [each for each in path if os.path.realpath(each) != here])


_spec = _find()  # type: ignore[no-untyped-call]
if _spec is None or _spec.loader is None:
    raise ImportError(_MESSAGE, name=__name__)
_module = importlib.util.module_from_spec(_spec)
sys.modules[__name__] = _module
_spec.loader.exec_module(_module)
