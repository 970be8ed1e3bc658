from __future__ import annotations

from pathlib import Path

import pytest

from wheelhouse_resolver.errors import InvalidRequirementError, RequirementsFileError
from wheelhouse_resolver.selection.requirements import (
    RequirementsFile,
    parse_requirement,
    read_any,
    read_requirements,
)


def read(path: Path, content: str | bytes, **environ: str) -> RequirementsFile:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_requirements(str(path), environ)


def asked(content: str | bytes, tmp_path: Path, **environ: str) -> list[str]:
    return [str(each) for each in read(tmp_path / "requirements.txt", content, **environ).requirements]


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
        "numpy;",
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
        pytest.param("one --config-settings a=b\ntwo --global-option x", ["one", "two"], id="build options"),
        pytest.param("one ; python_version > '3' # c", ['one; python_version > "3"'], id="a marker"),
        pytest.param("one[a,b]==1", ["one[a,b]==1"], id="extras"),
        pytest.param("", [], id="empty"),
        pytest.param("# nothing\n", [], id="comments only"),
    ],
)
def test_the_lines_of_a_requirements_file(content: str, expected: list[str], tmp_path: Path) -> None:
    assert asked(content, tmp_path) == expected


@pytest.mark.parametrize(
    "line",
    [
        "-i https://example.org/simple",
        "-ihttps://example.org/simple",
        "--index-url https://example.org/simple",
        "--index-url=https://example.org/simple",
        "--extra-index-url https://example.org/simple",
        "--no-index",
        "-f /sw/wheels",
        "--find-links=/sw/wheels",
        "--trusted-host example.org",
        "--no-binary :all:",
        "--only-binary=:all:",
        "--prefer-binary",
        "--require-hashes",
        "--use-feature=fast-deps",
    ],
)
def test_options_that_say_where_to_look_or_how_to_install_change_nothing(line: str, tmp_path: Path) -> None:
    content = f"{line}\none\n"
    found = read(tmp_path / "requirements.txt", content)
    assert found._replace(ignored=()) == RequirementsFile(requirements=(parse_requirement("one"),))
    name = line.partition("=")[0].partition(" ")[0]
    agreeing = ("--no-index", "--trusted-host", "--only-binary", "--prefer-binary", "--use-feature")
    assert [each.option for each in found.ignored] == (
        [] if name in agreeing else [name[:2] if name[1] != "-" else name]
    )


def test_options_that_have_no_say_are_a_warning_for_each_file(tmp_path: Path) -> None:
    (tmp_path / "inner.txt").write_text("--no-binary two\ntwo\n")
    content = "one==1 --hash=sha256:abc\n\n-f /sw\n-r inner.txt\nthree --hash=sha256:def\n"
    found = read(tmp_path / "r.txt", content).merge(RequirementsFile())
    assert found.warnings() == [
        f"{tmp_path}/r.txt, lines 1, 3: --hash, -f are ignored: only wheels of the wheelhouse count",
        f"{tmp_path}/inner.txt, line 1: --no-binary is ignored: only wheels of the wheelhouse count",
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

    @pytest.mark.parametrize("line", ["-c inner.txt", "--constraint=inner.txt"])
    def test_a_constraints_file_constrains(self, line: str, tmp_path: Path) -> None:
        (tmp_path / "inner.txt").write_text("one<2\n-r more.txt\n")
        (tmp_path / "more.txt").write_text("two<3\n")
        found = read(tmp_path / "requirements.txt", f"one\n{line}\n")
        assert [str(each) for each in found.requirements] == ["one"]
        assert [str(each) for each in found.constraints] == ["one<2", "two<3"]
        assert [each.where for each in found.constraints] == [
            f"{tmp_path}/inner.txt, line 1",
            f"{tmp_path}/more.txt, line 1",
        ]

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
            ("-r", "option -r requires argument"),
            ("-i", "option -i requires argument"),
            ("-c /dev/null b.txt", "unexpected b.txt"),
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
        ("one\n./local\n", 2, "names its file itself"),
        ("-e .\n", 1, "editable"),
        ("--editable=.\n", 1, "editable"),
        ("one\n--bogus x\n", 2, "option --bogus not recognized"),
        ("-x\n", 1, "option -x not recognized"),
        ("--no-index --bogus\n", 1, "option --bogus not recognized"),
    ],
)
def test_an_error_names_the_file_and_the_line(content: str, line: int, problem: str, tmp_path: Path) -> None:
    with pytest.raises((InvalidRequirementError, RequirementsFileError)) as raised:
        asked(content, tmp_path)
    assert f"{tmp_path}/requirements.txt, line {line}: " in str(raised.value)
    assert problem in str(raised.value)


@pytest.mark.parametrize(
    "content", [b"\x7fELF\x02\x01\xff\xfe\x00", "one\n".encode("utf-16"), b"caf\xe9\n"], ids=repr
)
def test_a_file_that_is_no_utf_8_is_an_error(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(RequirementsFileError, match="not a text file in UTF-8"):
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

    @pytest.mark.parametrize("text", ["one>=", "one @ https://example.org/one.zip", ""])
    def test_a_dependency_that_cannot_be_served(self, text: str, tmp_path: Path) -> None:
        with pytest.raises(InvalidRequirementError) as raised:
            self.read(tmp_path, f'[project]\ndependencies = ["{text}"]\n')
        assert raised.value.where == f"{tmp_path}/pyproject.toml, [project] dependencies"

    def test_any_other_name_is_a_requirements_file(self, tmp_path: Path) -> None:
        (tmp_path / "pyproject.txt").write_text("one\n")
        assert [each.name for each in read_any(str(tmp_path / "pyproject.txt"), {}).requirements] == ["one"]
        with pytest.raises(RequirementsFileError, match="cannot be read"):
            read_any(str(tmp_path / "pyproject.toml"), {})
