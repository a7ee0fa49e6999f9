// A folder with a `loginctl` that answers as systemd 252 does, for sessions that a test makes up; the other programs are the system's.
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SYSTEM_PLACES, type SystemPlaces } from "../../agent/run/account.ts";

export type StubSession = {
  readonly id: string;
  readonly uid: number;
  readonly name: string;
  readonly class?: string;
  readonly state?: string;
  readonly type?: string;
};

/** `active`: the id of the session in front of seat0. */
export function placesWith(folder: string, sessions: readonly StubSession[], active?: string): SystemPlaces {
  const programs = join(folder, "programs");
  const runtime = join(folder, "runtime");
  for (const path of [programs, runtime]) mkdirSync(path, { recursive: true });
  // Other users come here too.
  for (const path of [folder, programs, runtime]) chmodSync(path, 0o755);
  const listed = sessions.map(({ id, uid, name }) => `${id.padStart(7)} ${String(uid).padStart(4)} ${name} seat0 tty2`);
  const shown = sessions.map((session) => `show-session:${session.id})\ncat <<'END'\n${properties(session)}\nEND\n;;`);
  write(
    join(programs, "loginctl"),
    `case "$1:$2" in
list-sessions:*)
cat <<'END'
${listed.join("\n")}
END
;;
show-seat:seat0) echo "ActiveSession=${active ?? ""}" ;;
${shown.join("\n")}
*) echo "Failed to get session" >&2; exit 1 ;;
esac`,
  );
  return { programs: [programs, ...SYSTEM_PLACES.programs], runtime };
}

function properties({ id, uid, name, class: kind = "user", state = "active", type = "tty" }: StubSession): string {
  return `Id=${id}\nUser=${uid}\nName=${name}\nDisplay=\nType=${type}\nClass=${kind}\nState=${state}`;
}

function write(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
}
