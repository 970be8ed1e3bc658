from __future__ import annotations

import pytest

from wheelhouse_resolver.builder.process.log_tail import last_words, without_closing

#: What `pip wheel --verbose` of that version says after a backend failed.
PIP_23_2 = """\
  error: subprocess-exited-with-error
  
  × Building wheel for demo (pyproject.toml) did not run successfully.
  │ exit code: 1
  ╰─> See above for output.
  
  note: This error originates from a subprocess, and is likely not a problem with pip.
  full command: /e/bin/python /e/pip/_vendor/pyproject_hooks/_in_process/_in_process.py build_wheel /tmp/t
  cwd: /b/source/demo-1.0
  Building wheel for demo (pyproject.toml): finished with status 'error'
  ERROR: Failed building wheel for demo
Failed to build demo
ERROR: Failed to build one or more wheels
"""  # noqa: W293
PIP_26_3 = PIP_23_2.replace("See above for output.", "No available output.")
PIP_26_3_METADATA = """\
  error: subprocess-exited-with-error
  
  × Preparing metadata (pyproject.toml) did not run successfully.
  │ exit code: 1
  ╰─> No available output.
  
  note: This error originates from a subprocess, and is likely not a problem with pip.
  full command: /e/bin/python /tmp/t_in_process.py prepare_metadata_for_build_wheel /tmp/t
  cwd: /b/source/demo-1.0
  Preparing metadata (pyproject.toml): finished with status 'error'
error: metadata-generation-failed

× Encountered error while generating package metadata.
╰─> from file:///b/source/demo-1.0

note: This is an issue with the package mentioned above, not pip.
hint: See above for details.
"""  # noqa: W293

CLOSINGS = pytest.mark.parametrize(
    "closing", [PIP_23_2, PIP_26_3, PIP_26_3_METADATA, ""], ids=["23.2", "26.3", "26.3-metadata", "none"]
)

RAISED = """\
  Running command Building wheel for demo (pyproject.toml)
  Traceback (most recent call last):
    File "backend.py", line 3, in build_wheel
      raise RuntimeError("no blas found")
  RuntimeError: no blas found
"""
COMPILED = """\
  gcc -O3 -c fast.c -o fast.o
  fast.c:1:10: fatal error: nothere.h: No such file or directory
      1 | #include <nothere.h>
        |          ^~~~~~~~~~~
  compilation terminated.
  error: command '/usr/bin/gcc' failed with exit code 1
"""
FULL = """\
  /usr/bin/ld: final link failed: No space left on device
  collect2: error: ld returned 1 exit status
  error: command '/usr/bin/gcc' failed with exit code 1
"""


@CLOSINGS
@pytest.mark.parametrize(
    ("output", "words"),
    [
        (RAISED, "RuntimeError: no blas found"),
        (COMPILED, "fast.c:1:10: fatal error: nothere.h: No such file or directory"),
        (FULL, "/usr/bin/ld: final link failed: No space left on device"),
        ("error: command 'x' failed with exit status 1\n", "error: command 'x' failed with exit status 1"),
    ],
    ids=["raised", "compiled", "full", "nothing-before"],
)  # fmt: skip
def test_what_was_said_last_is_what_the_backend_said(output: str, words: str, closing: str) -> None:
    assert without_closing((output + closing).splitlines()) == output.splitlines()
    assert last_words(output + closing) == words


@CLOSINGS
def test_a_backend_that_said_nothing_has_no_last_words(closing: str) -> None:
    opening = "  Running command Building wheel for demo (pyproject.toml)\n"
    assert last_words(opening + closing) == ""
    assert last_words(closing) == ""


def test_where_there_is_nothing_else_all_stays() -> None:
    assert without_closing(PIP_26_3.splitlines()) == PIP_26_3.splitlines()
    assert without_closing([]) == []


def test_what_looks_alike_in_the_middle_stays() -> None:
    lines = ["cwd: /here", "note: This error originates from a subprocess", "the end"]
    assert without_closing(lines) == lines


def test_a_line_without_end_is_cut() -> None:
    assert last_words("x" * 10_000) == "x" * 300 + " ..."


def test_what_pip_says_of_its_own_is_kept() -> None:
    own = "ERROR: No matching distribution found for missing"
    assert last_words(f"{own}\n\n[notice] A new release of pip is available: 23.2 -> 26.3\n") == own
