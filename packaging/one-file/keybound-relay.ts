// The entry of the relay as one file.
import { startOrShowLicences } from "./licences.ts";

void startOrShowLicences(() => import("../../relay/main.ts"));
