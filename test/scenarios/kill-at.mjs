// Preloaded into a program (node --import): ends it with SIGKILL at the step of its life that KILL_AT counts, and writes how many steps there
// were to STEPS_FILE at its end. A step is what others could see of it: a renamed file, a committed transaction, bytes on a socket.
import fs from "node:fs";
import { Socket } from "node:net";
import { syncBuiltinESMExports } from "node:module";
import { DatabaseSync } from "node:sqlite";

const killAt = Number(process.env["KILL_AT"] ?? 0);
let steps = 0;

function step() {
  steps += 1;
  if (steps === killAt) process.kill(process.pid, "SIGKILL");
}

/** Ends right before the act, and right after it. */
function around(act) {
  return function (...args) {
    step();
    const result = act.apply(this, args);
    step();
    return result;
  };
}

fs.renameSync = around(fs.renameSync);
syncBuiltinESMExports();

const { exec } = DatabaseSync.prototype;
const committing = around(exec);
DatabaseSync.prototype.exec = function (sql) {
  return (sql === "COMMIT" ? committing : exec).call(this, sql);
};

const { write } = Socket.prototype;
const sending = around(write);
Socket.prototype.write = function (...args) {
  // The terminal's and the pipe's own writes are no steps.
  return (this.remoteAddress === undefined ? write : sending).apply(this, args);
};

process.on("exit", () => {
  if (process.env["STEPS_FILE"]) fs.writeFileSync(process.env["STEPS_FILE"], String(steps));
});
