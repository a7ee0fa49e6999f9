// A world with nobody in it: no home, no input, and a clock that stands; what is said goes where it is told.
import { Readable, Writable } from "node:stream";
import type { World } from "../../operator/world.ts";

export function nobody(onSaid: (text: string) => void = () => undefined): World {
  const output = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      onSaid(chunk.toString("utf8"));
      done();
    },
  });
  return {
    now: () => 0,
    random: (bytes) => new Uint8Array(bytes),
    env: {},
    platform: "linux",
    homeFolder: "/nowhere",
    stdin: Readable.from([]),
    stdout: output,
    stderr: output,
    onInterrupt: () => () => undefined,
    onUnread: () => () => undefined,
  };
}
