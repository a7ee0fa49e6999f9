// Completion scripts, made from the tree of commands, so that they never fall behind it.
import type { Command } from "commander";
import { Fault } from "../fault.ts";

/** Commands whose argument is a script of the library; what they offer is asked for when it is completed. */
const NAMES_SCRIPT = ["script run", "script show", "script remove"];
const LIST_NAMES = "keybound script list --names 2>/dev/null";

type Node = { readonly path: string; readonly words: readonly string[]; readonly options: readonly string[] };

/** A script for bash, zsh or fish. Throws `misuse` for another shell. */
export function completionScript(cli: Command, shell: string): string {
  const nodes = nodesOf(cli, []);
  switch (shell) {
    case "bash":
      return bash(nodes);
    case "zsh":
      return `#compdef keybound\nautoload -U +X bashcompinit && bashcompinit\n${bash(nodes)}`;
    case "fish":
      return fish(nodes);
    default:
      throw new Fault("misuse", `completion for ${shell}: bash, zsh or fish`);
  }
}

function nodesOf(command: Command, path: readonly string[]): readonly Node[] {
  const offered = command.createHelp().visibleCommands(command);
  const commands = command.commands.filter((inner) => offered.includes(inner));
  const words = commands.map((inner) => inner.name());
  const options = command.options.flatMap(({ long }) => long ?? []);
  const own = { path: path.join(" "), words, options: [...options, "--help"] };
  return [own, ...commands.flatMap((inner) => nodesOf(inner, [...path, inner.name()]))];
}

function bash(nodes: readonly Node[]): string {
  const cases = nodes.map(({ path, words, options }) => {
    const names = NAMES_SCRIPT.includes(path) ? ` $(${LIST_NAMES})` : "";
    return `    "${path}") offers="${[...words, ...options].join(" ")}${names}" ;;`;
  });
  return `_keybound() {
  local word path="" offers=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  while :; do
    case "$path" in
${cases.join("\n")}
    esac
    [ -n "$offers" ] && break
    case "$path" in *" "*) path="\${path% *}" ;; *) path="" ;; esac
  done
  COMPREPLY=($(compgen -W "$offers" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _keybound keybound
`;
}

function fish(nodes: readonly Node[]): string {
  const lines = nodes.flatMap(({ path, words, options }) => {
    const steps = path.split(" ").filter(Boolean);
    const seen = steps.map((step) => `__fish_seen_subcommand_from ${step}`).join("; and ");
    const here = steps.length === 0 ? "__fish_use_subcommand" : seen;
    const rest =
      words.length === 0 || steps.length === 0 ? "" : `; and not __fish_seen_subcommand_from ${words.join(" ")}`;
    return [
      ...(NAMES_SCRIPT.includes(path) ? [`complete -c keybound -f -n '${here}' -a '(${LIST_NAMES})'`] : []),
      ...words.map((word) => `complete -c keybound -f -n '${here}${rest}' -a ${word}`),
      ...options.map((option) => `complete -c keybound -n '${here}' -l ${option.slice(2)}`),
    ];
  });
  return `${lines.join("\n")}\n`;
}
