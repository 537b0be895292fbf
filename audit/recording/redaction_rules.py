"""What a secret looks like in a line of text: one rule for each kind, found by words that must stand near it. Pure.

A pattern is tried only where one of its words stands, and has one group that matches: the secret. None of them can be
made to take long: what repeats is bounded, or gives nothing back (`*+`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from access.policy.secrets import Secret

_FLAGS = re.ASCII | re.IGNORECASE
#: what a shell would put in its place is no secret, and shows what was run
_BARE = r"""(?!\$[({])[^\s'"&;|()<>,`]++"""
_VALUE = rf"""(?:'([^'\r\n]*+)|"([^"\r\n]*+)|({_BARE}))"""
_SET = r"""["']?[ \t]{0,40}+(?:=>|:=|=|:)[ \t]{0,40}+"""
BARE = re.compile(r"""[^\s'"&;|()<>,`]*+""", re.ASCII)
QUOTED = {"'": re.compile(r"[^'\r\n]*+"), '"': re.compile(r'[^"\r\n]*+')}
#: no blank within a line, or commands could stand there
_KEY = (
    r"((?:[\r\n]++[ \t]*+(?:(?:Proc-Type|DEK-Info):[ ][\w,-]++)?|\\[rn]|[a-z0-9+/=]++"
    r"|[ ](?=[a-z0-9+/=]{40}|-----END))*+)"
)
_KEY_LINES = re.compile(r"(?:[A-Za-z0-9+/=\r\n\t :,]|-(?!-))*+", re.ASCII)


@dataclass(frozen=True)
class Rule:
    """`near`: words in lower case; the pattern is tried at each of them, where `before` fits what stands before.

    `rest`: what of a secret may follow in the next piece of a stream, where this one ended within it.
    """

    name: str
    near: tuple[str, ...]
    pattern: re.Pattern[str]
    rest: re.Pattern[str] = BARE
    before: re.Pattern[str] | None = None

    def at(self, text: str, place: int) -> tuple[int, int] | None:
        """Where the secret stands that is announced here."""
        if self.before is not None and self.before.search(text[max(0, place - 32) : place]) is None:
            return None
        found = self.pattern.match(text, place)
        return None if found is None or found.lastindex is None else found.span(found.lastindex)


def _rule(name: str, near: str, pattern: str, before: str = "", rest: re.Pattern[str] = BARE) -> Rule:
    preceded = re.compile(rf"(?:{before})\Z", _FLAGS) if before else None
    return Rule(name, tuple(near.split("|")), re.compile(pattern, _FLAGS), rest, preceded)


#: in any text
RULES = (
    _rule("private key", "-----begin", r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY-----" + _KEY,
          rest=_KEY_LINES),
    _rule("assignment", "pass|pwd|secret|token|credential",
          r"(?:pass(?:w(?:or)?d|wort|phrase|(?![a-z]))|pwd|secret|token|credential)[\w.-]{0,40}+" + _SET + _VALUE),
    _rule("key", "key", r"key[\w.-]{0,40}+" + _SET + _VALUE,
          before="(?:api|access|private|secret|account|auth|encryption|signing|master)[_-]?"),
    _rule("option", "pass|secret|token", r"(?:pass(?:word|wd|phrase)?|secret|token)[ \t]{1,40}+(?!-)" + _VALUE,
          before=r"(?<![\w-])--?(?:[a-z]{1,20}-)?"),
    _rule("password word", "password|identified",
          r"(?:password|identified[ \t\r\n]{1,40}+by(?:[ \t\r\n]{1,40}+password)?)[ \t\r\n]{0,40}+(?:e|u&)?'++([^']++)",
          rest=QUOTED["'"]),
    _rule("address", "://", r"://[^\s:/@'\"]{0,128}+:(?!//)([^\s/'\"]{1,512})@"),
    _rule("bearer", "bearer", r"bearer[ \t]{1,40}+([A-Za-z0-9._~+/=:-]{6,})"),
    _rule("authorization", "authorization",
          r"authorization[\"']?[ \t]{0,8}[:=][ \t]{0,8}[\"']?(?:basic|token|digest|apikey)[ \t]{1,8}([^\s'\"]{4,})"),
    _rule("AWS key", "akia|asia", r"(?-i:(?:AKIA|ASIA)([A-Z0-9]{12,124}))(?![A-Za-z0-9])", before=r"(?<![A-Za-z0-9])"),
    _rule("known token", "hvs.|hvb.|ghp_|ghs_|github_pat_|glpat-|xox|eyj",
          r"(?:hv[sb]\.|gh[ps]_|github_pat_|glpat-|xox[a-z]-|eyJ)([A-Za-z0-9._-]{16,})", before=r"(?<![A-Za-z0-9])"),
)  # fmt: skip

#: in command lines
COMMANDS = (
    *RULES,
    _rule("program", "mysql|mariadb", r"(?:mysql|mariadb)[a-z]{0,10}\b[^|;&\n]{0,100}?[ \t]-p" + _VALUE),
    _rule("program", "sshpass", r"sshpass[ \t]+-p[ \t]*" + _VALUE),
    _rule("program", "redis-cli", r"redis-cli\b[^|;&\n]{0,100}?[ \t](?:-a|--pass)[ \t]+" + _VALUE),
    _rule("program", "curl|wget",
          r"(?:curl|wget)\b[^|;&\n]{0,100}?[ \t](?:-u|--user)[ \t=]?['\"]?[^\s:'\"]{1,100}:([^\s'\"]++)"),
)  # fmt: skip


def own_rules(secrets: Iterable[Secret]) -> tuple[Rule, ...]:
    """Those of a policy."""
    return tuple(Rule(each.name, (each.begins,), re.compile(each.pattern, re.ASCII)) for each in secrets)
