from __future__ import annotations

import codecs
import os
from pathlib import Path

import pytest

from wheelhouse_resolver.errors import InvalidRequirementError, RequirementsFileError
from wheelhouse_resolver.selection.requirements import RequirementsFile, parse_requirement
from wheelhouse_resolver.selection.requirements_file import read_any, read_requirements

#: Byte order marks, and the encoding that each is for.
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
)


def read(path: Path, content: str | bytes, **environ: str) -> RequirementsFile:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_requirements(str(path), environ)


def asked(content: str | bytes, tmp_path: Path, **environ: str) -> list[str]:
    return [str(each) for each in read(tmp_path / "requirements.txt", content, **environ).requirements]


@pytest.mark.parametrize(
    "text",
    ["demo>=" + "9" * 5000, "demo==1." + "9" * 5000, "demo; 'x' in extras", "demo; 'x' in dependency_groups"],
    ids=["digits", "exact", "extras", "groups"],
)
def test_what_packaging_accepts_and_then_fails_on_is_invalid(text: str) -> None:
    with pytest.raises(InvalidRequirementError, match=r"more than 1000 digits|only lock files have"):
        parse_requirement(text)


@pytest.mark.parametrize(
    ("text", "name", "specifier", "extras"),
    [
        ("numpy", "numpy", "", set()),
        ("  Foo.Bar_baz ", "foo-bar-baz", "", set()),
        ("numpy>=1.20,<2", "numpy", "<2,>=1.20", set()),
        ("numpy (>=1.20)", "numpy", ">=1.20", set()),
        ("numpy===1.20+site", "numpy", "===1.20+site", set()),
        ("demo[Fast,small]~=1.0", "demo", "~=1.0", {"Fast", "small"}),
    ],
)
def test_the_parts_of_a_requirement(text: str, name: str, specifier: str, extras: set[str]) -> None:
    requirement = parse_requirement(text)
    assert requirement.name == name
    assert str(requirement.specifier) == specifier
    assert requirement.extras == extras
    assert requirement.marker is None


def test_a_marker_is_kept() -> None:
    assert str(parse_requirement("demo; python_version < '3'").marker) == 'python_version < "3"'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "-",
        "numpy>=",
        "numpy>=one",
        "numpy==1.0 junk",
        "num py",
        "numpy[",
        "numpy; nonsense",
        "héllo",
        "a\nb",
    ],
)
def test_an_invalid_requirement_is_an_error_of_one_line_that_quotes_it(text: str) -> None:
    with pytest.raises(InvalidRequirementError) as raised:
        parse_requirement(text, "here")
    assert (raised.value.text, raised.value.where) == (text, "here")
    assert str(raised.value).startswith(f"here: invalid requirement {text!r}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "demo @ https://example.org/demo-1.0-py3-none-any.whl",
        "demo @ file:///sw/demo-1.0-py3-none-any.whl",
        "https://example.org/demo-1.0-py3-none-any.whl",
        "git+https://example.org/demo.git",
        "./demo",
        "../demo",
        "/sw/demo",
        "demo-1.0-py3-none-any.whl",
        "dist/demo-1.0-py3-none-any.whl",
        "demo-1.0.tar.gz",
    ],
)
def test_a_url_or_path_is_refused_with_what_to_write_instead(text: str) -> None:
    with pytest.raises(InvalidRequirementError, match="a URL or path names its file itself") as raised:
        parse_requirement(text)
    assert raised.value.hint == "give NAME or NAME==VERSION"


@pytest.mark.parametrize(
    ("line", "name", "text"),
    [
        ("demo @ https://example.org/demo-1.0-py3-none-any.whl", "demo", None),
        ("Demo[a] @ file:///sw/x.zip", "demo", None),
        ("https://example.org/Demo-1.0-py3-none-any.whl", "demo", None),
        ("https://u:secret@example.org/x.zip", "", "https://***@example.org/x.zip"),
        ("demo @ https://u:secret@example.org/x.zip", "demo", "demo @ https://***@example.org/x.zip"),
        ("https://example.org/x.zip?token=secret", "", "https://example.org/x.zip?***"),
        ("git+https://example.org/demo.git@v1.2#egg=Demo&subdirectory=x", "demo", None),
        ("git+ssh://git@example.org/demo.git", "", "git+ssh://***@example.org/demo.git"),
        ("./demo", "", None),
        ("../wheels/demo-1.0-py3-none-any.whl", "demo", None),
        (".", "", None),
        (".[x]", "", None),
        ("demo-1.0-py3-none-any.whl[x]", "", None),
        ("demo-1.0.tar.gz", "", None),
        ("-e .", "", None),
        ("--edit=.[x]", "", "-e .[x]"),
        ("-e 'demo @ git+https://example.org/demo'", "demo", "-e demo @ git+https://example.org/demo"),
        ("-e git+https://u:secret@x.org/d#egg=demo", "demo", "-e git+https://***@x.org/d#egg=demo"),
    ],
)
def test_a_line_by_url_or_path_is_told_apart(line: str, name: str, text: str | None, tmp_path: Path) -> None:
    found = read(tmp_path / "requirements.txt", f"one\n{line}\ntwo\n")
    assert [each.name for each in found.requirements] == ["one", "two"]
    (direct,) = found.direct
    assert (direct.text, direct.name) == (text or line, name)
    assert direct.where == f"{tmp_path}/requirements.txt, line 2"
    assert direct.editable == line.startswith("-")


@pytest.mark.parametrize(
    "line",
    [
        "https://example.org/one.zip ; python_version < '3'",
        "./one.zip; python_version < '3'",
        "one @ https://example.org/one.zip ; python_version < '3'",
        "-e \"one @ git+https://example.org/one ; python_version < '3'\"",
    ],
)
def test_it_may_have_a_marker(line: str, tmp_path: Path) -> None:
    (direct,) = read(tmp_path / "requirements.txt", f"{line}\n").direct
    assert str(direct.marker) == 'python_version < "3"'
    assert direct.text.endswith('; python_version < "3"')


class TestConstraints:
    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            ("one==1", ""),
            ("one @ https://example.org/one.zip", ""),
            ("one==1 --hash=sha256:1 --hash sha512:2", ""),
            ("one[a]==1", "a constraint cannot have extras"),
            ("one[a] @ https://example.org/one.zip", "a constraint cannot have extras"),
            ("https://example.org/one.zip", "a URL or path without a name cannot be a constraint"),
            ("-e .", "an editable cannot be a constraint"),
        ],
    )
    def test_whatever_one_says_is_data_and_whether_pip_refuses_it(
        self, line: str, problem: str, tmp_path: Path
    ) -> None:
        (tmp_path / "c.txt").write_text(f"{line}\n")
        (found,) = read_requirements(str(tmp_path / "c.txt"), {}, constraints=True).constraints
        assert found.refused_as_constraint == problem
        assert found.extras == (frozenset("a") if "[a]" in line else frozenset())
        assert found.hashes == (("sha256:1", "sha512:2") if "--hash" in line else ())
        assert found.editable == ("-e" in line)
        url = "." if "-e" in line else "https://example.org/one.zip" if "https" in line else None
        assert found.url == url


@pytest.mark.parametrize(
    "line",
    [
        "one @ https://u:secret@example.org/x.zip ; nonsense",
        "https://u:secret@example.org/x.zip ; nonsense",
        "-r https://u:secret@example.org/r.txt",
        "one https://u:secret@example.org/r.txt",
        "-i https://u:secret@example.org --bogus",
    ],
)
def test_no_error_shows_a_password(line: str, tmp_path: Path) -> None:
    with pytest.raises((InvalidRequirementError, RequirementsFileError)) as raised:
        read(tmp_path / "requirements.txt", line)
    assert "secret" not in str(raised.value) + raised.value.hint


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("one\ntwo>=2\n", ["one", "two>=2"], id="a line each"),
        pytest.param("one\r\ntwo\r\n", ["one", "two"], id="windows line ends"),
        pytest.param("one", ["one"], id="no newline at the end"),
        pytest.param("\n  \n\tone\n\n", ["one"], id="blank lines"),
        pytest.param("# a\n  # b\none # c\ntwo\t# d\n", ["one", "two"], id="comments"),
        pytest.param("one>=1, \\\n  <2\n", ["one<2,>=1"], id="a continued line"),
        pytest.param("one>=\\\n1,\\\n<2\ntwo\n", ["one<2,>=1", "two"], id="continued twice"),
        pytest.param("one \\\n# ends it\ntwo\n", ["one", "two"], id="a comment ends a continuation"),
        pytest.param("one\\", ["one"], id="continued at the end of the file"),
        pytest.param("one # c \\\ntwo\n", ["one"], id="a comment is continued"),
        pytest.param("\ufeffone\n", ["one"], id="byte order mark"),
        pytest.param(
            "one==1 --hash=sha256:abc --hash=sha256:def\n"
            "two==2 \\\n    --hash=sha256:abc \\\n    --hash=sha256:def\n",
            ["one==1", "two==2"],
            id="hashes",
        ),
        pytest.param("one --config-settings a=b\ntwo -C c=d", ["one", "two"], id="build options"),
        pytest.param("one;\ntwo ; # c\n", ["one", "two"], id="no marker"),
        pytest.param("one<\\\n2\\\\\n,>1", ["one<2,>1"], id="several backslashes"),
        pytest.param("-- one\ntwo\n", ["two"], id="behind two dashes"),
        pytest.param("one ; python_version > '3' # c", ['one; python_version > "3"'], id="a marker"),
        pytest.param("one[a,b]==1", ["one[a,b]==1"], id="extras"),
        pytest.param("", [], id="empty"),
        pytest.param("# nothing\n", [], id="comments only"),
    ],
)
def test_the_lines_of_a_requirements_file(content: str, expected: list[str], tmp_path: Path) -> None:
    assert asked(content, tmp_path) == expected


@pytest.mark.parametrize(
    ("line", "reported"),
    [
        ("-i https://example.org/simple", "-i"),
        ("-ihttps://example.org/simple", "-i"),
        ("--index-url https://example.org/simple", "--index-url"),
        ("--index-url=https://example.org/simple", "--index-url"),
        ("--pypi-url https://example.org/simple", "--pypi-url"),
        ("--ind https://example.org/simple", "--index-url"),
        ("--extra-index-url https://example.org/simple", "--extra-index-url"),
        ("-f /sw/wheels", "-f"),
        ("--find-links=/sw/wheels", "--find-links"),
        ("--require-hashes", "--require-hashes"),
        ("--no-index", None),
        ("--trusted-host example.org", None),
        ("--use-feature=fast-deps", None),
    ],
)
def test_options_that_say_where_to_look_or_what_to_check_change_nothing(
    line: str, reported: str | None, tmp_path: Path
) -> None:
    found = read(tmp_path / "requirements.txt", f"{line}\none\n")
    assert found._replace(ignored=(), settings=(), requirements=()) == RequirementsFile()
    assert [str(each) for each in found.requirements] == ["one"]
    assert [each.option for each in found.ignored] == ([reported] if reported else [])


def test_settings_for_all_projects_are_kept_in_the_order_in_which_they_are_read(tmp_path: Path) -> None:
    (tmp_path / "inner.txt").write_text("--only-binary two\n")
    found = read(
        tmp_path / "requirements.txt",
        "one --no-binary one\n--all-rel=one,two --only-final :all:\n-r inner.txt --no-binary :none:\n"
        "--pre\n--prefer\n--require-h\n--no-require-hashes\n--pre\n",
    )
    assert [" ".join(each).strip() for each in found.settings] == [
        "no-binary one",
        "all-releases one,two",
        "only-final :all:",
        "no-binary :none:",
        "only-binary two",
        "pre",
        "prefer-binary",
        "require-hashes",
        "no-require-hashes",
        "pre",
    ]


@pytest.mark.parametrize(
    ("line", "unread"),
    [
        ("-r inner.txt -c other.txt", ["-c other.txt"]),
        ("-c other.txt -r inner.txt", ["-c other.txt"]),
        ("-r inner.txt -r other.txt --pre", ["-r other.txt", "--pre"]),
        ("-r inner.txt other.txt", ["other.txt"]),
        ("inner -r other.txt", ["-r other.txt"]),
        ("inner --pre", ["--pre"]),
        ("inner --hash=sha256:1 x", ["x"]),
        ("-e inner -e other", ["-e other"]),
        ("--pre other", ["other"]),
        ("--hash=sha256:1", ["--hash sha256:1"]),
        ("-e inner --hash=sha256:1", ["--hash sha256:1"]),
    ],
)
def test_of_a_line_pip_reads_one_thing_and_the_rest_is_a_warning(
    line: str, unread: list[str], tmp_path: Path
) -> None:
    (tmp_path / "inner.txt").write_text("inner\n")
    found = read(tmp_path / "requirements.txt", f"{line}\n")
    assert [each.option for each in found.ignored if each.by_pip] == unread
    assert found.prereleases == line.startswith("--pre")
    named = [str(each) for each in (*found.requirements, *found.direct)]
    assert named == (["-e inner"] if "-e" in line else ["inner"] if "inner" in line else [])
    (warning,) = (each for each in found.warnings() if "pip does not read" in each)
    verb = "are" if len(unread) > 1 else "is"
    path = tmp_path / "requirements.txt"
    assert warning == f"{path}, line 1: {', '.join(unread)} {verb} ignored: pip does not read it there"


def test_options_that_have_no_say_are_a_warning_for_each_file(tmp_path: Path) -> None:
    (tmp_path / "inner.txt").write_text("--require-hashes\ntwo\n")
    content = "one==1 --hash=sha256:abc\n\n-f /sw\n-r inner.txt\nthree --hash=sha256:def\n"
    found = read(tmp_path / "r.txt", content).merge(RequirementsFile())
    assert found.warnings() == [
        f"{tmp_path}/r.txt, lines 1, 3: --hash, -f are ignored: only wheels of the wheelhouse count",
        f"{tmp_path}/inner.txt, line 1: --require-hashes is ignored: only wheels of the wheelhouse count",
    ]


class TestLongFiles:
    def test_what_is_there_twice_is_there_once(self, tmp_path: Path) -> None:
        assert asked("one\none # again\ntwo\none\none>1\n", tmp_path) == ["one", "two", "one>1"]
        twice = RequirementsFile(constraints=(parse_requirement("one<2")._replace(where="a"),))
        other = RequirementsFile(constraints=(parse_requirement("one<2")._replace(where="b"),))
        assert [each.where for each in twice.merge(other).constraints] == ["a"]

    def test_their_length_is_no_trouble(self, tmp_path: Path) -> None:
        """Each of these took minutes, or for ever."""
        assert asked("one>=1\n" * 200_000, tmp_path) == ["one>=1"]
        assert len(asked("".join(f"p{n}\n" for n in range(50_000)), tmp_path)) == 50_000
        assert asked(" " * 1_000_000 + "\none", tmp_path) == ["one"]

    def test_one_that_never_ends_is_an_error(self) -> None:
        with pytest.raises(RequirementsFileError, match="is longer than 16 MiB"):
            read_any("/dev/zero", {})


@pytest.mark.parametrize("line", ["--pre", "--pre --no-index", "--no-index --pre", "-i https://x --pre"])
def test_pre_lets_pre_releases_in_wherever_it_stands(line: str, tmp_path: Path) -> None:
    assert read(tmp_path / "requirements.txt", f"one\n{line}\n").prereleases
    assert not read(tmp_path / "requirements.txt", "one\n# --pre\n").prereleases


class TestVariables:
    def test_a_variable_in_braces_is_replaced(self, tmp_path: Path) -> None:
        assert asked("one==${VERSION}\n", tmp_path, VERSION="1.5") == ["one==1.5"]

    def test_a_file_name_may_hold_one(self, tmp_path: Path) -> None:
        (tmp_path / "inner.txt").write_text("one\n")
        assert asked("-r ${WHERE}/inner.txt\n", tmp_path, WHERE=str(tmp_path)) == ["one"]

    @pytest.mark.parametrize("environ", [{}, {"VERSION": ""}], ids=["unset", "empty"])
    def test_one_without_a_value_stays_as_it_is(self, environ: dict[str, str], tmp_path: Path) -> None:
        with pytest.raises(InvalidRequirementError, match=r"one==\$\{VERSION\}"):
            asked("one==${VERSION}\n", tmp_path, **environ)

    @pytest.mark.parametrize("text", ["one==$VERSION", "one==${version}", "one==%VERSION%"])
    def test_no_other_form_is(self, text: str, tmp_path: Path) -> None:
        with pytest.raises(InvalidRequirementError):
            asked(text, tmp_path, VERSION="1.5", version="1.5")


class TestNested:
    @pytest.mark.parametrize(
        "line",
        ["-r inner.txt", "-rinner.txt", "--requirement inner.txt", "--requirement=inner.txt"],
    )
    def test_a_file_is_included_where_it_stands(self, line: str, tmp_path: Path) -> None:
        (tmp_path / "inner.txt").write_text("two\n")
        assert asked(f"one\n{line}\nthree\n", tmp_path) == ["one", "two", "three"]

    def test_a_name_is_relative_to_the_file_that_includes_it(self, tmp_path: Path) -> None:
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub/a.txt").write_text("-r b.txt\n")
        (tmp_path / "sub/b.txt").write_text("two\n")
        assert asked("-r sub/a.txt\n", tmp_path) == ["two"]

    def test_a_name_may_hold_spaces_or_be_a_file_url(self, tmp_path: Path) -> None:
        spaced = tmp_path / "with space.txt"
        spaced.write_text("two\n")
        assert asked(f"-r 'with space.txt'\n-r {spaced.as_uri()}\n", tmp_path) == ["two"]

    @pytest.mark.parametrize("line", ["-c inner.txt", "--constraint=inner.txt", "--constr inner.txt"])
    def test_a_constraints_file_constrains_and_what_it_includes_is_required(
        self, line: str, tmp_path: Path
    ) -> None:
        (tmp_path / "inner.txt").write_text("one<2\n-r more.txt\n-c limits.txt\n")
        (tmp_path / "more.txt").write_text("two<3\n")
        (tmp_path / "limits.txt").write_text("two<2\n")
        found = read(tmp_path / "requirements.txt", f"one\n{line}\n")
        stated = [(str(each), each.where) for each in (*found.requirements, *found.constraints)]
        assert stated == [
            ("one", f"{tmp_path}/requirements.txt, line 1"),
            ("two<3", f"{tmp_path}/more.txt, line 1"),
            ("one<2", f"{tmp_path}/inner.txt, line 1"),
            ("two<2", f"{tmp_path}/limits.txt, line 1"),
        ]

    def test_a_chain_of_any_length_is_read(self, tmp_path: Path) -> None:
        for number in range(2000):
            (tmp_path / f"{number}.txt").write_text(f"-r {number + 1}.txt\n")
        (tmp_path / "2000.txt").write_text("one\n")
        assert asked("-r 0.txt\n", tmp_path) == ["one"]

    def test_each_file_is_read_once(self, tmp_path: Path) -> None:
        """Twenty-four files that include the next one twice are a million lines."""
        for number in range(24):
            (tmp_path / f"{number}.txt").write_text(f"-r {number + 1}.txt\n-r {number + 1}.txt\n")
        (tmp_path / "24.txt").write_text("one\n")
        assert asked("-r 0.txt\n", tmp_path) == ["one"]

    def test_a_pipe_is_read_like_a_file(self, tmp_path: Path) -> None:
        reading, writing = os.pipe()
        os.write(writing, f"one\n-r {tmp_path}/inner.txt\n".encode())
        os.close(writing)
        (tmp_path / "inner.txt").write_text("two\n")
        found = read_requirements(f"/dev/fd/{reading}", {})
        assert [each.name for each in found.requirements] == ["one", "two"]

    def test_pre_in_an_included_file_counts(self, tmp_path: Path) -> None:
        (tmp_path / "inner.txt").write_text("--pre\n")
        assert read(tmp_path / "requirements.txt", "one\n-r inner.txt\n").prereleases

    def test_a_file_may_be_included_twice(self, tmp_path: Path) -> None:
        (tmp_path / "inner.txt").write_text("two\n")
        assert asked("-r inner.txt\n-r inner.txt\n", tmp_path) == ["two"]

    @pytest.mark.parametrize("name", ["requirements.txt", "./requirements.txt", "inner.txt", "link.txt"])
    def test_a_file_that_includes_itself_is_an_error(self, name: str, tmp_path: Path) -> None:
        (tmp_path / "inner.txt").write_text("-r requirements.txt\n")
        (tmp_path / "link.txt").symlink_to("requirements.txt")
        with pytest.raises(RequirementsFileError, match="includes itself"):
            asked(f"-r {name}\n", tmp_path)

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            ("-r", "-r option requires 1 argument"),
            ("-i", "-i option requires 1 argument"),
            ("-r missing.txt", "line 1: .*missing.txt cannot be read: No such file or directory"),
            ("-r .", "cannot be read: Is a directory"),
            ("-r https://example.org/r.txt", "is not on a filesystem"),
            ("-r 'open", "No closing quotation"),
        ],
    )
    def test_what_cannot_be_included_is_an_error(self, line: str, problem: str, tmp_path: Path) -> None:
        with pytest.raises(RequirementsFileError, match=problem):
            asked(line, tmp_path)


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        ("one\n\ntwo>=\n", 3, "invalid requirement"),
        ("one\nthree>= \\\n  x \\\n\ntwo\n", 2, "invalid requirement"),
        ("one\n--bogus x\n", 2, "no such option: --bogus"),
        ("one --bogus\n", 1, "no such option: --bogus"),
        ("-x\n", 1, "no such option: -x"),
        ("one --global-opt=-q\n", 1, "--global-option: pip 25.3 and later refuse it"),
        ("one\n--install-option x\n", 2, "--install-option: pip 23.1 and later refuse it"),
        ("--no-index --bogus\n", 1, "no such option: --bogus"),
        ("--req a.txt\n", 1, "ambiguous option: --req (--require-hashes, --requirement?)"),
        ("--pre=1\n", 1, "--pre option does not take a value"),
        ("one==1 --hash=md5:1\n", 1, "--hash md5:1: pip takes sha256, sha384, sha512"),
        ("one==1 --hash=sha256\n", 1, "--hash sha256: pip takes sha256, sha384, sha512"),
        ("one\t--hash=sha256:1\n", 1, "invalid requirement"),
        ("\\\n\\\none>=\n", 1, "invalid requirement"),
        ("https://x/y.zip ; nonsense\n", 1, "invalid requirement"),
    ],
)
def test_an_error_names_the_file_and_the_line(content: str, line: int, problem: str, tmp_path: Path) -> None:
    with pytest.raises((InvalidRequirementError, RequirementsFileError)) as raised:
        asked(content, tmp_path)
    assert f"{tmp_path}/requirements.txt, line {line}: " in str(raised.value)
    assert problem in str(raised.value)


class TestEncoding:
    @pytest.mark.parametrize(
        "content",
        [
            *(pytest.param(mark + "one # é\n".encode(name), id=name) for mark, name in MARKS),
            pytest.param("# -*- coding: latin-1 -*-\none # é\n".encode("latin-1"), id="declared"),
            pytest.param("one\n#coding=cp1252\n# é\n".encode("cp1252"), id="declared on line 2"),
            pytest.param(b"\xef\xbb\xbf# coding: latin-1\none # \xc3\xa9\n", id="the mark counts first"),
            pytest.param(b"x\n\n# coding: nonsense\none\n".replace(b"x\n", b"\n"), id="not on line 3"),
            pytest.param(b" # coding: nonsense\none\n", id="not behind a blank"),
        ],
    )
    def test_it_is_told_as_pip_does(self, content: bytes, tmp_path: Path) -> None:
        assert asked(content, tmp_path) == ["one"]

    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            (b"\x7fELF\x02\x01\xff\xfe\x00", "is not a text file in UTF-8"),
            (b"caf\xe9\n", "is not a text file in UTF-8"),
            (b"\xff\xfea", "is not a text file in UTF-16-LE"),
            (b"# coding: ascii\n# \xe9", "is not a text file in ASCII"),
            (b"# coding: nonsense\none", "names an unknown encoding: nonsense"),
            (b"# coding: hex\none", "names an unknown encoding: hex"),
        ],
    )
    def test_what_cannot_be_decoded_is_an_error(self, content: bytes, problem: str, tmp_path: Path) -> None:
        with pytest.raises(RequirementsFileError, match=problem):
            asked(content, tmp_path)


def test_a_binary_file_that_happens_to_decode_is_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequirementError) as raised:
        asked(b"\x00\x01\x02\x1b[31m", tmp_path)
    assert str(raised.value).isprintable()


class TestPyproject:
    def read(self, path: Path, content: str | bytes) -> RequirementsFile:
        path = path / "pyproject.toml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_any(str(path), {})

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            ('[project]\nname = "x"\ndependencies = ["one", "two>=2; os_name == \'posix\'"]\n', 2),
            ('[project]\nname = "x"\n', 0),
            ("[project]\ndependencies = []\n", 0),
            ('[project]\ndynamic = ["version"]\ndependencies = ["one"]\n', 1),
        ],
        ids=["two", "none stated", "empty", "another thing is dynamic"],
    )
    def test_the_static_dependencies(self, content: str, expected: int, tmp_path: Path) -> None:
        found = self.read(tmp_path, content)
        names = ["one", 'two>=2; os_name == "posix"'][:expected]
        assert [str(each) for each in found.requirements] == names
        assert found == RequirementsFile(requirements=found.requirements)

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ('[project]\nname = "x"\ndynamic = ["dependencies"]\n', "dynamic"),
            ('[build-system]\nrequires = ["x"]\n', "no [project] table"),
            ("", "no [project] table"),
            ("project = 3\n", "no [project] table"),
            ("[project]\ndependencies = 3\n", "not an array of strings"),
            ('[project]\ndependencies = "one"\n', "not an array of strings"),
            ("[project]\ndependencies = [3]\n", "not an array of strings"),
            ("[project\n", "not valid TOML"),
            (b"\xff\xfe", "UTF-8"),
        ],
    )
    def test_what_does_not_say_it(self, content: str | bytes, words: str, tmp_path: Path) -> None:
        with pytest.raises(RequirementsFileError) as raised:
            self.read(tmp_path, content)
        assert words in raised.value.problem
        assert raised.value.path == f"{tmp_path}/pyproject.toml"
        assert "\n" not in str(raised.value)

    @pytest.mark.parametrize("text", ["one>=", ""])
    def test_a_dependency_that_cannot_be_served(self, text: str, tmp_path: Path) -> None:
        with pytest.raises(InvalidRequirementError) as raised:
            self.read(tmp_path, f'[project]\ndependencies = ["{text}"]\n')
        assert raised.value.where == f"{tmp_path}/pyproject.toml, [project] dependencies"

    def test_one_by_url_is_told_apart(self, tmp_path: Path) -> None:
        found = self.read(tmp_path, '[project]\ndependencies = ["one @ https://x/one.zip", "two"]\n')
        assert [each.name for each in found.direct] == ["one"]
        assert [each.name for each in found.requirements] == ["two"]

    def test_any_other_name_is_a_requirements_file(self, tmp_path: Path) -> None:
        (tmp_path / "pyproject.txt").write_text("one\n")
        assert [each.name for each in read_any(str(tmp_path / "pyproject.txt"), {}).requirements] == ["one"]
        with pytest.raises(RequirementsFileError, match="cannot be read"):
            read_any(str(tmp_path / "pyproject.toml"), {})
