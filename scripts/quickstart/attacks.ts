// The five attacks of the quickstart: each is delivered over the real relay, and answers what a user then sees of it.
import { writeFileSync } from "node:fs";
import type { RefusalCode } from "../../protocol/refusal.ts";
import { readManifest } from "../../protocol/job.ts";
import { readEnvelope } from "../../protocol/envelope.ts";
import { type Loot, withOtherId } from "./attacker.ts";
import { PASSPHRASE, type Siege } from "./scene.ts";
import { StoryFailed } from "./stage.ts";

export type Attack = {
  readonly title: string;
  /** What the device must answer. */
  readonly code: RefusalCode;
  /** The file that the job would make if it ran. */
  readonly marker?: string;
  /** Attacks, and answers what the user saw. Throws `StoryFailed` where nothing came. */
  readonly play: (siege: Siege) => Promise<string>;
};

export const CHANGED: Attack = {
  title: "A job that was changed on its way",
  code: "signature-bad",
  play: async (siege) => {
    const loot = withOtherId(await siege.attacker.take(siege.job));
    siege.scene.page.say(`The attacker takes job ${loot.from} from the relay, names it ${loot.to}, so that it`);
    siege.scene.page.say("would count as a new one, and has the relay deliver it.");
    return await deliverAndLook(siege, loot);
  },
};

export const REPEATED: Attack = {
  title: "The same job once more",
  code: "job-repeated",
  play: async (siege) => {
    siege.scene.page.say(
      "The attacker leaves the job as it was signed, and has the relay deliver it under another id.",
    );
    return await deliverAndLook(siege, await siege.attacker.take(siege.job));
  },
};

export const DIVERTED: Attack = {
  title: "A job that was signed for another device",
  code: "device-other",
  marker: "diverted",
  play: async (siege) => {
    const { scene, attacker, desk } = siege;
    const shed = await switchedOff(siege, "shed");
    scene.page.say("Ada signs a job for it, which waits at the relay.");
    const job = await detached(siege, ["--on", shed, "--detach", ...PASSPHRASE, "--"], "diverted");
    scene.page.say(`The attacker takes it from there, seals it for ${desk}, and has the relay deliver it to ${desk}.`);
    const receipt = await deliverForReceipt(siege, await attacker.take(job));
    writeFileSync(scene.stage.path("answer.json"), receipt, { mode: 0o600 });
    scene.page.say(`${desk} answers with a signed receipt, which is in answer.json as the relay keeps it.`);
    return (await scene.run("keybound", ["verify", "answer.json"])).stdout;
  },
};

export const EXPIRED: Attack = {
  title: "A job that the relay held back until its time was over",
  code: "job-expired",
  marker: "late",
  play: async (siege) => {
    const { scene, attacker, desk } = siege;
    scene.page.say(`${desk} is switched off. Ada signs a job that is good for one second.`);
    await siege.off();
    const job = await detached(siege, ["--on", desk, "--expires", "1s", "--detach", ...PASSPHRASE, "--"], "late");
    const loot = await attacker.take(job);
    const { expiresAt } = readManifest(readEnvelope(loot.envelope).payload);
    await scene.stage.until(() => Date.now() > expiresAt, "the job to expire");
    scene.page.say(
      `It is over. ${desk} is switched on, and the attacker has the relay deliver the job as if it were good.`,
    );
    await siege.on();
    await deliverForReceipt(siege, loot);
    return (await scene.run("keybound", ["job", "show", job])).stdout;
  },
};

export const FORGED: Attack = {
  title: "A job by a key that nobody approved",
  code: "signer-unknown",
  marker: "forged",
  play: async (siege) => {
    siege.scene.page.say(
      `The attacker makes a key, signs a job of their own for ${siege.desk}, and has the relay deliver it.`,
    );
    const source = `touch ${siege.scene.stage.path("forged")}`;
    return await deliverAndLook(siege, await siege.attacker.forge(siege.desk, source));
  },
};

export const ATTACKS: readonly Attack[] = [CHANGED, REPEATED, DIVERTED, EXPIRED, FORGED];

/** No signed answer is owed to such a job: what became of it stands in the device's journal. */
async function deliverAndLook({ scene, attacker, desk }: Siege, loot: Loot): Promise<string> {
  await attacker.deliver(loot, desk);
  return (await scene.run("keybound-agent", ["journal", "--state", "desk", "--last", "1"])).stdout;
}

async function deliverForReceipt({ scene, attacker, desk }: Siege, loot: Loot): Promise<Uint8Array> {
  const before = (await attacker.receipts(desk, 1)).length;
  await attacker.deliver(loot, desk);
  let receipts: readonly Uint8Array[] = [];
  const hasCome = async () => (receipts = await attacker.receipts(desk, before + 1)).length > 0;
  await scene.stage.until(hasCome, `a receipt of ${desk}`);
  const [receipt] = receipts;
  if (receipt === undefined) throw new StoryFailed("the receipt that had come is gone");
  return receipt;
}

/** Signs a job that makes a file, without waiting for an answer; its id. */
async function detached({ scene }: Siege, options: readonly string[], marker: string): Promise<string> {
  const { stdout } = await scene.run("keybound", ["run", ...options, "touch", scene.stage.path(marker)]);
  return stdout.trim();
}

/** Another device of the tenant, enrolled and then switched off; the beginning of its id. */
async function switchedOff({ scene }: Siege, state: string): Promise<string> {
  scene.page.say("Another device joins, a second agent on this machine with keys of its own, and is switched off.");
  const device = await scene.bind(state);
  await scene.agentOn(state, "enrolment sent");
  await scene.agentOff(state);
  return device.slice(0, 10);
}
