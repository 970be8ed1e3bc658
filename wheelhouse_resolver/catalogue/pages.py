"""The text of the catalogue's pages: templates, filled in with everything escaped.

A page is one file: its style and script are in it, and its policy lets a browser load and run nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shlex
import time
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from wheelhouse_resolver.catalogue.answers import Given
from wheelhouse_resolver.catalogue.facts import WheelFacts
from wheelhouse_resolver.catalogue.history import IN_FEED, Event, instant
from wheelhouse_resolver.catalogue.project import Entry, ProjectFiles, required, title_of
from wheelhouse_resolver.errors import MissingExtraError, printable
from wheelhouse_resolver.site.layout import HostKind
from wheelhouse_resolver.tree.candidate import Candidate
from wheelhouse_resolver.utils.text import version_key

_TEMPLATES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "templates")


@lru_cache(maxsize=1)
def _templates() -> Any:
    """The environment of the templates. Raises `MissingExtraError`."""
    try:
        import jinja2
    except ImportError as error:
        raise MissingExtraError("the catalogue", "jinja2", "catalogue") from error
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    found.filters["day"] = lambda seconds: time.strftime("%Y-%m-%d", time.gmtime(seconds))
    return found


def _shown(value: Any) -> Any:
    """*value* as a template has it: control characters, which may hide or reorder text, are escaped."""
    return printable(value) if type(value) is str else value


@lru_cache(maxsize=4)
def _inlined(name: str) -> tuple[Any, str]:
    """The text of the style or script *name*, which needs no escaping, and the hash that permits it."""
    from markupsafe import Markup

    with open(os.path.join(_TEMPLATES, name), encoding="utf-8") as file:
        text = file.read()
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Markup(text), f"'sha256-{digest}'"  # ours, and no value is in it


def templates_hash() -> str:
    """What changes with the templates. Raises `MissingExtraError`."""
    _templates()
    digest = hashlib.sha256()
    for name in sorted(os.listdir(_TEMPLATES)):
        with open(os.path.join(_TEMPLATES, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def _page(template: str, /, *, script: str = "", **values: Any) -> bytes:
    style, style_hash = _inlined("style.css")
    code, code_hash = _inlined(script) if script else ("", "'none'")
    policy = (
        f"default-src 'none'; img-src data:; style-src {style_hash}; script-src {code_hash}; "
        "base-uri 'none'; form-action 'none'"
    )
    text: str = _templates().get_template(template).render(style=style, script=code, policy=policy, **values)
    return text.encode("utf-8", "backslashreplace")


def first_page(title: str, entries: Iterable[Entry]) -> bytes:
    """The page of all projects."""
    rows = sorted(entries)
    facets = {
        "layer": sorted({each for row in rows for each in row.layers}),
        "arch": list(dict.fromkeys(each for row in rows for each in row.archs)),
        "Python": sorted({e for row in rows for e in row.pythons if e[-1:] != "+"}, key=version_key),
    }
    return _page("first.html", script="filter.js", title=title, rows=rows, facets=facets)


def project_page(
    title: str,
    files: ProjectFiles,
    facts: Sequence[tuple[Candidate, WheelFacts]],
    answers: Sequence[Given],
    kinds: Sequence[HostKind],
    others: Iterable[str],
) -> bytes:
    """The page of the project that has *files*; *others*: the projects that have a page."""
    first = facts[0][1] if facts else WheelFacts()
    known = {*others}
    return _page(
        "project.html",
        title=title,
        name=files.name,
        version=str(files.newest),
        entry=files.entry(first),
        facts=first,
        wheels=[(each.directory.label, each.filename, its) for each, its in facts],
        requires=[(text, name if name in known else "") for text, name in required(first)],
        install=shlex.join(["pip", "install", f"{files.name}=={files.newest}"]),
        kinds=[title_of(each) for each in kinds],
        matrix=files.matrix(kinds),
        answers=answers,
    )


def data_file(files: ProjectFiles) -> bytes:
    """What `avail --json` prints of the project."""
    return "[{}]\n".format(",\n".join(map(json.dumps, files.rows()))).encode()  # with indent it takes long


def feed(title: str, root: str, events: Sequence[Event]) -> bytes:
    """The Atom feed of the latest *events*."""
    updated = events[0].when if events else instant(0)
    first = Event(0, "feed", root, "", "", "")
    text: str = (
        _templates()
        .get_template("feed.xml")
        .render(title=title, id=first.id, updated=updated, events=events[:IN_FEED])
    )
    return text.encode("utf-8", "backslashreplace")


def history_file(events: Iterable[Event]) -> bytes:
    """All *events* that are kept, as JSON."""
    return (json.dumps({"events": [each.to_dict() for each in events]}, indent=1) + "\n").encode()
