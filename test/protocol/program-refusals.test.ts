// Refusals that a program gives for what it finds on its machine, where its own tests do not come by them.
import { describe, expect, test } from "vitest";
import { checkUser, SYSTEM_PLACES } from "../../agent/run/account.ts";
import { findInterpreter } from "../../agent/run/interpreter.ts";
import { MAX_LEDGER_JOBS, RESERVED_LEDGER_JOBS } from "../../protocol/limits.ts";
import { bindTo, deviceOf, jobsOn, openState, receiptsOf } from "../agent/bound.ts";
import { DAY } from "../cast/clock.ts";
import { ECHO, jobFor } from "../cast/job.ts";
import { Tenant } from "../cast/tenant.ts";
import { codeOf } from "./refused.ts";

describe("a job for a named user", () => {
  const agent = { name: "nobody-here", home: "/", uid: 1000 };
  const check = (name: string, platform: NodeJS.Platform, by = agent) =>
    codeOf(() => checkUser({ as: "user", name }, { agent: by, platform, places: SYSTEM_PLACES }));

  test("is denied to an agent that is not root, and not to one that is", () => {
    expect(check("daemon", "linux")).toBe("user-denied");
    expect(check("daemon", "linux", { ...agent, uid: 0 })).toBe("accepted");
    expect(check("nobody-here", "linux")).toBe("accepted");
  });

  test("is denied where no program of the system can change the user", () => {
    const places = { ...SYSTEM_PLACES, programs: ["/nowhere"] };
    const root = { ...agent, uid: 0 };
    expect(codeOf(() => checkUser({ as: "console" }, { agent: root, platform: "linux", places }))).toBe("user-denied");
  });

  test("is found on Windows when the job starts, by the launcher", () => {
    expect(check("Administrator", "win32")).toBe("accepted");
  });
});

test("a batch file as a program is more than Windows can do", () => {
  const windows = { systemRoot: "", systemDrive: "", programData: "", programFiles: "", temp: "" };
  const body = { ...ECHO, env: [], salt: "", shell: "exec" as const, args: ["C:\\setup.cmd"] };
  expect(codeOf(() => findInterpreter(body, { platform: "win32", windows, uid: 0 }))).toBe("platform-lacks");
});

test("a ledger that is full refuses a new job, and says so in a receipt", async () => {
  const tenant = new Tenant();
  const state = openState();
  bindTo(state, tenant);
  const device = deviceOf(state);
  const running = jobsOn(state, tenant);
  state.run(
    `INSERT INTO ledger (job, statement, state, accepted, not_before, expires_at, boot_id, may_reboot)
     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
     SELECT 'job ' || i, 'statement', 'finished', i, 0, ?, 'boot one', 0 FROM n`,
    MAX_LEDGER_JOBS - RESERVED_LEDGER_JOBS,
    tenant.clock.now + DAY,
  );
  const job = jobFor({ tenant, devices: [device] });
  running.jobs.receive({ envelope: job.envelope, ...job.sealedFor(device) }, { watched: false, asked: false });
  await running.jobs.stop("agent-stop");
  expect(receiptsOf(state).map(({ receipt }) => receipt.outcome)).toMatchObject([
    { type: "refused", code: "ledger-full" },
  ]);
});
