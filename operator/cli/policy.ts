// The commands about rules of who must sign, and about signing second.
import { Command, InvalidArgumentError, Option } from "commander";
import { count, duration, listed } from "../quantity.ts";
import type { World } from "../world.ts";
import { addExample, withCommon } from "./shared-options.ts";

export function addPolicyCommands(cli: Command, world: World): void {
  cli.addCommand(policyCommand(world));
  cli.addCommand(cosignCommand(world));
}

const load = () => import("../commands/policy.ts");

function policyCommand(world: World): Command {
  const policy = new Command("policy").description("Show or set who must sign what, and what bounds jobs and keys.");
  const show = new Command("show")
    .description("Show the signed policy in words.")
    .action(async (options) => (await load()).showPolicy(world, options));
  addExample(show, ["keybound policy show"]);
  policy.addCommand(withCommon(show, { passphrase: false }), { isDefault: true });
  policy.addCommand(withCommon(setCommand(world), { yes: true }));
  addExample(policy, ["keybound policy", "keybound policy set --two-person critical"]);
  return policy;
}

function setCommand(world: World): Command {
  const set = new Command("set")
    .description("Change rules of the policy; the others stay. What would change is shown before it is signed.")
    .option("--admins <n>", "how many admins sign a new operator, a key, a role", count)
    .option("--two-person <class>", "two people sign each job for devices of this class; may be repeated", listed)
    .option(
      "--signers <rule>",
      "KIND:CLASS=N, kind run, cancel, fetch, update or any: N people sign a job; 1 ends the rule; repeatable",
      listed,
    )
    .option("--job-lifetime <time>", "the longest window of a job", duration)
    .addOption(
      new Option(
        "--freshness <mode>",
        "who must have vouched for the key log lately: nobody, anybody, another",
      ).choices(["off", "any", "other"]),
    )
    .option("--freshness-age <time>", "how lately", duration)
    .addOption(
      new Option("--prompt <often>", "how often clients ask for the passphrase at the least").choices([
        "task",
        "day",
        "week",
      ]),
    )
    .addOption(
      new Option("--passphrase-only <rule>", "new keys that are derived from a passphrase alone").choices([
        "allow",
        "forbid",
      ]),
    )
    .option("--recovery-delay <time>", "how long a recovered key waits before it signs jobs; 0 for not at all", delay)
    .option("--max-running-jobs <n>", "jobs side by side on one device, from 1 to 64", count)
    .action(async (options) => (await load()).setPolicy(world, options));
  addExample(set, [
    "keybound policy set --two-person critical",
    "keybound policy set --signers any:critical=1 --job-lifetime 7d",
    "keybound policy set --admins 2 --recovery-delay 24h --prompt day",
  ]);
  return set;
}

/** A time that may be none. */
function delay(typed: string): number {
  if (typed === "0" || typed === "none") return 0;
  try {
    return duration(typed);
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw new InvalidArgumentError("a time such as 24h, or 0");
    throw error;
  }
}

function cosignCommand(world: World): Command {
  const cosign = new Command("cosign")
    .description("List what waits for another signature; with an id show it in full, and sign it.")
    .argument("[id]", "a job's or proposal's id, or the beginning of it")
    .option("--reject", "take it away unsigned")
    .action(async (id, options) => (await import("../commands/cosign.ts")).cosign(world, id, options));
  addExample(cosign, ["keybound cosign", "keybound cosign J5Ew9E", "keybound cosign J5Ew9E --reject"]);
  return withCommon(cosign, { yes: true });
}
