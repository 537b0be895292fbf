"""completion: a script that completes verbs and options in a shell."""

from __future__ import annotations

import argparse

ABOUT = "Prints a script; load it from your shell's start-up file."
EXAMPLES = """\
  bash:  eval "$(prodaccess completion bash)"
  zsh:   eval "$(prodaccess completion zsh)"
  fish:  prodaccess completion fish | source"""

_BASH = """\
_prodaccess() {
  local word="${COMP_WORDS[COMP_CWORD]}" verb="${COMP_WORDS[1]}" words=""
  case "$verb" in @GROUPS@) verb="$verb ${COMP_WORDS[2]}" ;; esac
  case "$COMP_CWORD:$verb" in
    1:*) words="@VERBS@" ;;
@SECOND@
@CASES@
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  case "${COMPREPLY[0]}" in *:) compopt -o nospace 2>/dev/null ;; esac
}
complete -o default -F _prodaccess prodaccess"""
_ZSH = "autoload -Uz compinit bashcompinit && compinit -u && bashcompinit\n"
WORDS = "bash zsh fish"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="which shell")


def run(args: argparse.Namespace) -> int:
    from ..arguments import VERBS, words_of

    words = {verb: words_of(verb) for verb in VERBS}
    match args.shell:
        case "fish":
            print(_fish({verb: about for verb, (_, about) in VERBS.items()}, words))
        case "zsh":
            print(_ZSH + _bash(words))
        case _:
            print(_bash(words))
    return 0


def _bash(words: dict[str, list[str]]) -> str:
    first, second = _tree(words)
    groups = (f'    2:"{verb} "*) words="{" ".join(of)}" ;;' for verb, of in second.items())
    cases = (f'    *:"{verb}") words="{" ".join(of)}" ;;' for verb, of in words.items())
    filled = _BASH.replace("@VERBS@", " ".join(first)).replace("@GROUPS@", "|".join(second))
    return filled.replace("@SECOND@", "\n".join(groups)).replace("@CASES@", "\n".join(cases))


def _tree(verbs: dict[str, list[str]]) -> tuple[list[str], dict[str, list[str]]]:
    """The first words, and what may follow those that have a second."""
    first, second = list(dict.fromkeys(verb.split()[0] for verb in verbs)), dict[str, list[str]]()
    for verb in verbs:
        group, space, rest = verb.partition(" ")
        if space:
            second.setdefault(group, []).append(rest)
    return first, second


def _fish(verbs: dict[str, str], words: dict[str, list[str]]) -> str:
    first, second = _tree(words)
    groups = {group: f"verbs that begin with {group}" for group in second}
    lines = [
        f"complete -c prodaccess -f -n __fish_use_subcommand -a {verb} -d '{(verbs | groups)[verb]}'" for verb in first
    ]
    for verb, about in verbs.items():
        group, space, rest = verb.partition(" ")
        if space:
            yet = f"__fish_seen_subcommand_from {group}; and not __fish_seen_subcommand_from {' '.join(second[group])}"
            lines.append(f"complete -c prodaccess -f -n '{yet}' -a {rest} -d '{about}'")
        seen = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in verb.split())
        lines += [f"complete -c prodaccess -n '{seen}' {_fish_word(word)}" for word in words[verb]]
    return "\n".join(lines)


def _fish_word(word: str) -> str:
    return f"-l {word.removeprefix('--')}" if word.startswith("--") else f"-f -a {word}"
