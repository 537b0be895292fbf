"""The verbs, and one argparse parser for the verb at hand: the others are never built."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import NoReturn

from .exits import EXITS, Usage

#: verb → its module, and what it does in a few words
VERBS = {
    "login": ("login", "sign this terminal in with a code from Slack"),
    "logout": ("logout", "end this terminal’s sign-in"),
    "whoami": ("whoami", "who this terminal is signed in as"),
    "targets": ("targets", "what may be asked for, and who decides"),
    "request": ("request", "ask for access, and wait for it if you like"),
    "list": ("listing", "your requests and the time they have left"),
    "show": ("show", "one request and all that happened to it"),
    "run": ("run", "start a command with a credential that only it holds"),
    "creds": ("creds", "print a credential"),
    "connect": ("connect", "through a recorded gateway, with any tool"),
    "ssh": ("ssh", "a shell or a command on a host, through the recorded gateway"),
    "sessions": ("sessions", "recorded connections"),
    "watch": ("watch", "recorded connections while they run"),
    "replay": ("replay", "what was done in a recorded connection"),
    "held": ("held", "statements that wait until somebody lets them run"),
    "decide": ("decide", "let a statement that waits run, or refuse it"),
    "kill": ("kill", "end one recorded connection"),
    "aws": ("aws", "be the credential_process of an AWS profile"),
    "comment": ("comment", "say something about a request, to those whom it concerns"),
    "extend": ("extend", "ask for more time, before it ends"),
    "end": ("end", "hand access back, or take a request back"),
    "break-glass": ("break_glass", "access without approval when nobody answers: short, loud, reviewed"),
    "reviews": ("reviews", "what waits for a second pair of eyes"),
    "review": ("review", "close a review, or flag it"),
    "audit search": ("audit_search", "find entries of the audit log, for auditors"),
    "audit who": ("audit_who", "who touched a table, a path or a host, for auditors"),
    "audit show": ("audit_show", "everything that the audit log says about one request"),
    "audit erase": ("audit_erase", "erase people’s words about a request, for admins"),
    "completion": ("completion", "a script that completes verbs in bash, zsh or fish"),
}
#: the first word of verbs that have two, and what they are about
GROUPS = {"audit": "Look into the audit log. Every look is an entry of the log itself."}
#: verbs that can start one with a credential
TAKES_COMMAND = ("run", "connect", "request", "break-glass")
#: verbs after whose first word everything is another program's
PASSES_ON = ("ssh",)
_ENVIRONMENT = {
    "PRODACCESS_SERVER": "the server's URL, instead of the remembered one",
    "PRODACCESS_STATE_DIR": "where the sign-in is kept, instead of $XDG_RUNTIME_DIR/prodaccess or /dev/shm",
    "NO_COLOR": "no colours",
}
_WIDEST = 110  # columns: longer lines are hard to read
_TITLE = "prodaccess: temporary access to production, asked for here or in Slack, decided in Slack, gone by itself."
_OTHERS = "run, connect and ssh, and request or break-glass with a command, give the command's own."
_OVERVIEW = """\
{title}

usage: prodaccess VERB …          prodaccess VERB --help says more
       prodaccess --version

{verbs}

A day's work:
  prodaccess login ABCD-EFGH                                         code from /prodaccess login in Slack
  prodaccess request orders-db 1h OPS-412 "refunds stuck" -- psql    ask, wait, and be in
  prodaccess end PA-7                                                done early

An auditor's:
  prodaccess audit search 'actor:linus table:refunds op:write last:30d'
  prodaccess audit who 'table:orders after:2026-11-01'
  prodaccess audit show PA-7

Exit codes:
{exits}
{others}

Environment:
{environment}
"""


def overview(columns: int = 0) -> str:
    """The page that `prodaccess help` shows; 0 columns: each entry on one line."""
    from .output import filled, rows

    return _OVERVIEW.format(
        title=filled(_TITLE, columns),
        verbs=rows(((verb, about) for verb, (_, about) in VERBS.items()), 14, columns),
        exits=rows(((f"{code:>3}", meaning) for code, meaning in EXITS.items()), 5, columns),
        others=rows([("", _OTHERS)], 0, columns),
        environment=rows(_ENVIRONMENT.items(), 23, columns),
    )


def group_overview(group: str, columns: int = 0) -> str:
    """The page that `prodaccess audit --help` shows."""
    from .output import filled, rows

    of_it = ((verb, about) for verb, (_, about) in VERBS.items() if verb.startswith(f"{group} "))
    usage = f"usage: prodaccess {group} VERB …    prodaccess {group} VERB --help says more"
    return f"{filled(GROUPS[group], columns)}\n\n{usage}\n\n{rows(of_it, 14, columns)}\n"


def read(words: Sequence[str]) -> tuple[ModuleType, argparse.Namespace]:
    """The verb's module and its arguments; what follows `--` is `args.command`. Raises Usage, SystemExit(0 or 2)."""
    count = 2 if words[0] in GROUPS else 1
    verb, rest = " ".join(words[:count]), list(words[count:])
    if verb not in VERBS:
        raise Usage(f"“{verb[:40]}” is not a verb. {_nearest(verb)}")
    module, parser = parser_of(verb)
    if verb in PASSES_ON:
        cut = next((i + 1 for i, word in enumerate(rest) if not word.startswith("-")), len(rest))
        args = parser.parse_args(rest[:cut])
        args.command = rest[cut:]
        return module, args
    cut = rest.index("--") if "--" in rest else len(rest)
    args = parser.parse_intermixed_args(rest[:cut])
    args.command = rest[cut + 1 :]
    if args.command and verb not in TAKES_COMMAND:
        parser.error(f"{verb} takes no command after --")
    return module, args


def parser_of(verb: str) -> tuple[ModuleType, argparse.ArgumentParser]:
    """The module of a known verb, and its parser."""
    name, about = VERBS[verb]
    module = import_module(f".verbs.{name}", __package__)
    parser = _Parser(
        prog=f"prodaccess {verb}",
        description=f"{about[0].upper()}{about[1:]}.\n\n{module.ABOUT}",
        epilog=f"examples:\n{module.EXAMPLES}",
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    module.arguments(parser)
    if verb in TAKES_COMMAND:
        parser.usage = f"{parser.format_usage().removeprefix('usage: ').strip()} [-- COMMAND …]"
    if verb in PASSES_ON:
        parser.usage = f"{parser.format_usage().removeprefix('usage: ').strip()} [OPTIONS AND COMMAND OF SSH …]"
    if verb not in ("run", "aws", "completion", *PASSES_ON):
        parser.add_argument("--json", action="store_true", help="for programs: JSON, as the server gave it")
    return module, parser


class _Parser(argparse.ArgumentParser):
    """Says what it does not understand like everything else does."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        raise Usage(f"{message[0].upper()}{message[1:]}. `{self.prog} --help` says more.")


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """As wide as the terminal; argparse's own way to ask for that costs an import of 5 ms at every start."""

    def __init__(self, prog: str) -> None:
        from .output import terminal_width

        self._columns = min(terminal_width(), _WIDEST)
        super().__init__(prog, width=self._columns or _WIDEST)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        from .output import filled

        return filled(text, self._columns) if self._columns else super()._fill_text(text, width, indent)


def options_of(verb: str) -> list[str]:
    """The long options of a verb."""
    _, parser = parser_of(verb)
    return sorted(option for action in parser._actions for option in action.option_strings if option.startswith("--"))


def words_of(verb: str) -> list[str]:
    """What may be completed after a verb: its options, and the words that it names itself."""
    module, _ = parser_of(verb)
    return [*options_of(verb), *getattr(module, "WORDS", "").split()]


def _nearest(verb: str) -> str:
    import difflib

    near = difflib.get_close_matches(verb, [*VERBS, "help"], n=1)
    return f"Did you mean {near[0]}?" if near else "`prodaccess help` shows them."
