from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import pytest

from wheelhouse_resolver.selection.uv_constraints import constraints_for_uv
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.site.pip_table import Constraints

_SECRET = "it has a variable or a password, which does not belong into a file"

REASONS = {
    "demo<2": "",
    "demo (<2)": "demo<2",
    'demo<2;python_version < "4"': 'demo<2; python_version < "4"',
    "demo===1.0+site": "",
    "demo===text": "uv compares no versions as text",
    f"demo<{1 << 64}": "uv knows no numbers above 64 bits",
    "demo[fast]<2": "a constraint cannot have extras",
    "-e file:///demo#egg=demo": "an editable cannot be a constraint",
    "file:///demo.tar.gz": "a URL or path without a name cannot be a constraint",
    "demo @ file:///x/demo-1.0-py3-none-any.whl": "",
    'demo @ https://h/demo-1.0-py3-none-any.whl ; os_name == "posix"': "",
    "https://h/demo-1.0-py3-none-any.whl": "demo @ https://h/demo-1.0-py3-none-any.whl",
    "./demo-1.0-py3-none-any.whl": "a relative path",
    "demo @ git+https://${TOKEN}@h/demo": _SECRET,
    "demo @ https://me:pass@h/demo-1.0.zip": _SECRET,
}


def site_with(path: Path, **table: tuple[str, ...]) -> Site:
    pip = {name.replace("_", "-"): value for name, value in table.items()}
    return Site.default(path)._replace(pip=MappingProxyType(pip))


@pytest.mark.parametrize("line", REASONS)
def test_what_uv_reads_goes_in_and_what_it_would_refuse_is_reported(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "secret")
    path = tmp_path / "limits.txt"
    path.write_text(f"first<1\n{line}\n")
    stated, build, lost = constraints_for_uv(site_with(tmp_path, constraint=(str(path),)))
    assert build == ()
    reason = REASONS[line]
    if len(stated) == 2:
        assert (stated, lost) == (("first<1", reason or line), ())
    else:
        assert stated == ("first<1",)
        (said,) = lost
        assert said.endswith(f"({path}, line 2): {reason}")
        assert "me:pass" not in said
        assert "secret" not in said


def test_files_in_files_hashes_and_what_pip_would_install(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("-c b.txt\n-r c.txt\none<2\none<2\n")
    (tmp_path / "b.txt").write_text(f"two==1 --hash=sha256:{'0' * 64}\n")
    (tmp_path / "c.txt").write_text("three\n")
    (tmp_path / "build.txt").write_text("four\n")
    site = site_with(
        tmp_path, constraint=(f"file://{tmp_path}/a.txt",), build_constraint=(str(tmp_path / "build.txt"),)
    )
    assert constraints_for_uv(site) == Constraints(
        ("two==1", "one<2"),
        ("four",),
        (
            f"three ({tmp_path}/c.txt, line 1): uv installs nothing that it was not asked for",
            f"the hash of two==1 ({tmp_path}/b.txt, line 1): a uv.toml has no place for it",
        ),
    )


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_text("not a requirement\n")
    places = (f"{tmp_path}/none.txt", f"{tmp_path}/bad.txt", "https://h/limits.txt")
    stated, _, lost = constraints_for_uv(site_with(tmp_path, constraint=places))
    assert stated == ()
    for place, said in zip(places, lost, strict=True):
        assert said.split(": ")[0].endswith(f"constraints of {place}")
