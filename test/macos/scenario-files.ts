// What scenario.sh needs on a Mac without our tools: two versions of the package, a deployment package and its pin.
// Usage: node scripts/with-node.mjs test/macos/scenario-files.ts FOLDER x64|arm64
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pinOf } from "../../protocol/pin.ts";
import { makeMacosPackage } from "../../scripts/package/macos.ts";
import { packageOf } from "../cast/package.ts";
import { person } from "../cast/person.ts";
import { Tenant } from "../cast/tenant.ts";

const [folder, processor] = process.argv.slice(2);
if (folder === undefined || (processor !== "x64" && processor !== "arm64"))
  throw new Error("usage: scenario-files.ts FOLDER x64|arm64");
mkdirSync(folder, { recursive: true });
const clock = { now: Date.now(), turn: () => Date.now() };
const tenant = new Tenant({ name: "Acme", founder: person("founder of Acme", "admin"), clock });
// Nobody listens there: a device is bound at once, and enrolls when it hears a relay.
writeFileSync(join(folder, "acme.keybound"), packageOf(tenant, { deployment: { relays: ["wss://127.0.0.1:9"] } }));
writeFileSync(join(folder, "pin.txt"), `${pinOf(tenant.id)}\n`);
for (const [name, version] of [
  ["older.pkg", "0.0.1"],
  ["newer.pkg", "0.0.2"],
] as const) {
  const [file = ""] = await makeMacosPackage({ processor, version, epochS: Math.floor(clock.now / 1000), folder });
  renameSync(file, join(folder, name));
}
