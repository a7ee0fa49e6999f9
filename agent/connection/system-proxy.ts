// What Windows or macOS is set to, asked of a program of the system each time; loaded only where nobody named a proxy.
import type { Followed } from "../../protocol/proxy-choice.ts";
import { type SystemQuestion, systemSettings } from "../../protocol/proxy-system.ts";
import { ASK_TIME_MS } from "../limits.ts";
import { askProgram } from "../run/ask-program.ts";

/** `undefined` where the system names none, or does not answer. */
export async function systemProxy(platform: NodeJS.Platform, systemRoot: string): Promise<Followed> {
  const settings = systemSettings(platform, systemRoot);
  return settings?.read(await Promise.all(settings.questions.map((question) => answerTo(question, systemRoot))));
}

async function answerTo({ path, args }: SystemQuestion, systemRoot: string): Promise<string> {
  const until = AbortSignal.timeout(ASK_TIME_MS);
  const answer = await askProgram({ path, args, env: { SystemRoot: systemRoot }, until });
  return answer.type === "answered" && answer.code === 0 ? answer.stdout : "";
}
