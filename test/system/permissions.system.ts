// What everybody else on a machine can do to an installed agent while it runs a job that is a secret: read a short list, change nothing.
import { afterAll, beforeAll, expect, it } from "vitest";
import { fileFor } from "../cast/job-file.ts";
import { Desk, Estate } from "../e2e/estate.ts";
import { submission } from "../relay/moves.ts";
import { deploymentOn, dpkg, makePackages, NOW_VERSION, type Packages } from "./installed.ts";
import { Machine } from "./machine.ts";

/** Stands in the job's source, in a file that it brings, and in one that it waits with. */
const SECRET = "wallaby-39-secret";
const held = new AsyncDisposableStack();
let machine: Machine;

beforeAll(async () => {
  const packages: Packages = held.use(await makePackages());
  const estate = held.use(await Estate.open());
  machine = held.use(await Machine.boot(packages.folder));
  const tenant = await estate.found("permissions");
  machine.does("touch /root/before");
  // As where an image was prepared, and its deployment has not been taken.
  machine.does("mkdir -p -m 700 /etc/keybound");
  machine.does(dpkg(NOW_VERSION), deploymentOn(machine, { estate, tenant }));
  machine.write("/etc/keybound/trust", `${SECRET}\n`);
  machine.does("keybound-agent network --proxy http://user:proxy-secret@127.0.0.1:1");
  const desk = held.use(await Desk.open(estate, tenant));
  const device = await desk.device();
  const brought = fileFor({ path: "brought.txt", content: new TextEncoder().encode(`${SECRET}\n`) });
  const { blob, size } = { blob: brought.file.blob, size: brought.sealed.length };
  await desk.client.done({ type: "put-blob", blob, offset: 0, size }, [brought.sealed]);
  const source = `: ${SECRET}\ncp "$KEYBOUND_FILES/brought.txt" /root/copied\nsleep 600`;
  const { header, parts } = submission(desk.job(device, "", { body: { source, files: [brought.file] } }));
  await desk.client.done({ ...header, blobs: [blob] }, parts);
  await desk.send(device, `: ${SECRET}`, { manifest: { notBefore: Date.now() + 600_000 } });
  await machine.comesTrue("grep -q secret /root/copied");
}, 240_000);

afterAll(() => held[Symbol.asyncDispose]());

/** As somebody with no rights; what they may not read or enter says so on stderr, and nothing else does. */
const asNobody = (line: string): readonly string[] =>
  listed(machine.run(`setpriv --reuid=65534 --regid=65534 --clear-groups sh -c '${line}'`).stdout);
const asRoot = (line: string): readonly string[] => listed(machine.does(line));
const listed = (text: string) => text.split("\n").filter((one) => one !== "");

const MADE =
  "/var/lib/keybound /var/lib/keybound.files /var/lib/keybound.status.json /etc/keybound /var/log/keybound-agent-install.log";
const SHIPPED =
  "/usr/bin/keybound-agent /usr/libexec/keybound-agent /usr/lib/systemd/system/keybound-agent.service /usr/share/doc/keybound-agent";
/** Processes of the service: the agent, and everything of its jobs. */
const PROCESSES = "cat $(find /sys/fs/cgroup -path '*keybound-agent.service*' -name cgroup.procs)";

it("there is something to be hidden: state, settings, sealed files, a job's folder and its processes", () => {
  const found = asRoot(`find ${MADE} -type f`);
  expect(found).toEqual(
    expect.arrayContaining([
      "/var/lib/keybound/state.db",
      "/var/lib/keybound/network.json",
      "/var/lib/keybound.status.json",
      expect.stringMatching(/^\/var\/lib\/keybound\.files\/.*\/brought\.txt$/),
    ]),
  );
  expect(asRoot(PROCESSES).length).toBeGreaterThan(1);
});

it("nobody but root can write any of it, nor a folder above it up to the root", () => {
  expect(asRoot(`find ${MADE} ${SHIPPED} ! -type l \\( -perm /022 -o ! -user 0 -o ! -group 0 \\)`)).toEqual([]);
  expect(asNobody(`find ${MADE} ${SHIPPED} -writable ! -type l`)).toEqual([]);
  const above = `for path in ${MADE} ${SHIPPED}; do while [ "$path" != / ]; do path=$(dirname "$path"); echo "$path"; done; done | sort -u`;
  expect(asRoot(`find $(${above}) -maxdepth 0 \\( -perm /022 -o ! -user 0 \\)`)).toEqual([]);
});

it("everybody reads the package's files and the public status, and nothing else of it", () => {
  expect(asNobody(`find ${MADE} -readable`)).toEqual(["/var/lib/keybound.status.json"]);
  expect(asNobody(`find ${SHIPPED} ! -readable`)).toEqual([]);
  // Its folders can be passed through by a job's user who knows the job's id, and not be listed.
  const open = asRoot(`find ${MADE} -perm /077 -printf '%m %p\\n' | sort`);
  expect(open).toEqual(["644 /var/lib/keybound.status.json", "711 /var/lib/keybound.files"]);
});

it("the public status has nothing of jobs, keys or the proxy", () => {
  expect(machine.read("/var/lib/keybound.status.json")).not.toMatch(/secret|seed|source|proxy/);
});

it("no command line and no environment has a job's source, and others read no environment of the service", () => {
  const own = asRoot(PROCESSES);
  const all = machine.does(
    `for pid in $(ls /proc | grep '^[0-9]*$'); do cat /proc/$pid/cmdline /proc/$pid/environ; done 2>/dev/null | tr '\\0' '\\n'`,
  );
  expect(all).toContain("sleep\n600");
  expect(all).not.toContain(SECRET);
  for (const pid of own) {
    expect(
      asNobody(`cat /proc/${pid}/environ /proc/${pid}/maps /proc/${pid}/fd/3; ls /proc/${pid}/fd /proc/${pid}/cwd`),
    ).toEqual([]);
  }
});

it("the secret is in no log, no temporary folder and no socket's place", () => {
  const places = "/tmp /var/tmp /run /dev/shm /var/log /var/cache";
  const hits = machine.run(`grep -r -l -s -D skip ${SECRET} ${places}`).stdout;
  expect(hits).toBe("");
  expect(machine.does("journalctl --no-pager -o cat | cat")).not.toContain(SECRET);
  expect(asRoot("find /tmp /var/tmp /dev/shm -mindepth 1 -newer /root/before -perm /077 ! -type l")).toEqual([]);
  expect(asRoot("find / -xdev -type s -path '*keybound*'")).toEqual([]);
});
