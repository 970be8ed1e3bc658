from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from tests.factories import clean_environ, make_tree
from wheelhouse_resolver.utils import cache
from wheelhouse_resolver.utils.appdirs import APPLICATION


class Question:
    """A question whose answer is counted: how often was it computed?"""

    def __init__(self, answer: Any = "the answer") -> None:
        self.answer = answer
        self.asked = 0

    def __call__(self) -> Any:
        self.asked += 1
        return self.answer


@pytest.fixture
def directory() -> Path:
    """Where the memo is; `conftest` gives every test a home of its own."""
    return Path.home() / ".cache" / "wheelhouse-resolver"


def entry(directory: Path) -> Path:
    """The memo's only file."""
    (path,) = directory.iterdir()
    return path


@contextmanager
def full_disk(free: int) -> Iterator[None]:
    """Let no file grow beyond *free* bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# -- remembering -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [None, True, 1, "ü\n\udc80", ["a", {"b": [1, None]}], {}],
    ids=["none", "true", "number", "text", "nested", "empty"],
)
def test_an_answer_is_computed_once_and_then_remembered(answer: Any) -> None:
    question = Question(answer)
    assert [cache.get("kind", ["key", 1], question) for _ in range(3)] == [answer] * 3
    assert question.asked == 1


@pytest.mark.parametrize(
    "other",
    [["key", 2], ["key"], ["key", "1"], ["key", 1, None], []],
    ids=["value", "shorter", "type", "longer", "empty"],
)
def test_another_key_is_another_question(other: list[Any]) -> None:
    cache.get("kind", ["key", 1], Question("old"))
    assert cache.get("kind", other, Question("new")) == "new"
    assert cache.get("kind", ["key", 1], Question("never asked")) == "old"


def test_another_kind_is_another_question() -> None:
    cache.get("kind", ["key"], Question("old"))
    assert cache.get("sort", ["key"], Question("new")) == "new"


def test_two_keys_that_share_a_file_are_not_confused(monkeypatch: pytest.MonkeyPatch) -> None:
    for checksum in ("zlib.crc32", "zlib.adler32"):
        monkeypatch.setattr(checksum, lambda _: 0)
    cache.get("kind", ["one"], Question("of one"))
    assert cache.get("kind", ["two"], Question("of two")) == "of two"
    assert cache.get("kind", ["one"], Question("of one")) == "of one"


def answer_for(path: Path, question: Question) -> Any:
    return cache.get_for_file("kind", str(path), question)


def test_an_answer_for_a_file_holds_until_the_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    question = Question()
    for _ in range(2):
        answer_for(file, question)
    assert question.asked == 1
    file.write_text("newer")
    answer_for(file, question)
    assert question.asked == 2


def test_after_a_mount_it_is_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An automounter gives a filesystem another device number each time."""
    file, question, real = tmp_path / "file", Question(), os.stat
    file.touch()
    answer_for(file, question)

    def stat(path: Any, **options: Any) -> os.stat_result:
        found = real(path, **options)
        extra = {name: getattr(found, name) for name in ("st_mtime_ns", "st_ctime_ns", "st_atime_ns")}
        return os.stat_result((found[0], found[1], found.st_dev + 1, *found[3:]), extra)

    monkeypatch.setattr(os, "stat", stat)
    answer_for(file, question)
    assert question.asked == 1


def test_another_release_of_the_program_has_answers_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.get("kind", ["key"], Question({"a shape": "that was"}))
    monkeypatch.setattr(cache, "_program", lambda: "another release")
    assert cache.get("kind", ["key"], Question(["another", "shape"])) == ["another", "shape"]


def test_it_is_bounded(directory: Path, tmp_path: Path) -> None:
    """Of what is asked for once and never again, not all is kept for ever."""
    files = []
    for number in range(6000):
        files.append(str(tmp_path / f"file{number}"))
        Path(files[-1]).touch()
    assert len(cache.get_for_files("kind", files, lambda path: [path] * 10)) == 6000
    assert len([*directory.iterdir()]) <= 64
    kept = sum(len(json.loads(path.read_text())) for path in directory.iterdir())
    assert 3000 < kept <= 64 * 64
    last = Question()
    assert cache.get_for_file("kind", files[-1], last) == [files[-1]] * 10
    assert last.asked == 0


def test_an_answer_of_great_length_is_not_kept(directory: Path) -> None:
    cache.get("kind", ["key"], Question("x" * (1 << 20)))
    assert not directory.exists() or [*directory.iterdir()] == []


def test_an_answer_that_is_no_json_is_just_not_remembered(directory: Path) -> None:
    question = Question({"a", "set"})
    assert [cache.get("kind", [], question) for _ in range(2)] == [{"a", "set"}] * 2
    assert question.asked == 2


def test_an_error_is_not_remembered(directory: Path) -> None:
    def fails() -> Any:
        raise LookupError("no answer")

    with pytest.raises(LookupError):
        cache.get("kind", [], fails)
    assert cache.get("kind", [], Question("now")) == "now"


def test_the_identity_of_a_package_changes_with_its_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some_package").mkdir()
    module = tmp_path / "some_package" / "__init__.py"
    module.write_text("1")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = cache.identity_of("some_package")
    assert cache.identity_of("some_package") == before
    module.write_text("1 + 1")
    assert cache.identity_of("some_package") != before
    assert "some_package" not in sys.modules


# -- where it is -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("xdg", [None, "", "/tmp/some/cache"], ids=["unset", "empty", "set"])
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere platformdirs has other places")
def test_the_cache_is_where_platformdirs_says(xdg: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if xdg is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", xdg)
    assert cache.cache_directory() == platformdirs.user_cache_dir(APPLICATION, appauthor=False)


def test_the_memo_is_for_its_owner_only(directory: Path) -> None:
    before = os.umask(0)
    try:
        cache.get("kind", [], Question())
    finally:
        os.umask(before)
    assert [oct(path.stat().st_mode & 0o777) for path in (directory, entry(directory))] == ["0o700", "0o600"]


def test_a_user_without_a_home_directory_gets_answers_and_no_stray_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in a container that is run under a number that no passwd file knows.
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.chdir(tmp_path)
    assert cache.get("kind", [], Question()) == "the answer"
    assert list(tmp_path.iterdir()) == []


# -- what cannot be believed, or written -----------------------------------------------------------------


def damage(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def shaped(shape: Callable[[str], Any]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        (subject,) = json.loads(path.read_text())
        path.write_text(json.dumps(shape(subject)))

    return write


def become_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def become_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def become_a_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(damage(b""), id="empty"),
        pytest.param(damage(b'{"key": [["ke'), id="cut-off"),
        pytest.param(damage(b"\xff\xfe\x00"), id="binary"),
        pytest.param(damage(b"[]"), id="a-list"),
        pytest.param(damage(b"null"), id="null"),
        pytest.param(damage(b'"text"'), id="a-text"),
        pytest.param(shaped(lambda subject: {subject: []}), id="no-answer"),
        pytest.param(shaped(lambda subject: {subject: ["", ["key"], "forged"]}), id="of-no-program"),
        pytest.param(shaped(lambda subject: {subject: {"answer": "forged"}}), id="no-list"),
        pytest.param(damage(b"[" * 100_000), id="nested-without-end"),
        pytest.param(become_a_directory, id="a-directory"),
        pytest.param(become_a_pipe, id="a-pipe"),
        pytest.param(become_a_device, id="a-device"),
    ],
)
def test_a_damaged_memo_is_no_memo(spoil: Callable[[Path], None], directory: Path) -> None:
    cache.get("kind", ["key"], Question("old"))
    spoil(entry(directory))
    assert cache.get("kind", ["key"], Question("new")) == "new"


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666], ids=oct)
def test_a_memo_that_others_can_write_is_not_believed(mode: int, directory: Path) -> None:
    cache.get("kind", ["key"], Question("forged"))
    entry(directory).chmod(mode)
    assert cache.get("kind", ["key"], Question("true")) == "true"


def test_a_memo_of_another_user_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.get("kind", ["key"], Question("forged"))
    another = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: another)
    assert cache.get("kind", ["key"], Question("true")) == "true"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be led by another's home directory")
@pytest.mark.parametrize("planted", ["nothing", ".cache", ".cache/wheelhouse-resolver"])
def test_root_with_the_home_of_another_writes_nothing(planted: str, directory: Path, tmp_path: Path) -> None:
    """As under sudo: a link could lead anywhere."""
    somewhere = tmp_path / "somewhere"
    somewhere.mkdir()
    home = Path.home()
    if planted != "nothing":
        (home / planted).parent.mkdir(exist_ok=True)
        (home / planted).symlink_to(somewhere)
    for path in (home, *home.rglob("*")):
        os.chown(path, 54321, 54321, follow_symlinks=False)
    before = sorted(home.rglob("*"))
    assert cache.get("kind", ["key"], Question()) == "the answer"
    assert sorted(home.rglob("*")) == before
    assert [*somewhere.iterdir()] == []


def test_a_link_to_a_directory_of_ones_own_is_fine(directory: Path, tmp_path: Path) -> None:
    """Home directories are small, so people have their caches elsewhere."""
    (tmp_path / "scratch").mkdir()
    directory.parent.symlink_to(tmp_path / "scratch")
    question = Question()
    for _ in range(2):
        cache.get("kind", ["key"], question)
    assert question.asked == 1
    assert (tmp_path / "scratch/wheelhouse-resolver").is_dir()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everywhere")
def test_a_memo_that_cannot_be_read_or_written_is_left_alone(directory: Path) -> None:
    cache.get("kind", ["key"], Question("old"))
    directory.chmod(0o500)
    entry(directory).chmod(0)
    assert cache.get("kind", ["key"], Question("new")) == "new"
    directory.chmod(0o700)


def test_without_a_place_for_it_nothing_is_remembered(directory: Path) -> None:
    directory.parent.mkdir()
    directory.write_text("a file where the directory should be")
    question = Question()
    assert [cache.get("kind", [], question) for _ in range(2)] == ["the answer"] * 2
    assert question.asked == 2


def test_a_full_disk_leaves_no_half_written_memo(directory: Path) -> None:
    with full_disk(100):
        assert cache.get("kind", [], Question("long" * 100)) == "long" * 100
    assert list(directory.iterdir()) == []


def test_nothing_but_the_memo_is_left_behind(directory: Path) -> None:
    cache.get("kind", ["key"], Question())
    ((_, key, answer),) = json.loads(entry(directory).read_text()).values()
    assert (key, answer) == (["key"], "the answer")


def test_what_a_killed_run_left_is_in_nobodys_way(directory: Path) -> None:
    cache.get("kind", ["key"], Question("old"))
    remains = directory / f".{entry(directory).name}~"
    for age, asked in ((0, 2), (3600, 1)):
        remains.write_text("half")
        os.utime(remains, (time.time() - age,) * 2)
        question = Question("new")
        entry_path = next(each for each in directory.iterdir() if each != remains)
        entry_path.write_text("{}")
        assert [cache.get("kind", ["key"], question) for _ in range(2)] == ["new"] * 2
        assert question.asked == asked
    assert not remains.exists()


# -- what it is for --------------------------------------------------------------------------------------

#: Importing any of these takes as long as starting Python, or longer.
COSTLY = ["archspec", "elftools", "platformdirs", "tomllib", "tomli", "dataclasses", "packaging", "pip"]

SITE_FILE = """
root = "{root}"
[[arch]]
name = "avx"
[[arch]]
name = "own"
target = "x86_64_v3"
[[layer]]
name = "gentoo"
[pip]
prefer-binary = true
"""


@pytest.mark.parametrize("configured", [False, True], ids=["built-in-site", "site-file"])
def test_pip_conf_imports_nothing_costly_once_it_has_run(configured: bool, tmp_path: Path) -> None:
    make_tree(tmp_path / "w", {})
    (tmp_path / "site.toml").write_text(SITE_FILE.format(root=tmp_path / "w"))
    options = ["--config", f"{tmp_path}/site.toml"] if configured else ["--root", f"{tmp_path}/w"]
    code = (
        "import sys\n"
        "before = {*sys.modules}\n"  # start-up files of the environment may have imported something
        "from wheelhouse_resolver.cli.main import main\n"
        f"code = main(['pip-conf', '--layer', 'gentoo', *{options!r}])\n"
        "print(*({*sys.modules} - before), file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=clean_environ(HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache")),
            text=True,
            capture_output=True,
        )
        for _ in range(2)
    ]
    assert [run.returncode for run in runs] == [0, 0], runs[0].stderr
    assert runs[0].stdout == runs[1].stdout
    assert f"file://{tmp_path}/w/gentoo/generic" in runs[1].stdout
    imported = runs[1].stderr.split()
    assert "wheelhouse_resolver.installers.pip_config" in imported
    assert [name for name in COSTLY if name in imported] == []


def test_importing_the_package_imports_next_to_nothing() -> None:
    code = (
        "import sys; before = {*sys.modules}; import wheelhouse_resolver; print(*({*sys.modules} - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True)
    ours = [name for name in done.stdout.split() if name.startswith("wheelhouse_resolver")]
    assert ours == ["wheelhouse_resolver"]
    assert [name for name in COSTLY if name in done.stdout.split()] == []


@pytest.mark.parametrize("possible", [0, 2])
def test_a_process_that_may_start_no_thread_reads_one_file_after_another(
    possible: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [str(tmp_path / f"{number}.whl") for number in range(9)]
    for path in paths:
        Path(path).touch()
    start, started = threading.Thread.start, list[threading.Thread]()

    def limited(thread: threading.Thread) -> None:
        if len(started) >= possible:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    def compute(path: str) -> str:
        time.sleep(0.01)
        return path.upper()

    monkeypatch.setattr(threading.Thread, "start", limited)
    assert cache.get_for_files("kind", paths, compute) == {path: path.upper() for path in paths}
    assert len(started) == possible
