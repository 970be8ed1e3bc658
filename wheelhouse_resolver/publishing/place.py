"""Placing one planned wheel."""

from __future__ import annotations

import zipfile
from typing import NamedTuple

from wheelhouse_resolver.errors import OutputError
from wheelhouse_resolver.publishing import trash
from wheelhouse_resolver.publishing.errors import PublishError
from wheelhouse_resolver.publishing.plan import Step
from wheelhouse_resolver.utils import atomic
from wheelhouse_resolver.utils.safe_io import BAD_ZIP, open_regular
from wheelhouse_resolver.wheelfile.rewrite import rewrite

__all__ = ["Outcome", "place"]


class Outcome(NamedTuple):
    """What became of a step.

    done:   `placed`, `present` (it was there already) or `replaced`.
    source: the `placement.identity` of the file that it was made from.
    """

    step: Step
    path: str
    done: str
    source: tuple[int, ...]


def place(step: Step) -> Outcome:
    """Carry *step* out: write, sync, name; then, if it mends, remove what it was made from.

    Publishing again what already stands there is a success. Raises `PublishError` when something else
    does, or when the wheel changed since it was checked; `OutputError` when the disk does not take it.
    """
    directory = step.directory.path
    with atomic.draft(directory) as draft:
        try:
            source = trash.identity(step.wheel.path)
            rewrite(step.wheel, step.change, draft.file)
        except (*BAD_ZIP, FileNotFoundError) as error:  # ChangedWhileReadError is a ValueError
            raise PublishError(
                step.wheel.path, f"changed while it was read ({error}); nothing placed"
            ) from error
        except OSError as error:
            raise OutputError.from_os(step.path, error) from error
        done = _settle(step, draft)
    if step.mends:
        trash.discard(step.wheel.path, source)
    return Outcome(step, step.path, done, source)


def _settle(step: Step, draft: atomic.Draft) -> str:
    """Give the finished draft its name, or find that the name is taken and by what."""
    directory, filename = step.directory.path, step.filename
    former = next((t for t in trash.trashed(directory) if t.filename == filename), None)
    if former is not None and not step.options.replace and not _same(former.path, draft):
        raise PublishError(
            filename,
            "a wheel of this name with other content was withdrawn, and uv may have it cached; "
            "publish with --rebuild for a new build number, or with --replace",
        )
    replaced = False
    while not atomic.link_into(draft, directory, filename):
        if _same(step.path, draft):
            return "present"
        if step.mends:
            raise PublishError(
                step.wheel.path,
                f"cannot be stamped: {step.filename} stands there with other content, and wins; "
                f"withdraw one of the two (`wheelhouse-resolver withdraw {step.wheel.filename}`)",
            )
        if not step.options.replace:
            raise PublishError(
                step.path,
                "stands there with other content; publish with --rebuild to add a corrected build, "
                "or with --replace to move the old one to .trash/",
            )
        trash.withdraw(step.path)
        replaced = True
    return "replaced" if replaced else "placed"


def _same(path: str, draft: atomic.Draft) -> bool:
    """Whether the wheel at *path* holds the same files as the draft, and is undamaged.

    Not compared byte for byte: another release of zlib compresses the same files differently.
    """
    try:
        draft.file.flush()
        with (
            open_regular(path) as file,
            zipfile.ZipFile(file) as one,
            zipfile.ZipFile(draft.path) as other,
        ):
            return _listing(one) == _listing(other) and one.testzip() is None
    except FileNotFoundError:
        return False  # withdrawn in between
    except (*BAD_ZIP, OSError):
        return False


def _listing(archive: zipfile.ZipFile) -> list[tuple[str, int, int]]:
    return sorted((info.filename, info.CRC, info.file_size) for info in archive.infolist())
