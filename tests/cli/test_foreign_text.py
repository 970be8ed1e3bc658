"""What others wrote in METADATA and requirements files reaches no terminal raw; a password, no output."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Outcome
from tests.factories import make_tree, make_wheel, pack, with_metadata

HOST = ("--arch", "generic", "--layer", "gentoo")

ESCAPE = "\x1b]0;owned\x07\x1b[31m\x9b2J"

PASSWORD = "hunter2"

URL = f"https://me:{PASSWORD}@x.example/needed-1.0-py3-none-any.whl"

#: What would control a terminal; the line end alone may be there.
RAW = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree in which every text that a wheel's maker chooses is hostile, one fault a wheel."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "tree"
    make_tree(root, {"generic": ["demo-0.9-py3-none-any.whl"]})
    headers: dict[str, dict[str, str | None]] = {
        "name": {"Name": f"d{ESCAPE}"},
        "version": {"Version": f"1{ESCAPE}"},
        "python": {"Requires-Python": f">=3{ESCAPE}"},
        "pythons": {"Requires-Python": f"<2 {ESCAPE}"},
        "requires": {"Requires-Dist": f"x{ESCAPE}"},
        "url": {"Requires-Dist": f"needed @ {URL}"},
        "invalid-url": {"Requires-Dist": f"needed @ {URL} ; {ESCAPE}"},
        "marker": {"Requires-Dist": f"needed @ {URL} ; python_version ~= 'x{ESCAPE}'"},
        "extra": {"Provides-Extra": f"e{ESCAPE}"},
    }
    for name, changed in headers.items():
        filename = f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
        pack(root / "generic" / filename, with_metadata(filename, **changed))
    make_wheel(root / "generic", f"=cmd{ESCAPE}-1.0-py3-none-any.whl".replace("/", "_"))
    make_wheel(root / "generic", "top-1.0-py3-none-any.whl", requires_dist=["url", "demo"])
    files = tmp_path / "requirements.txt"
    files.write_text(f"demo\nneeded @ {URL}\n{URL}\ndemo<{ESCAPE}\n".replace("\x9b", ""), encoding="utf-8")
    (tmp_path / "urls.txt").write_text(f"demo\nneeded @ {URL}\n{URL}#egg=other\n-e git+{URL}\n")
    (tmp_path / "constraints.txt").write_text(f"url @ {URL}\ndemo==0.9\n")
    return root


NAMES = ("name", "version", "python", "pythons", "requires", "url", "invalid-url", "marker", "extra", "top")

COMMANDS = {
    "pick": ("pick", *NAMES),
    "pick-explain": ("pick", "--explain", *NAMES),
    "pick-extra": ("pick", "extra[e]"),
    "avail": ("avail", *NAMES),
    "avail-everything": ("avail", "--all-versions"),
    "avail-csv": ("avail", "--format", "csv"),
    "avail-markdown": ("avail", "--format", "markdown"),
    "avail-html": ("avail", "--format", "html"),
    "audit": ("audit", "--jobs", "1"),
    "why-not-url": ("why-not", f"url @ {URL}"),
    "restamp": ("restamp", "--dry-run"),
    **{f"why-not-{name}": ("why-not", f"{name}==1.0") for name in NAMES},
    **{f"lock-{name}": ("lock", name) for name in NAMES},
    "lock-format": ("lock", "demo", "--format", "requirements", "-c", "constraints.txt"),
    "lock-constraints": ("lock", "url", "-c", "constraints.txt"),
    "lock-argument": ("lock", f"needed @ {URL}"),
    "lock-plain-argument": ("lock", f"demo=={URL}"),
    **{f"{name}-{file}": (name, "-r", f"{file}.txt") for name in ("pick", "avail", "why-not", "lock", "build")
       for file in ("requirements", "urls")},
    "publish": ("publish", "WHEELS"),
    "relabel": ("relabel", "WHEELS"),
    "relabel-edit": ("relabel", "--remove-requires", "absent", "WHEELS"),
    "relabel-argument": ("relabel", "--replace-requires", f"absent @ {URL}", "WHEELS"),
    "classify": ("classify", "WHEELS"),
    "withdraw": ("withdraw", f"x{ESCAPE}.whl"),
    "verify": ("verify", "--offline", f"x{ESCAPE}.whl"),
    "pip-conf": ("pip-conf",),
    "view": ("view", "--output", "view"),
    "index": ("index", "--output", "index", "--metadata"),
}  # fmt: skip


def outcomes(command: str, cli: Cli, root: Path) -> Iterator[Outcome]:
    line = COMMANDS[command]
    options: list[str] = [] if line[0] == "relabel" else ["--root", str(root)]
    if line[0] in ("pick", "avail", "why-not", "lock", "pip-conf"):
        options += HOST
    plain = "--format" in line or line[0] in ("publish", "view", "withdraw", "pip-conf")
    as_json: list[list[str]] = [[]] if plain else [[], ["--json"]]
    for more in as_json:
        wheels = sorted(map(str, (root / "generic").iterdir()))
        for each in wheels if "WHEELS" in line else [""]:
            words = [each if word == "WHEELS" else word for word in line]
            yield cli(*words, *options, "-vv", *more)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_output_has_escapes_or_passwords(
    command: str, cli: Cli, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for outcome in outcomes(command, cli, root):
        said = outcome.out + outcome.err
        assert not RAW.search(said), ascii(said)
        assert PASSWORD not in said
        assert "internal error" not in said
        if outcome.out.startswith(("[", "{")):
            assert PASSWORD not in json.dumps(json.loads(outcome.out))
