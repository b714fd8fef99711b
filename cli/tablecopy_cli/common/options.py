"""What every command line has in common: how options are declared, grouped, checked and handed on."""

from __future__ import annotations

import difflib
import functools
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import click
from click.shell_completion import shell_complete

from tablecopy_cli.common.accounts import Side, side_of
from tablecopy_cli.common.errors import EXIT_ERROR, UserError, run
from tablecopy_cli.common.items import quoted
from tablecopy_cli.common.text import escaped

_ROLE_ARN = r"arn:[^:]+:iam::[^:]+:role/.+"
_SIDES = ("source", "destination")
_WIDEST_HELP = 120
_GENERAL = "General options"

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class CopyOptions:
    """Which copy a command is about, as its flags name it.

    Parameters
    ----------
    source, destination
        What the flags give of each side; everything else is ``None``.
    control_function
        Name or ARN of the control function.
    from_terraform
        Directory whose Terraform outputs give the rest.
    copy
        Name of the copy in these outputs, where there are several.
    """

    source: Side
    destination: Side
    control_function: str | None = None
    from_terraform: str | None = None
    copy: str | None = None


def merge_side(given: Side, base: Side | None = None) -> Side:
    """Complete what flags give of a side from elsewhere (Terraform outputs); flags win.

    Raises
    ------
    UserError
        The role is not a role ARN, or there is an external id without a role.
    """
    fields = {name: value for name, value in vars(given).items() if value}
    merged = replace(base or given, **fields)
    if merged.role_arn and not re.fullmatch(_ROLE_ARN, merged.role_arn):
        raise UserError(
            f"--{given.name}-role-arn is {quoted(merged.role_arn)}, which is not a role ARN. "
            "Use one like arn:aws:iam::111122223333:role/name"
        )
    if merged.external_id and not merged.role_arn:
        raise UserError(f"--{given.name}-external-id needs a role. Pass --{given.name}-role-arn as well")
    return merged


# Commands


class Option(click.Option):
    """An option that belongs to a group of the help text, and does not take a flag for its value."""

    def __init__(self, *declarations: Any, group: str = "Options", **settings: Any) -> None:
        super().__init__(*declarations, **settings)
        self.group = group

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        if isinstance(value, str) and value.startswith("--"):
            raise click.BadOptionUsage(
                self.opts[0], f"{self.opts[0]} needs a value, not {quoted(value)}", ctx
            )
        return super().type_cast_value(ctx, value)

    def get_help_extra(self, ctx: click.Context) -> Any:
        extra = super().get_help_extra(ctx)
        if isinstance(self.show_default, str):
            # click would put it in parentheses.
            extra["default"] = self.show_default
        return extra


class Command(click.Command):
    """A command whose help text has groups of options, exit codes and examples.

    Parameters
    ----------
    exit_codes
        Exit code to what it means.
    examples
        Commands to show.
    notes
        Paragraphs between the options and the exit codes.
    """

    def __init__(
        self,
        *args: Any,
        exit_codes: Mapping[int, str] | None = None,
        examples: Sequence[str] = (),
        notes: Sequence[str] = (),
        **settings: Any,
    ) -> None:
        settings["context_settings"] = {
            "max_content_width": _WIDEST_HELP,
            "help_option_names": ["-h", "--help"],
        }
        super().__init__(*args, **settings)
        self.exit_codes = exit_codes or {}
        self.examples = examples
        self.notes = notes

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options by group: first those of this command alone, last those of every command."""
        groups: dict[str, list[tuple[str, str]]] = {"Options": []}
        for option in self.get_params(ctx):
            record = option.get_help_record(ctx)
            if record and isinstance(option, click.Option):
                groups.setdefault(getattr(option, "group", None) or _GENERAL, []).append(record)
        for title in sorted(filter(groups.get, groups), key=lambda title: title == _GENERAL):
            with formatter.section(title):
                formatter.write_dl(groups[title])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the notes, the exit codes and the examples."""
        for note in self.notes:
            formatter.write_paragraph()
            formatter.write_text(note)
        if self.exit_codes:
            with formatter.section("Exit codes"):
                formatter.write_dl([(str(code), text) for code, text in self.exit_codes.items()])
        if self.examples:
            with formatter.section("Examples"):
                # Never broken: they are there to be pasted.
                formatter.write(
                    "".join(f"{' ' * formatter.current_indent}{each}\n" for each in self.examples)
                )


class Group(Command, click.Group):
    """A group of such commands, in the order of their declaration; it suggests one if a name is unknown."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, command in self.commands.items() if not command.hidden]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.commands[name].help or "") for name in self.list_commands(ctx)])
        super().format_options(ctx, formatter)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            near = difflib.get_close_matches(name, self.list_commands(ctx), 1)
            raise click.UsageError(f"unknown command {quoted(name)}{_suggestion(near, ctx)}", ctx)
        return super().resolve_command(ctx, args)


def main(command: click.Command, argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code of the command, or that of its error."""
    program = command.name or ""
    return run(program, lambda arguments: _dispatch(command, program, arguments), argv)


def _dispatch(command: click.Command, program: str, arguments: Sequence[str]) -> int:
    variable = f"_{program.upper()}_COMPLETE"
    if instruction := os.environ.get(variable):
        return shell_complete(command, {}, program, variable, instruction)
    try:
        with command.make_context(program, list(arguments), obj=[program, *arguments]) as context:
            return int(command.invoke(context) or 0)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        return EXIT_ERROR
    except click.UsageError as error:
        raise UserError(_usage_text(error)) from error


def command_line() -> list[str]:
    """Return the words of the command that runs, as they were given."""
    words: list[str] = click.get_current_context().obj
    return words


def complain(text: str) -> None:
    """Write a line to stderr, after the name of the command that runs."""
    print(f"{command_line()[0]}: {escaped(text)}", file=sys.stderr, flush=True)


def _usage_text(error: click.UsageError) -> str:
    if isinstance(error, click.NoSuchOption):
        name = error.option_name
        known = [flag for option in error.ctx.command.params for flag in option.opts] if error.ctx else []
        near = sorted(
            (flag for flag in known if flag.startswith(name)), key=len
        ) or difflib.get_close_matches(name, known, 1)
        return f"unknown flag {quoted(name)}{_suggestion(near, error.ctx)}"
    if isinstance(error, click.MissingParameter):
        name = error.param.make_metavar(error.ctx) if error.param and error.ctx else ""
        return f"{name} is missing{_suggestion((), error.ctx)}"
    if isinstance(error, click.BadParameter) and error.param:
        return f"{error.param.opts[0]}: {error.message.rstrip('.')}"
    if isinstance(error, click.BadOptionUsage):
        return error.message
    return error.message[:1].lower() + error.message[1:]


def _suggestion(near: Sequence[str], ctx: click.Context | None) -> str:
    if near:
        return f". Did you mean {quoted(near[0])}?"
    return f". See {ctx.command_path} --help" if ctx else ""


# Options


def option(*names: str, group: str = "Options", **settings: Any) -> Callable[[F], F]:
    """Declare an option in a group of the help text; settings are those of `click.option`."""
    return click.option(*names, cls=Option, group=group, **settings)


def copy_options(*sides: str, table: bool, control: str | None) -> Callable[[F], F]:
    """Declare the options that name a copy; the command gets them as its argument ``copy``.

    Parameters
    ----------
    sides
        Sides that have flags: ``"source"``, ``"destination"``.
    table
        Whether they also name the table (``--source TABLE``).
    control
        Help text of ``--control-function``; ``None`` for a command without that flag.
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def command(**given: Any) -> Any:
            found: dict[str, Any] = {
                side: side_of(side, {name: given.pop(f"{side}_{name}", None) for name in _SIDE_FIELDS})
                for side in _SIDES
            }
            found |= {name: given.pop(name, None) for name in ("control_function", "from_terraform", "copy")}
            return function(**given, copy=CopyOptions(**found))

        declared: Any = command
        for side in reversed(sides):
            declared = _side_options(side, table=table)(declared)
        for each in reversed(_copy_options(control)):
            declared = each(declared)
        result: F = declared
        return result

    return decorate


_SIDE_FIELDS = ("table_name", "region", "profile", "role_arn", "external_id", "endpoint_url")


def _side_options(side: str, *, table: bool) -> Callable[[F], F]:
    title = side.capitalize()
    declared = [
        ("", "table_name", "TABLE", f"Name or ARN of the {side} table."),
        ("-region", "region", "REGION", "AWS Region."),
        ("-profile", "profile", "PROFILE", "Profile of the AWS configuration."),
        ("-role-arn", "role_arn", "ARN", "Role to assume."),
        ("-external-id", "external_id", "ID", "External ID that the role requires."),
        ("-endpoint-url", "endpoint_url", "URL", "Endpoint of every AWS service, for a local AWS."),
    ]

    def decorate(function: F) -> F:
        for suffix, field, metavar, text in reversed(declared if table else declared[1:]):
            names = (f"--{side}{suffix}", f"{side}_{field}")
            function = option(*names, metavar=metavar, help=text, group=f"{title} account")(function)
        return function

    return decorate


def _copy_options(control: str | None) -> list[Callable[[Any], Any]]:
    group = "Copy"
    found = [
        option(
            "--from-terraform",
            metavar="DIR",
            help="Directory whose Terraform outputs give what the flags do not.",
            group=group,
        ),
        option(
            "--copy",
            metavar="NAME",
            help="Name of the copy in the Terraform output copies, where there are several.",
            group=group,
        ),
    ]
    if control:
        found.append(option("--control-function", metavar="NAME", help=control, group=group))
    return found


def output_options(function: F) -> F:
    """Declare ``--format`` and ``--debug``; the command gets ``format_``. `errors.run` reads ``--debug``."""
    declared = option(
        "--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.", group=_GENERAL
    )(function)
    return option(
        "--format",
        "format_",
        type=click.Choice(["text", "jsonl"]),
        default="text",
        show_default=True,
        help="Output format: text, or JSON Lines.",
        group=_GENERAL,
    )(declared)


version_option = click.version_option(package_name="dynamodb-account-copy", message="%(prog)s %(version)s")


# Values


class Value(click.ParamType[Any]):
    """A value that a function reads; the text of its `ValueError` says what is wrong.

    Parameters
    ----------
    read
        Turns the text of the flag into the value.
    """

    def __init__(self, read: Callable[[str], Any]) -> None:
        self.name = "value"
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Number(Value):
    """A finite number within bounds.

    Parameters
    ----------
    minimum, maximum
        Smallest and largest number; ``None`` for no largest one.
    whole
        Whether it is an integer.
    exclusive
        Whether the bounds themselves are out of bounds.
    """

    def __init__(
        self,
        minimum: float = 0,
        maximum: float | None = None,
        *,
        whole: bool = False,
        exclusive: bool = False,
    ) -> None:
        super().__init__(self._number)
        self._minimum, self._maximum = minimum, float("inf") if maximum is None else maximum
        self._whole, self._exclusive = whole, exclusive

    def _number(self, text: str) -> float:
        try:
            number = int(text) if self._whole else float(text)
        except ValueError:
            number = float("nan")
        outside = self._exclusive and number in (self._minimum, self._maximum)
        if not self._minimum <= number <= self._maximum or outside or number == float("inf"):
            raise ValueError(f"{quoted(text)} is not {self._described()}")
        return number

    def _described(self) -> str:
        low, high = ("above", "and below") if self._exclusive else ("from", "to")
        end = "" if self._maximum == float("inf") else f" {high} {self._maximum:g}"
        return f"a {'whole ' if self._whole else ''}number {low} {self._minimum:g}{end}"
