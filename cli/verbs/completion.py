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
  local word="${COMP_WORDS[COMP_CWORD]}"
  case "$COMP_CWORD:${COMP_WORDS[1]}" in
    1:*) COMPREPLY=($(compgen -W "@VERBS@" -- "$word")) ;;
@CASES@
  esac
}
complete -o default -F _prodaccess prodaccess"""
_ZSH = "autoload -Uz compinit bashcompinit && compinit -u && bashcompinit\n"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="which shell")


def run(args: argparse.Namespace) -> int:
    from ..arguments import VERBS, options_of

    options = {verb: options_of(verb) for verb in VERBS}
    match args.shell:
        case "fish":
            print(_fish({verb: about for verb, (_, about) in VERBS.items()}, options))
        case "zsh":
            print(_ZSH + _bash(options))
        case _:
            print(_bash(options))
    return 0


def _bash(options: dict[str, list[str]]) -> str:
    cases = (f'    *:{verb}) COMPREPLY=($(compgen -W "{" ".join(of)}" -- "$word")) ;;' for verb, of in options.items())
    return _BASH.replace("@VERBS@", " ".join(options)).replace("@CASES@", "\n".join(cases))


def _fish(verbs: dict[str, str], options: dict[str, list[str]]) -> str:
    lines = [
        f"complete -c prodaccess -f -n __fish_use_subcommand -a {verb} -d '{about}'" for verb, about in verbs.items()
    ]
    for verb, of in options.items():
        lines += [
            f"complete -c prodaccess -n '__fish_seen_subcommand_from {verb}' -l {option.removeprefix('--')}"
            for option in of
            if option.startswith("--")
        ]
    return "\n".join(lines)
