// Composing jobs with what an unlocked session has: its key, its readers, its clock.
import type { Unlocked } from "../unlock/unlock.ts";
import { type ComposedJob, composeJobs, type JobRequest } from "./compose-job.ts";

export function composeFor({ session, keys }: Unlocked, request: JobRequest): Promise<readonly ComposedJob[]> {
  const { home, world } = session.desk;
  return composeJobs(request, {
    state: session.state,
    signer: keys,
    operator: home.config.operator,
    access: home.access.sealing.publicKey,
    now: world.now(),
    random: world.random,
  });
}
