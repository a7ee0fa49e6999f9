// The entry of the operator's client as one file.
import { startOrShowLicences } from "./licences.ts";

void startOrShowLicences(() => import("../../operator/main.ts"));
