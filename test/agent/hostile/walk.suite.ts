// What holds a job on macOS, run on Linux: the process group, and a walk through what `ps` shows.
import { expect, it } from "vitest";
import { groupContainment } from "../../../agent/run/group-containment.ts";
import { PRELUDE, ran } from "./hostile-job.ts";

const python = (lines: string, timeMs = 20_000, over = {}) => ({
  shell: "python",
  source: `${PRELUDE}${lines}\n`,
  limits: { timeMs, outputBytes: 10_000 },
  ...over,
});

it("nobody knows whether a job left something behind that cannot be seen", async () => {
  expect(await ran(python("say(os.getpid())"), groupContainment())).toMatchObject({ contained: "unknown", alive: [] });
});

it("what left the group and has its parent is ended, deaf or not", async () => {
  const deaf = "deaf()\nif os.fork() == 0:\n    os.setsid()\n    deaf()\nsay(os.getpid())\nlive()";
  const { pids, alive, contained } = await ran(python(deaf, 500), groupContainment());
  expect({ started: pids.length, alive, contained }).toEqual({ started: 2, alive: [], contained: "unknown" });
});

it("what is stopped is ended", async () => {
  const stopped =
    "if os.fork() == 0:\n    say(os.getpid())\n    os.kill(os.getpid(), signal.SIGSTOP)\n    live()\ntime.sleep(0.3)";
  const { alive, pids } = await ran(python(stopped), groupContainment());
  expect({ started: pids.length, alive }).toEqual({ started: 1, alive: [] });
});

it("a daemon that was seen with its parent is ended after it lost it", async () => {
  const late = "if os.fork() == 0:\n    os.setsid()\n    say(os.getpid())\n    live()\ntime.sleep(3)";
  const { alive, pids } = await ran(python(late), groupContainment());
  expect({ started: pids.length, alive }).toEqual({ started: 1, alive: [] });
});

it("what is left on purpose in the group lives on, and the receipt says so", async () => {
  const left = "if os.fork() == 0:\n    say(os.getpid())\n    live()\ntime.sleep(0.3)";
  const { alive, pids, contained } = await ran(python(left, 20_000, { leave: true }), groupContainment());
  expect({ alive, contained }).toEqual({ alive: pids, contained: "left" });
});

it("a limit that is not applied there is named", async () => {
  const { unenforced } = await ran(
    python("", 20_000, { limits: { timeMs: 5_000, outputBytes: 0, processes: 4 } }),
    groupContainment(),
  );
  expect(unenforced).toEqual(["processes"]);
});
