// What scenario.ps1 needs on a Windows without our tools: two versions of the installer, a deployment package and its pin.
// Usage: node scripts/with-node.mjs test/windows/scenario-files.ts FOLDER
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pinOf } from "../../protocol/pin.ts";
import { buildMsi } from "../../scripts/package/windows/msi.ts";
import { packageOf } from "../cast/package.ts";
import { person } from "../cast/person.ts";
import { Tenant } from "../cast/tenant.ts";

const folder = process.argv[2];
if (folder === undefined) throw new Error("usage: scenario-files.ts FOLDER");
mkdirSync(folder, { recursive: true });
const clock = { now: Date.now(), turn: () => Date.now() };
const tenant = new Tenant({ name: "Acme", founder: person("founder of Acme", "admin"), clock });
// Nobody listens there: a device is bound at once, and enrolls when it hears a relay.
writeFileSync(join(folder, "acme.keybound"), packageOf(tenant, { deployment: { relays: ["wss://127.0.0.1:9"] } }));
writeFileSync(join(folder, "pin.txt"), `${pinOf(tenant.id)}\n`);
const epochS = Math.floor(clock.now / 1000);
await buildMsi({ version: "0.0.1", epochS, file: join(folder, "older.msi") });
await buildMsi({ version: "0.0.2", epochS, file: join(folder, "newer.msi") });
