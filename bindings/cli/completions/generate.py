#!/usr/bin/env python3
"""Writes the shell completions from what `bnq --help` says.

    generate.py BNQ [DIRECTORY]

BNQ is the program, DIRECTORY where bnq.bash, _bnq and bnq.fish go (default:
beside this script). Run it after every change of options, formats or presets; a
test fails where the files are not what it would write.

SPDX-License-Identifier: MIT
"""

import json
import pathlib
import re
import subprocess
import sys
from typing import NamedTuple

NOTE = "# Completions of bnq. Written by generate.py: do not edit."


class Option(NamedTuple):
    names: list  # ["-o", "--output"]
    value: str  # "FILE", "PATH", "N", "f32|f16", ...; "" of a flag
    text: str

    @property
    def choices(self):
        return self.value.split("|") if "|" in self.value else []

    @property
    def takes_file(self):
        return self.value in ("FILE", "PATH")

    @property
    def repeatable(self):
        return "(repeatable" in self.text


class Command(NamedTuple):
    name: str
    text: str
    options: list
    takes_files: bool
    words: list  # of a positional that is one of them


def help_of(bnq, *command):
    return subprocess.run(
        [bnq, *command, "--help"], check=True, capture_output=True, text=True
    ).stdout


def section(text, title):
    """The entries (left, right) of a section, whose right column may be on a
    line of its own."""
    match = re.search(rf"^{title}:\n((?:  .*\n)+)", text, re.MULTILINE)
    entries = []
    for line in match.group(1).splitlines() if match else []:
        if line.startswith("   "):
            left, right = entries[-1]
            entries[-1] = (left, f"{right} {line.strip()}".strip())
        else:
            left, _, right = line.strip().partition("  ")
            entries.append((left, right.strip()))
    return entries


def presets(bnq):
    """Their names: too many for --help to list them."""
    text = subprocess.run(
        [bnq, "presets", "--json"], check=True, capture_output=True, text=True
    ).stdout
    return [preset["name"] for preset in json.loads(text)["presets"]]


def options_of(text, preset_names=()):
    options = []
    for left, right in section(text, "Options"):
        names, _, value = left.partition(" ")
        if value == "PRESET":
            value = "|".join(preset_names)
        options.append(Option(names.split(","), value, right))
    return options


def read_commands(bnq):
    commands = []
    preset_names = presets(bnq)
    for name, text in section(help_of(bnq), "Subcommands"):
        help_text = help_of(bnq, name)
        positionals = [left.split() for left, _ in section(help_text, "Positionals")]
        words = [word for left in positionals for word in left[-1].split("|") if "|" in left[-1]]
        commands.append(
            Command(
                name,
                text,
                options_of(help_text, preset_names),
                not words and any(left[0].lower() != "format" for left in positionals),
                words,
            )
        )
    return commands


def bash(main_options, commands):
    def names(options):
        return " ".join(name for option in options for name in option.names)

    values, words = [], []
    for command in commands:
        for option in command.options:
            pattern = "|".join(f"{command.name}:{n}" for n in option.names)
            if option.choices:
                words_ = " ".join(option.choices)
                values.append(f'    {pattern}) _bnq_words "{words_}"; return ;;')
            elif option.takes_file:
                values.append(f"    {pattern}) _bnq_files; return ;;")
            elif option.value:
                values.append(f"    {pattern}) return ;;")
        words.append(f'    {command.name}:-*) _bnq_words "{names(command.options)}" ;;')
        if command.takes_files:
            words.append(f"    {command.name}:*) _bnq_files ;;")
        if command.words:
            words.append(f'    {command.name}:*) _bnq_words "{" ".join(command.words)}" ;;')
    everything = " ".join(c.name for c in commands)
    return f"""{NOTE}
# shellcheck shell=bash

_bnq_words() {{
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}}

_bnq_files() {{
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}}

_bnq() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}}
  local command="" i
  COMPREPLY=()
  # --format=int8 arrives as three words.
  if [[ $cur == "=" ]]; then
    cur=""
  elif [[ $prev == "=" && COMP_CWORD -ge 2 ]]; then
    prev=${{COMP_WORDS[COMP_CWORD - 2]}}
  fi
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case ${{COMP_WORDS[i]}} in
    {"|".join(c.name for c in commands)})
      command=${{COMP_WORDS[i]}}
      break
      ;;
    esac
  done
  case $command:$prev in
{chr(10).join(values)}
  esac
  case $command:$cur in
    :*) _bnq_words "{everything} {names(main_options)}" ;;
{chr(10).join(words)}
  esac
}}

complete -F _bnq bnq
"""


def zsh(main_options, commands):
    def quoted(text):
        return text.replace("'", "'\\''")

    def spec(option):
        text = re.sub(r"([\[\]:\\])", r"\\\1", option.text)
        tail = f"[{text}]"
        if option.choices:
            tail += f":value:({' '.join(option.choices)})"
        elif option.takes_file:
            tail += ":file:_files"
        elif option.value:
            tail += f":{option.value.lower()}: "
        if option.repeatable:
            head = "*"
        elif option.names[-1] in ("--help", "--version"):
            head = "(- *)"
        elif len(option.names) > 1:
            head = f"({' '.join(option.names)})"
        else:
            head = ""
        # --format=: the value may be the next word or follow an equals sign.
        names = [
            name + "=" if option.value and name.startswith("--") else name
            for name in option.names
        ]
        if len(names) == 1:
            return f"'{quoted(head + names[0] + tail)}'"
        return f"'{head}'{{{','.join(names)}}}'{quoted(tail)}'"

    def lines(specs, indent):
        return " \\\n".join(" " * indent + s for s in specs)

    cases = []
    for command in commands:
        specs = [spec(option) for option in command.options]
        if command.takes_files:
            specs.append("'*:file:_files'")
        if command.words:
            specs.append(f"'1:action:({' '.join(command.words)})'")
        cases.append(f"    {command.name})\n      _arguments \\\n{lines(specs, 8)}\n      ;;")
    described = "\n".join(
        "      '" + quoted(f"{c.name}:{c.text.replace(':', chr(92) + ':')}") + "'"
        for c in commands
    )
    main = [spec(option) for option in main_options]
    main += ["'1: :->command'", "'*:: :->arguments'"]
    return f"""#compdef bnq
{NOTE}

_bnq() {{
  local curcontext=$curcontext state line
  local -a commands
  _arguments -C \\
{lines(main, 4)} && return
  case $state in
  command)
    commands=(
{described}
    )
    _describe command commands
    ;;
  arguments)
    case $words[1] in
{chr(10).join(cases)}
    esac
    ;;
  esac
}}

_bnq "$@"
"""


def fish(main_options, commands):
    def quoted(text):
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    def line(condition, option):
        words = ["complete -c bnq", "-n " + quoted(condition)]
        for name in option.names:
            words.append(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}")
        if option.choices:
            words.append("-x -a " + quoted(" ".join(option.choices)))
        elif option.takes_file:
            words.append("-r -F")
        elif option.value:
            words.append("-x")
        return " ".join([*words, "-d", quoted(option.text)])

    out = [NOTE, ""]
    out += [line("__fish_use_subcommand", option) for option in main_options]
    for command in commands:
        out += [
            "",
            "complete -c bnq -n __fish_use_subcommand -f -a "
            f"{command.name} -d {quoted(command.text)}",
        ]
        condition = f"__fish_seen_subcommand_from {command.name}"
        if not command.takes_files:
            out.append(f"complete -c bnq -n {quoted(condition)} -f")
        if command.words:
            words = " ".join(command.words)
            out.append(f"complete -c bnq -n {quoted(condition)} -f -a {quoted(words)}")
        out += [line(condition, option) for option in command.options]
    return "\n".join(out) + "\n"


def generate(bnq):
    """The files' contents by their names."""
    main_options = options_of(help_of(bnq))
    commands = read_commands(bnq)
    return {
        "bnq.bash": bash(main_options, commands),
        "_bnq": zsh(main_options, commands),
        "bnq.fish": fish(main_options, commands),
    }


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    here = pathlib.Path(__file__).parent
    directory = pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else here
    for name, text in generate(sys.argv[1]).items():
        (directory / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
