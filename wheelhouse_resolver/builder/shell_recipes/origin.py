"""Where the source of a shell recipe is from: the download's variables become `source`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Any

from wheelhouse_resolver.builder.shell_recipes.commands import evaluated, flat, recipe_text, word_text
from wheelhouse_resolver.builder.shell_recipes.findings import Findings
from wheelhouse_resolver.builder.shell_recipes.reader import CLOSE, OPEN, Value, brief
from wheelhouse_resolver.builder.shell_recipes.syntax import Command

_ARCHIVE = re.compile(r"https?://\S+\.(?:zip|tgz|tar(?:\.\w+)?)")
_GIT = re.compile(r"git\+(?P<url>\w+://[^@#]+?)(?:@(?P<ref>[^#]+))?(?:#(?P<fragment>\S*))?")

#: Options of `git clone` with a value; the others only say how much is cloned, or shown.
_WITH_VALUE = ("--branch", "-b", "--jobs", "-j", "--depth", "--origin", "-o")


def source_of(values: Mapping[str, Value], version: str, findings: Findings) -> dict[str, Any]:
    """The `source` that *values* say; empty for the index. *version*: the only one, or empty."""
    argument, command = values.get("PACKAGE_DOWNLOAD_ARGUMENT"), values.get("PACKAGE_DOWNLOAD_CMD")
    found: dict[str, Any] = {}
    if command is not None:
        found = _downloaded(command, findings)
    elif argument is not None:
        found = _argument(argument, version, findings)
    url = found.get("url", found.get("git", ""))
    line = (command or argument or Value(text="", line=1)).line
    if re.search(r"(?<!\$)\{VERSION\}", url):
        findings.report(line, f"{url}: `{{VERSION}}` has no dollar sign before it: correct source.url")
    folder = values.get("PACKAGE_FOLDER_NAME")
    below = _plain(folder.text).partition("/")[2] if folder is not None else ""
    if below:
        found["subdirectory"] = below
    return found


def _plain(text: str) -> str:
    return text.replace(OPEN, "").replace(CLOSE, "")


def _argument(value: Value, version: str, findings: Findings) -> dict[str, Any]:
    """What `pip download` is given."""
    text = recipe_text(value.text.strip().strip("'\""))
    if text is None:
        shown = _plain(value.text)
        findings.report(value.line, f"the source {shown!r} is not understood: state it in `source`")
        return {}
    if match := _GIT.fullmatch(text):
        found = {"git": match["url"], **({"ref": match["ref"]} if match["ref"] else {})}
        fragment = dict(each.partition("=")[::2] for each in (match["fragment"] or "").split("&"))
        below = fragment.get("subdirectory", "")
        return {**found, **({"subdirectory": below} if below else {})}
    if text.startswith(("https://", "http://")):
        if not _ARCHIVE.fullmatch(text):
            findings.report(
                value.line, f"{text} is neither an archive nor `git+`: say in `source` what it is"
            )
            return {}
        return {"url": text}
    project, _, pinned = text.partition("==")
    if not re.fullmatch(r"[\w.-]+|\$\{WHEELHOUSE_PROJECT(:-)?\}", project) or pinned not in (
        *("", "${version}"),
        version,
    ):
        findings.report(value.line, f"pip download {text}: build the version that is meant, NAME==VERSION")
    return {}


def _downloaded(value: Value, findings: Findings) -> dict[str, Any]:
    """What a command downloads: `git clone`, with `git checkout` after it, or `wget`."""
    found: dict[str, Any] = {}
    for statement in flat(evaluated(value.text)):
        words = [word_text(each) for each in statement.words] if isinstance(statement, Command) else []
        texts = [recipe_text(each) for each in words]
        if words[:2] == ["git", "clone"] and None not in texts:
            found |= _cloned([each or "" for each in texts[2:]])
        elif words[:2] == ["git", "checkout"] and len(words) == 3 and texts[2]:
            found["ref"] = texts[2]
        elif words[:1] in (["wget"], ["curl"]):
            found |= dict([("url", each) for each in texts if each and "://" in each][:1])
        elif words[:1] not in (["cd"], ["echo"], ["tar"], ["mv"]) and words[:2] != ["git", "submodule"]:
            shown = f"PACKAGE_DOWNLOAD_CMD: `{brief(statement.text)}`"
            findings.report(value.line, f"{shown} is not taken over: see phases.before-source")
    if not found:
        findings.report(value.line, "PACKAGE_DOWNLOAD_CMD is not understood: state the source in `source`")
    return found


def _cloned(words: Sequence[str]) -> dict[str, Any]:
    """The source that `git clone` with these *words* makes."""
    found: dict[str, Any] = {}
    rest: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        name, equals, value = word.partition("=")
        if name in _WITH_VALUE:
            value = value if equals else left.pop(0) if left else ""
            if name in ("--branch", "-b"):
                found["ref"] = value
        elif not word.startswith("-"):
            rest.append(word)
    return {"git": rest[0], **found} if rest else {}


def report_unpacked(value: Value, findings: Findings) -> None:
    """Report the commands after the download that do more than pack what was cloned."""
    for statement in flat(evaluated(value.text)):
        words = [word_text(each) for each in statement.words] if isinstance(statement, Command) else []
        if words[:1] not in (["tar"], ["cd"]) and words[:2] != ["git", "submodule"]:
            shown = f"POST_DOWNLOAD_COMMANDS: `{brief(statement.text)}`"
            findings.report(value.line, f"{shown} is left out: see phases.after-source")


def joined_path(first: str, second: str) -> str:
    """The directory *second* below *first*; empty for the top."""
    path = posixpath.normpath(posixpath.join(first or ".", second or "."))
    return "" if path == "." else path
