"""A lint of the language: words that make a reader decode, in every text that a person sees.

``python -m tools.checks.language [PATHS]`` prints ``file:line: word -> suggestion`` for each find and ends
with exit code 1 if there is one. Without paths it reads the whole repository: Markdown outside of code, the
descriptions and error messages of the Terraform code, the strings and docstrings of the Python packages that
are shipped, and the templates of the reports. A find with a good reason goes into ``ALLOWED``.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from tools.checks.hcl import REPOSITORY

PACKAGES = ("lambda/tablecopy", "cli/tablecopy_cli", "verify")
"""Folders of the Python code whose texts a person sees."""
_SKIPPED = frozenset({"node_modules", "build", "dist"})

WORDS: dict[str, str] = {
    # Bookish words.
    r"mend(?:s|ed|ing)?": "fix",
    r"reckon(?:s|ed|ing)?": "calculate",
    r"anew": "again",
    r"beforehand": "before",
    r"meanwhile": "while ..., during ...",
    r"besides": "also, except",
    r"for good(?! reason)": "permanently",
    r"at once": "immediately, at the same time",
    r"of late": "recently",
    r"nobody": "no one, nothing",
    r"who(?:so)?ever": "the person or program that ...",
    r"troubles?": "error",
    r"spoil(?:s|ed|t)?": "damage, change",
    r"to and fro": "back and forth",
    r"all the while": "while ...",
    r"thereby|therewith|whereby|wherein": "a second sentence",
    r"dearer": "more expensive",
    r"but for|nothing but|all but": "except, only",
    r"nevertheless|all the same": "still",
    # Literal phrasal verbs and metaphors.
    r"let(?:s|ting)? go|let(?:s|ting)? (?:\w+ )?go of": "ends the copy, releases",
    r"go(?:es|ing)? on": "continue",
    r"tak(?:e|es|ing|en) (?:\w+ )?apart": "remove, decode",
    r"g(?:et|ets|etting|ot) younger": "catches up",
    r"(?:take|takes|took|taking) turns|in turns": "alternate",
    r"in step(?! \d)": "in sync",
    r"way back": "rollback",
    r"off it goes": "turn it off",
    r"somebody": "someone, or the service that does it",
    r"holds? (?:\w+ )?for equal|held (?:\w+ )?to be": "treats as",
    # "no X" where "not a X" is meant. "There is no X" is plain English.
    r"(?<!there )(?<!that )(?:is|are|was|were) no(?! longer| more| one)\b(?! \w+ (?:yet|left)\b)": "is not a",
    r"(?<!there )(?:is|are|was|were) none": "is not, does not have",
    # Software shows, prints, reports, requires. It does not speak.
    r"tells?": "shows, prints, reports, distinguishes",
    r"wants": "requires, needs",
    # Particles and inversions.
    r", too\b(?! \w)": "also",
    r", say\b": "for example",
    r", for one\b": "for example",
    r"(?:is|are|has|have) to be (?:given|set|named|told)": "you must pass, set ...",
    r"is to (?:differ|be)|are to (?:differ|be)": "must, should",
    # One term for one thing.
    r"(?<!dead )(?<!dead-)letters?": "dead letter",
    r"move the writers|the writers move(?:d)?": "switch the writers, cutover",
}
"""A regular expression of words, and what to write in their place. Case does not count."""


class Allowed(NamedTuple):
    """A find that stays: the file's pattern, the words, and the reason."""

    file: str
    words: str
    reason: str


ALLOWED: tuple[Allowed, ...] = (
    Allowed("*", "letter", "the older name of the command, kept as a hidden alias"),
)

_BETWEEN = r"(?<![\w`-])(?:{})(?![\w-])"
_ALL = re.compile(
    "|".join(
        f"(?P<w{number}>{(_BETWEEN if words[0] != ',' else '{}').format(words)})"
        for number, words in enumerate(WORDS)
    ),
    re.IGNORECASE,
)
_SUGGESTIONS = list(WORDS.values())


class Text(NamedTuple):
    """A text that a person sees, and the line of the file on which it begins."""

    line: int
    text: str


class Find(NamedTuple):
    """A word of the list, where it stands, and what to write in its place."""

    file: Path
    line: int
    words: str
    suggestion: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.words} -> {self.suggestion}"


def markdown(source: str) -> Iterator[Text]:
    """Yield the prose of a page, with a blank in place of code, links' targets and comments."""
    blank = re.sub(
        r"^ *```.*?^ *```$|<!--.*?-->|`[^`\n]+`|\]\([^)\s]*\)",
        lambda match: re.sub(r"[^\n]", " ", match[0]),
        source,
        flags=re.MULTILINE | re.DOTALL,
    )
    yield Text(1, blank)


def terraform(source: str) -> Iterator[Text]:
    """Yield the descriptions and error messages of Terraform code."""
    setting = r'^\s*(?:description|error_message)\s*=\s*(?:"((?:[^"\\\n]|\\.)*)"|<<-?(\w+)\n(.*?)^\s*\2$)'
    for match in re.finditer(setting, source, re.MULTILINE | re.DOTALL):
        group = 1 if match[1] is not None else 3
        text = re.sub(r"`[^`\n]+`|\$\{[^}\n]*\}", lambda code: " " * len(code[0]), match[group])
        yield Text(source.count("\n", 0, match.start(group)) + 1, text)


class _Strings(ast.NodeVisitor):
    """The strings of a module, those of an f-string as one text with blanks for its values."""

    def __init__(self) -> None:
        self.found: list[Text] = []

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            code = (
                r"``[^`]+``|`[^`\n]+`|^( *)[\w, *]+$(?=\n\1 {4}\S)"  # in backquotes, or names of parameters
            )
            self.found.append(Text(node.lineno, re.sub(code, " ", node.value, flags=re.MULTILINE)))

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        parts = []
        for value in node.values:
            if isinstance(value, ast.Constant):
                parts.append(str(value.value))
            else:
                parts.append("{}")
                self.visit(value)
        self.found.append(Text(node.lineno, re.sub(r"`[^`\n]+`", " ", "".join(parts))))


def python(source: str) -> Iterator[Text]:
    """Yield the strings and docstrings of a Python module that hold more than one word."""
    strings = _Strings()
    strings.visit(ast.parse(source))
    return (text for text in strings.found if " " in text.text.strip())


def template(source: str) -> Iterator[Text]:
    """Yield the text of a Jinja2 template, without its statements, tags, styles and scripts."""
    code = r"\{[%#{].*?[%#}]\}|<(style|script)\b.*?</\1>|<[^>]*>"
    yield Text(1, re.sub(code, lambda match: re.sub(r"[^\n]", " ", match[0]), source, flags=re.DOTALL))


READERS = {".md": markdown, ".tf": terraform, ".py": python, ".html": template, ".j2": template}


def finds(file: Path, source: str) -> Iterator[Find]:
    """Yield what the list has a better word for.

    Parameters
    ----------
    file : the file's path, relative to the repository
    source : its text
    """
    for line, text in READERS[file.suffix](source):
        # One space between two words, so that a line's end does not hide a find.
        lines = [line + number for number, each in enumerate(text.split("\n")) for _ in each.split()]
        joined = " ".join(text.split())
        for match in _ALL.finditer(joined):
            words = match[0].strip(", ")
            allowed = (each for each in ALLOWED if fnmatch(str(file), each.file))
            if not any(fnmatch(words.lower(), each.words) for each in allowed):
                number = int(str(match.lastgroup)[1:])
                place = lines[joined.count(" ", 0, match.start())]
                yield Find(file, place, words, _SUGGESTIONS[number])


def files(paths: Sequence[Path] = ()) -> Iterator[Path]:
    """Yield the files to read: those given, those below the folders given, or all of the repository's."""
    if paths:
        for path in paths:
            yield from sorted(path.rglob("*")) if path.is_dir() else [path]
        return
    for pattern in ("*.md", "*.tf", "docs/*.md", "modules/**/*", "examples/**/*", ".github/**/*.md"):
        yield from sorted(REPOSITORY.glob(pattern))
    for package in PACKAGES:
        yield from sorted((REPOSITORY / package).rglob("*"))


def main(arguments: Sequence[str]) -> int:
    """Print every find of the given paths, or of the repository, and return the exit code."""
    found = []
    for path in files([Path(argument).resolve() for argument in arguments]):
        relative = path.relative_to(REPOSITORY)
        skipped = any(part in _SKIPPED or part.startswith(".") for part in relative.parts[:-1])
        if path.is_file() and path.suffix in READERS and not skipped:
            found += list(finds(relative, path.read_text(encoding="utf-8")))
    for find in found:
        print(find)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
