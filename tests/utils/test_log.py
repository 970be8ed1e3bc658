from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from tests.factories import clean_environ
from wheelhouse_resolver.utils.log import debug, info


def test_what_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "wheelhouse_resolver")
    info("wheelhouse_resolver.site.config", "site file: %s", "/a\nb")
    debug("wheelhouse_resolver.tree.listing", "listed %s: %s names", "/sw", 3)
    assert caplog.record_tuples == [
        ("wheelhouse_resolver.site.config", logging.INFO, "site file: /a\\nb"),
        ("wheelhouse_resolver.tree.listing", logging.DEBUG, "listed /sw: 3 names"),
    ]


def run(code: str) -> tuple[str, str]:
    done = subprocess.run([sys.executable, "-c", code], env=clean_environ(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_it_imports_nothing_and_says_nothing_by_default() -> None:
    code = "from wheelhouse_resolver.utils.log import info; info('wheelhouse_resolver', 'x');"
    assert run(f"{code} import sys; print('logging' in sys.modules)") == ("False\n", "")
    assert run(f"import logging; {code}") == ("", "")
    assert run(f"import logging; logging.basicConfig(level=logging.WARNING); {code}") == ("", "")


def test_who_asks_for_it_gets_it() -> None:
    code = "from wheelhouse_resolver.utils.log import info; info('wheelhouse_resolver', 'x')"
    assert run(f"import logging; logging.basicConfig(level=logging.INFO); {code}") == (
        "",
        "INFO:wheelhouse_resolver:x\n",
    )
