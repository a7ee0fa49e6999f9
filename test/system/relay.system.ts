// The relay's unit as packaging/README.md installs it: the one file, under a real systemd, with all that the unit forbids.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { connect } from "node:tls";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { makeOneFiles } from "../../scripts/package/one-file.ts";
import { Machine } from "./machine.ts";
import { installTools } from "./tools.ts";

const ROOT = join(import.meta.dirname, "../..");
const UNIT = readFileSync(join(ROOT, "packaging/systemd/keybound-relay.service"), "utf8");
/** Below 1024, which the unit's one power is for; and nobody's on the host, whose network the machines share. */
const PORT = 841;
const folder = mkdtempSync(join(tmpdir(), "keybound-relay-unit-"));
let program: string;

beforeAll(async () => {
  installTools();
  const platform = process.arch === "arm64" ? "linux-arm64" : "linux-x64";
  const made = await makeOneFiles({ version: "0.1.0", epochS: 1_790_000_000, folder, platforms: [platform] });
  program = basename(made.find((file) => /keybound-relay-[\d.]+-linux-\w+$/.test(file)) ?? "");
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The lines of packaging/README.md under "A relay.", with the file from where this machine has it. */
function documented(): { readonly setUp: string; readonly start: string; readonly code: string } {
  const text = readFileSync(join(ROOT, "packaging/README.md"), "utf8").replaceAll("sudo ", "");
  const line = (start: string) =>
    text.split("\n").find((one) => one.startsWith(start)) ?? `no ${start} in the document`;
  const install = line("install -m 0755 keybound-relay-").replace(/keybound-relay-\S+/, `/srv/shared/${program}`);
  return {
    setUp: [install, line("useradd ")].join(" && "),
    start: line("systemctl enable --now keybound-relay"),
    code: line("journalctl -u keybound-relay"),
  };
}

async function relayMachine(): Promise<Machine> {
  const machine = await Machine.boot(folder);
  onTestFinished(() => machine[Symbol.asyncDispose]());
  machine.does(documented().setUp);
  machine.write("/etc/systemd/system/keybound-relay.service", UNIT.replace("0.0.0.0:443", `127.0.0.1:${PORT}`), 0o644);
  machine.does("systemctl daemon-reload");
  return machine;
}

function layCertificate(machine: Machine): void {
  const subject = "-subj /CN=relay.example.com -days 2 -nodes";
  machine.does(
    `install -d -g keybound-relay -m 0750 /etc/keybound-relay && cd /etc/keybound-relay &&
     openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 ${subject} -keyout privkey.pem -out fullchain.pem &&
     chgrp keybound-relay privkey.pem && chmod 0640 privkey.pem`,
  );
}

const shown = (machine: Machine, property: string) =>
  machine.does(`systemctl show --value -p ${property} keybound-relay`);

/** Whose certificate answers at the port. */
function answers(): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: PORT, host: "127.0.0.1", rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

it("is active once it listens and the journal has the claim code, by nobody's user, and stops in order", async () => {
  const machine = await relayMachine();
  layCertificate(machine);
  expect(machine.run("systemd-analyze verify keybound-relay.service")).toEqual({ code: 0, stdout: "", stderr: "" });
  machine.does(documented().start);
  expect(machine.does(documented().code)).toMatch(/^claim code: ([0-9A-Z]{5}-){3}[0-9A-Z]{5}$/);
  expect(await answers()).toBe("relay.example.com");
  const pid = shown(machine, "MainPID");
  expect(machine.does(`ps -o user= -p ${pid}`)).toMatch(/^keybound/);
  machine.does("systemctl stop keybound-relay");
  expect([shown(machine, "Result"), shown(machine, "ExecMainStatus")]).toEqual(["success", "0"]);
  expect(machine.does("journalctl -q -p warning -o cat -u keybound-relay")).toBe("");
});

it("fails the start where the certificate is missing, and says so", async () => {
  const machine = await relayMachine();
  expect(machine.run(documented().start).code).not.toBe(0);
  expect(machine.does("journalctl -u keybound-relay -o cat")).toContain(
    "cannot read /etc/keybound-relay/fullchain.pem: ENOENT",
  );
});

it("is tried again for as long as it takes, and serves once what was wrong has been put right", async () => {
  const machine = await relayMachine();
  machine.write("/etc/systemd/system/keybound-relay.service.d/soon.conf", "[Service]\nRestartSec=100ms\n", 0o644);
  machine.does("systemctl daemon-reload");
  machine.run("systemctl start keybound-relay");
  await machine.comesTrue('test "$(systemctl show --value -p NRestarts keybound-relay)" -gt 8');
  layCertificate(machine);
  await machine.comesTrue("systemctl is-active --quiet keybound-relay");
  expect(await answers()).toBe("relay.example.com");
});

it("reads the certificate again on reload, and is ended and started anew by the watchdog where it stands still", async () => {
  const machine = await relayMachine();
  layCertificate(machine);
  machine.write("/etc/systemd/system/keybound-relay.service.d/soon.conf", "[Service]\nWatchdogSec=3\n", 0o644);
  machine.does("systemctl daemon-reload && systemctl start keybound-relay");
  machine.does("systemctl reload keybound-relay");
  await machine.comesTrue("journalctl -u keybound-relay -o cat | grep -q 'certificate read again'");
  const pid = shown(machine, "MainPID");
  machine.does(`sleep 5; kill -0 ${pid} && kill -STOP ${pid}`);
  await machine.comesTrue(
    `systemctl is-active --quiet keybound-relay && systemctl show --value -p MainPID keybound-relay | grep -qvx -e 0 -e ${pid}`,
  );
  expect(machine.does("journalctl -u keybound-relay")).toMatch(/[Ww]atchdog timeout/);
  expect(await answers()).toBe("relay.example.com");
});
