// What the system's programs answer about sessions and users, as recorded: loginctl and getent on Debian 12 (systemd 252).
import { describe, expect, it } from "vitest";
import { parseSeat, parseSession, parseSessionList } from "../../agent/run/login-sessions.ts";
import { parseCached, parsePasswd } from "../../agent/run/name-service.ts";

const ALICE = `Id=c1
User=1000
Name=alice
Display=
Type=wayland
Class=user
State=active
`;

describe("the session at the screen", () => {
  it("is the one that the seat names", () => {
    expect(parseSeat("ActiveSession=c1\n")).toBe("c1");
  });

  it.each(["ActiveSession=\n", "", "ActiveSession=../../x\n", "ActiveSession=-H host\n", "Id=c1\n"])(
    "is nobody's after %j",
    (answer) => {
      expect(parseSeat(answer)).toBeUndefined();
    },
  );
});

describe("a list of sessions", () => {
  it("is read by its first column, whatever else stands there", () => {
    expect(parseSessionList("c1 1000 alice seat0 \nc2 1001 bob         \n")).toEqual(["c1", "c2"]);
    expect(parseSessionList("     3 1000 alice seat0 tty2 active no -\n")).toEqual(["3"]);
    expect(parseSessionList("No sessions.\n\n  -x 1 y\n")).toEqual(["No"]);
  });

  it("is as long as a device runs one job, and no longer", () => {
    const many = Array.from({ length: 100 }, (_, at) => `${at} 1 x\n`).join("");
    expect(parseSessionList(many)).toHaveLength(64);
  });
});

describe("a session", () => {
  it("is taken as loginctl shows it", () => {
    expect(parseSession(ALICE, "c1")).toEqual({ id: "c1", uid: 1000, name: "alice", type: "wayland" });
    expect(parseSession(ALICE.replace("Display=", "Display=:0"), "c1")).toMatchObject({ display: ":0" });
  });

  it.each([
    ["of a greeter", "Class=user", "Class=greeter"],
    ["of a lock screen", "Class=user", "Class=lock-screen"],
    ["of the user's own services", "Class=user", "Class=manager"],
    ["in the background", "State=active", "State=online"],
    ["that is closing", "State=active", "State=closing"],
    ["of root", "User=1000", "User=0"],
    ["of a number that is none", "User=1000", "User=1000x"],
    ["without a name", "Name=alice", "Name="],
    ["of another id than was asked for", "Id=c1", "Id=c2"],
  ])("%s is not somebody who is logged on", (_of, had, has) => {
    expect(parseSession(ALICE.replace(had, has), "c1")).toBeUndefined();
  });
});

describe("an account", () => {
  const daemon = { name: "daemon", uid: 1, gid: 1, home: "/usr/sbin", shell: "/usr/sbin/nologin" };

  it("is a line of passwd(5)", () => {
    expect(parsePasswd("daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n")).toEqual(daemon);
    expect(parsePasswd("daemon:x:1:1:::\n")).toEqual({ ...daemon, home: "/", shell: "/bin/sh" });
  });

  it.each([
    "",
    "daemon:x:1\n",
    "daemon:x:-1:1::/:/bin/sh",
    "daemon:x:4294967295:1::/:/bin/sh",
    "d:x:1:1::/:/bin/sh:y",
    "d:x:0x1:1::/:/",
  ])("is none of %j", (answer) => {
    expect(parsePasswd(answer)).toBeUndefined();
  });

  it("is what dscacheutil(1) of macOS prints", () => {
    const printed =
      "name: alice\npassword: ********\nuid: 501\ngid: 20\ndir: /Users/alice\nshell: /bin/zsh\ngecos: Alice: A\n\n";
    const alice = { name: "alice", uid: 501, gid: 20, home: "/Users/alice", shell: "/bin/zsh" };
    expect(parseCached(printed)).toEqual(alice);
    expect(parseCached(`${printed}${printed.replaceAll("alice", "bob")}`)).toEqual(alice);
    expect(parseCached("")).toBeUndefined();
  });
});
