"""What a shell script says, read by the grammar of tree-sitter-bash: nothing of it is run.

Only what recipes are made of has a kind of its own; all else is `Other`, with its text and line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from wheelhouse_resolver.errors import MissingExtraError

if TYPE_CHECKING:
    from tree_sitter import Node, Parser


@dataclass(frozen=True, kw_only=True, slots=True)
class Variable:
    """A variable in a word. *rest*: what follows the name in braces: `:-4`. *text*: as it is written."""

    name: str
    rest: str = ""
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Substitution:
    """A command whose output would be part of a word. *body*: what it runs. *text*: as it is written."""

    body: tuple[Statement, ...]
    text: str


#: What a word is made of; text has no quotes any more.
Part = str | Variable | Substitution


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """A word. *text*: as it is written. *line*: where it begins. *quoted*: whether a quote is in it."""

    parts: tuple[Part, ...]
    text: str
    line: int
    quoted: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """`NAME=value`, `NAME+=value`, `NAME=(a b)`: several *words* of an array. *exported*: with `export`."""

    name: str
    words: tuple[Word, ...]
    array: bool
    append: bool
    exported: bool
    text: str
    line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """A simple command. *assigned*: variables before it. *heredoc*: its here-document. *text*: as written."""

    words: tuple[Word, ...]
    assigned: tuple[Assignment, ...] = ()
    heredoc: Word | None = None
    text: str
    line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Test:
    """A condition. *operator*: `and`, `or`, `not`, or as it is written: `==`, `-n`; empty: not understood."""

    operator: str
    tests: tuple[Test, ...] = ()
    words: tuple[Word, ...] = ()
    text: str
    line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Branches:
    """`if`: (condition, what holds then) pairs, the first that holds counts; *otherwise*: of `else`."""

    branches: tuple[tuple[Test, tuple[Statement, ...]], ...]
    otherwise: tuple[Statement, ...]
    text: str
    line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Both:
    """*statements* joined with `&&`."""

    statements: tuple[Statement, ...]
    text: str
    line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Other:
    """Anything else. *what*: it is: `for`, `function`, `invalid`."""

    what: str
    text: str
    line: int


Statement = Assignment | Command | Branches | Both | Other

_EXPANSION = re.compile(r"\$\{([A-Za-z_]\w*)(.*)\}", re.DOTALL)
_ESCAPE_QUOTED = re.compile(r'\\(?:([$`"\\])|\n)')
_ESCAPE = re.compile(r"\\(?:\n|(.))", re.DOTALL)
#: In `$'...'`; what is not here is text, as in bash.
_ESCAPE_ANSI = re.compile(r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|([0-7]{1,3})|([abeEfnrtv\\'\"?]))")
_ANSI = dict(zip("abeEfnrtv", "\a\b\x1b\x1b\f\n\r\t\v", strict=True))


@cache
def _parser() -> Parser:
    try:
        import tree_sitter
        import tree_sitter_bash
    except ImportError as error:
        raise MissingExtraError("reading shell recipes", error.name or "tree_sitter", "recipes") from error
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))


def parse_shell(text: str) -> tuple[Statement, ...]:
    """The statements of *text*, without running any. Raises `MissingExtraError`."""
    return tuple(_statements(_parser().parse(text.encode("utf-8")).root_node))


def _text(node: Node) -> str:
    return node.text.decode("utf-8", "replace") if node.text is not None else ""


def _line(node: Node) -> int:
    return node.start_point[0] + 1


def _statements(parent: Node) -> Iterator[Statement]:
    for node in parent.named_children:
        if node.type != "comment":
            yield from _statement(node)


def _statement(node: Node) -> Iterator[Statement]:
    """What *node* says; several for `export A=1 B=2`."""
    text, line = _text(node), _line(node)
    if node.has_error:
        yield Other(what="invalid", text=text, line=line)
    elif node.type == "variable_assignment":
        yield _assignment(node, exported=False)
    elif node.type in ("variable_assignments", "declaration_command"):
        yield from _declared(node)
    elif node.type in ("command", "redirected_statement"):
        yield _command(node)
    elif node.type == "test_command":
        yield Command(words=(), text=text, line=line)
    elif node.type == "if_statement":
        yield _branches(node)
    elif node.type == "list" and any(child.type == "&&" for child in node.children):
        yield Both(statements=tuple(_joined(node)), text=text, line=line)
    else:
        yield Other(what=node.type.removesuffix("_statement"), text=text, line=line)


def _joined(node: Node) -> Iterator[Statement]:
    """What `&&` joins in *node*; a list of `||` in it is one statement."""
    for child in node.named_children:
        if child.type == "list" and any(each.type == "&&" for each in child.children):
            yield from _joined(child)
        elif child.type != "comment":
            yield from _statement(child)


def _declared(node: Node) -> Iterator[Statement]:
    """`export A=1`, `A=1 B=2`; what else declares is `Other`."""
    keyword = node.children[0].type if node.children else ""
    plain = [each for each in node.named_children if each.type != "variable_assignment"]
    if node.type == "declaration_command" and (keyword != "export" or plain):
        yield Other(what=keyword, text=_text(node), line=_line(node))
        return
    for each in node.named_children:
        yield _assignment(each, exported=keyword == "export")


def _assignment(node: Node, *, exported: bool) -> Assignment:
    name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
    array = value is not None and value.type == "array"
    words = value.named_children if array and value is not None else [value] if value is not None else []
    return Assignment(
        name=_text(name) if name is not None else "",
        words=tuple(_word(each) for each in words if each.type != "comment"),
        array=array,
        append=any(child.type == "+=" for child in node.children),
        exported=exported,
        text=_text(node),
        line=_line(node),
    )


def _command(node: Node) -> Statement:
    """A simple command, or one with a here-document; one whose output goes elsewhere is `Other`."""
    body, heredoc = node, None
    if node.type == "redirected_statement":
        inner = node.child_by_field_name("body")
        redirects = node.children_by_field_name("redirect")
        if inner is None or inner.type != "command" or [r.type for r in redirects] != ["heredoc_redirect"]:
            return Other(what="redirected", text=_text(node), line=_line(node))
        body, heredoc = inner, _heredoc(redirects[0])
    before = [each for each in body.named_children if each.type == "variable_assignment"]
    words = [each for each in body.named_children if each.type not in ("variable_assignment", "comment")]
    return Command(
        words=tuple(_word(each) for each in words),
        assigned=tuple(_assignment(each, exported=False) for each in before),
        heredoc=heredoc,
        text=_text(node),
        line=_line(node),
    )


def _heredoc(node: Node) -> Word | None:
    """The text of a here-document."""
    body = next((each for each in node.named_children if each.type == "heredoc_body"), None)
    start = next((each for each in node.named_children if each.type == "heredoc_start"), None)
    if body is None or start is None:
        return None
    text = _text(body)
    if any(child.type == "<<-" for child in node.children):
        text = re.sub(r"^\t+", "", text, flags=re.MULTILINE)
    literal = _text(start)[:1] in "'\"\\"
    parts: tuple[Part, ...] = (text,) if literal else tuple(_heredoc_parts(text))
    return Word(parts=parts, text=text, line=_line(body), quoted=True)


def _heredoc_parts(text: str) -> Iterator[Part]:
    """The parts of the *text* of a here-document, which is expanded as in double quotes."""
    quoted = text.replace('"', '\\"')  # the only character that is special in them alone
    statement = next(iter(parse_shell(f'X="{quoted}"')), None)
    if not isinstance(statement, Assignment):
        yield text
        return
    yield from statement.words[0].parts


def _word(node: Node) -> Word:
    parts: list[Part] = []
    for part in _parts(node):
        if isinstance(part, str) and parts and isinstance(parts[-1], str):
            parts[-1] += part
        elif part != "":
            parts.append(part)
    quoted = any(each in _text(node) for each in "'\"")
    return Word(parts=tuple(parts), text=_text(node), line=_line(node), quoted=quoted)


def _parts(node: Node) -> Iterator[Part]:
    """What the word *node* is made of, without its quotes."""
    text = _text(node)
    if node.type == "raw_string":
        yield text[1:-1]
    elif node.type == "string":
        yield from _quoted(node)
    elif node.type in ("concatenation", "command_name") or (node.type == "number" and node.children):
        at = node.start_byte
        for child in node.children:  # what is between them is text
            yield _ESCAPE.sub(lambda match: match[1] or "", _between(node, at, child.start_byte))
            at = child.end_byte
            yield from _parts(child)
    elif node.type in ("simple_expansion", "expansion"):
        yield _variable(text)
    elif node.type == "command_substitution":
        yield Substitution(body=tuple(_statements(node)), text=text)
    elif node.type == "translated_string":
        yield from _quoted(node.named_children[0])
    elif node.type == "ansi_c_string":
        yield _ESCAPE_ANSI.sub(_ansi, text[2:-1])
    elif node.type == "regex":
        yield text
    else:
        yield _ESCAPE.sub(lambda match: match[1] or "", text)


def _ansi(escape: re.Match[str]) -> str:
    code, octal, named = escape[1] or escape[2], escape[3], escape[4]
    if named:
        return _ANSI.get(named, named)
    return chr(int(code, 16) if code else int(octal, 8)).encode("utf-8", "replace").decode("utf-8")


def _between(node: Node, start: int, end: int) -> str:
    whole = node.text or b""
    return whole[start - node.start_byte : end - node.start_byte].decode("utf-8", "replace")


def _quoted(node: Node) -> Iterator[Part]:
    """The parts of a string in double quotes."""
    at = node.start_byte + 1
    for child in node.named_children:
        if child.type in ("simple_expansion", "expansion", "command_substitution"):
            yield _ESCAPE_QUOTED.sub(lambda match: match[1] or "", _between(node, at, child.start_byte))
            at = child.end_byte
            yield from _parts(child)
    yield _ESCAPE_QUOTED.sub(lambda match: match[1] or "", _between(node, at, node.end_byte - 1))


def _variable(text: str) -> Part:
    """The variable written as *text*: `$NAME`, `${NAME:-4}`; one without a name, such as `$1`, has none."""
    if match := _EXPANSION.fullmatch(text):
        return Variable(name=match[1], rest=match[2], text=text)
    name = text[1:]
    return Variable(name=name, text=text) if name.isidentifier() else Variable(name="", text=text)


def _branches(node: Node) -> Branches:
    clauses = [each for each in node.named_children if each.type in ("elif_clause", "else_clause")]
    branches: list[tuple[Test, tuple[Statement, ...]]] = []
    otherwise: tuple[Statement, ...] = ()
    for clause in (node, *clauses):
        tests: list[Node] = []
        body: list[Statement] = []
        then = clause.type == "else_clause"
        for child in clause.children:
            then = then or child.type == "then"
            if child.is_named and child.type not in ("comment", "elif_clause", "else_clause"):
                if then:
                    body += _statement(child)
                else:
                    tests.append(child)
        if clause.type == "else_clause":
            otherwise = tuple(body)
        else:
            test = _condition(tests[0]) if len(tests) == 1 else _unknown(clause)
            branches.append((test, tuple(body)))
    return Branches(branches=tuple(branches), otherwise=otherwise, text=_text(node), line=_line(node))


def _unknown(node: Node) -> Test:
    return Test(operator="", text=_text(node).partition("\n")[0], line=_line(node))


def _condition(node: Node) -> Test:
    """The condition *node*: `[[ ]]`, `[ ]`, and those joined with `&&` and `||`."""
    text, line = _text(node), _line(node)
    children = [each for each in node.named_children if each.type != "comment"]
    if node.type in ("test_command", "parenthesized_expression") and len(children) == 1:
        return _condition(children[0])
    if node.type in ("list", "binary_expression") and len(children) >= 2:
        operator = _operator(node)
        if operator in ("&&", "||"):
            tests = (_condition(children[0]), _condition(children[-1]))
            return Test(operator="and" if operator == "&&" else "or", tests=tests, text=text, line=line)
        words = tuple(_word(each) for each in (children[0], children[-1]))
        return Test(operator=operator, words=words, text=text, line=line)
    if node.type in ("unary_expression", "negated_command") and children:
        operator = "!" if node.type == "negated_command" else _operator(node)
        if operator == "!":
            return Test(operator="not", tests=(_condition(children[-1]),), text=text, line=line)
        return Test(operator=operator, words=(_word(children[-1]),), text=text, line=line)
    if node.type in ("word", "string", "raw_string", "simple_expansion", "expansion", "concatenation"):
        return Test(operator="-n", words=(_word(node),), text=text, line=line)
    return _unknown(node)


def _operator(node: Node) -> str:
    """The operator of an expression: a token of the grammar, or a `test_operator`."""
    for child in node.children:
        if child.type == "test_operator" or not child.is_named:
            return _text(child)
    return ""
