// What the browser test bundles. It exports nothing and leaves its two names on the global object, so that the bundle is a plain script.
import { judgeJob, protocol } from "./browser-judge.ts";

Object.assign(globalThis, { judgeJob, keybound: protocol });
