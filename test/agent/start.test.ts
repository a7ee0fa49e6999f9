// The starter under the /bin/sh of this machine; start.suite.ts has the other shells.
import { testStarter } from "./starter-tests.ts";

testStarter(["/bin/sh"]);
