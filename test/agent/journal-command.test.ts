// `keybound-agent journal` where there is no journal to read: what is said leads to what helps.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { journalCommand } from "../../agent/commands.ts";
import { pathsIn } from "../../agent/paths.ts";
import { SCHEMA_VERSION } from "../../agent/state/schema.ts";
import { State } from "../../agent/state/state.ts";
import { folder } from "./bound.ts";

function journalIn(state: string): string {
  return journalCommand({ paths: pathsIn(state), json: false, last: 1, verify: false });
}

it("a folder without a state has no owner yet", () => {
  expect(() => journalIn(join(folder(), "state"))).toThrow("not-bound: there is no state: ");
});

it("a state of a newer agent wants that agent, and not another owner", () => {
  const path = join(folder(), "state");
  using closed = new DisposableStack();
  const state = State.open(path);
  closed.defer(() => state.close());
  state.run(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
  expect(() => journalIn(path)).toThrow("state-newer");
});

it("a state that is damaged is said to be", () => {
  const path = join(folder(), "state");
  State.open(path).close();
  writeFileSync(join(path, "state.db"), "not a database".repeat(1000));
  expect(() => journalIn(path)).toThrow("or is damaged");
});
