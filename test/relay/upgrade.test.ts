// A database that the first version of the relay made: opened by this one, nothing of it is lost, and it does what a new one does.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { pinOf } from "../../protocol/pin.ts";
import { claimHash } from "../../relay/claim.ts";
import { SCHEMA_VERSION } from "../../relay/schema.ts";
import { openStore } from "../../relay/store.ts";
import { reportOf } from "../cast/binding-report.ts";
import { DAY } from "../cast/clock.ts";
import { device, enrolmentOf } from "../cast/device.ts";
import { jobFor } from "../cast/job.ts";
import { requestOf } from "../cast/key-request.ts";
import { person, raw } from "../cast/person.ts";
import { Tenant } from "../cast/tenant.ts";
import { deviceAt, operatorAt, WireClient } from "../cast/wire-client.ts";
import { House } from "./house.ts";
import { newcomerAt } from "./moves.ts";

const VERSION_1 = readFileSync(join(import.meta.dirname, "made/relay-1.sql"), "utf8");
const CLAIM = "507RM-ETSMT-8S0XA-WC8N7";
const web = device("web-1");

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "keybound-upgrade-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** A database of version 1 with a tenant, a device, a job that waits for it, and a claim code. */
function written(path: string, tenant: Tenant): string {
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA journal_mode = WAL; ${VERSION_1} PRAGMA user_version = 1;`);
  const { now } = tenant.clock;
  const job = jobFor({ tenant, devices: [web] });
  const insert = (sql: string, ...values: readonly (string | number | Uint8Array)[]) => db.prepare(sql).run(...values);
  insert("INSERT INTO tenant VALUES (1, ?, ?, 0)", tenant.id, now);
  insert("INSERT INTO entry VALUES (1, 'key', 0, ?, ?)", tenant.id, tenant.log[0] ?? "");
  insert("INSERT INTO claim VALUES (?, ?, ?, NULL)", claimHash(CLAIM) ?? "", now, now + DAY);
  const { request } = enrolmentOf(web, tenant);
  const columns = "tenant, id, sig, request, seen_at";
  insert(`INSERT INTO device (${columns}) VALUES (1, ?, ?, ?, ?)`, web.id, raw(web.signer), request, now);
  const { envelope, body, wraps } = job;
  const jobs = "INSERT INTO job VALUES (1, 1, ?, ?, x'00', ?, 1, 0, ?, ?, ?)";
  insert(jobs, job.job, job.job, now, envelope, body, wraps[1] ?? "");
  const deliveries = "INSERT INTO delivery VALUES (1, 0, 1, ?, ?, 'queued', NULL, ?)";
  insert(deliveries, web.id, wraps[0] ?? "", now + DAY);
  db.close();
  return path;
}

function cutOff(): never {
  throw new Error("cut off");
}

function tablesOf(path: string): { readonly version: unknown; readonly tables: readonly unknown[] } {
  const db = new DatabaseSync(path, { readOnly: true });
  const version = db.prepare("PRAGMA user_version").get()?.["user_version"];
  const tables = db.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name").all();
  db.close();
  return { version, tables };
}

test("an older database comes to the same tables as a new one", () => {
  const [older, newer] = [written(join(folder, "older.db"), new Tenant()), join(folder, "newer.db")];
  for (const path of [older, newer]) openStore({ path }).db.close();
  expect(tablesOf(older)).toEqual(tablesOf(newer));
  expect(tablesOf(older).version).toBe(SCHEMA_VERSION);
});

test("an older database that is opened again is left alone", () => {
  const path = written(join(folder, "relay.db"), new Tenant());
  openStore({ path }).db.close();
  const once = tablesOf(path);
  openStore({ path }).db.close();
  expect(tablesOf(path)).toEqual(once);
});

test("a step that is cut off leaves the database as it was", () => {
  const path = written(join(folder, "relay.db"), new Tenant());
  const before = tablesOf(path);
  expect(() => openStore({ path, observe: cutOff })).toThrow("cut off");
  expect(tablesOf(path)).toEqual(before);
});

test("a newer database is left to the program that wrote it", () => {
  const path = join(folder, "relay.db");
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
  db.close();
  expect(() => openStore({ path })).toThrow(`version ${SCHEMA_VERSION + 1}`);
});

test("a relay on an older database serves what stood in it, and what is new", async () => {
  const tenant = new Tenant();
  written(join(folder, "relay.db"), tenant);
  await using house = await House.empty(tenant, { folder });
  const { url } = house;
  const operator = await operatorAt(url, tenant);
  const target = await deviceAt(url, tenant, web);
  await target.next("job");
  await target.done({ type: "report" }, [reportOf(web, tenant)]);
  const listed = await operator.request({ type: "list-devices" });
  expect(listed.header["devices"]).toMatchObject([{ device: web.id, reported: true }]);
  const grace = person("Grace");
  await (await newcomerAt(url, tenant, grace)).done({ type: "file-request" }, [requestOf(tenant, grace).bytes]);
  const client = await WireClient.dial(url);
  const found = await client.request({ type: "find-tenant", pin: pinOf(tenant.id) });
  expect(found.header["tenant"]).toBe(tenant.id);
  const other = new Tenant({ name: "Other", founder: person("Olga", "admin") });
  await client.done({ type: "create-tenant", claim: CLAIM }, other.log);
});
