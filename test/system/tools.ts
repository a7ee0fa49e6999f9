// What these tests need from Debian beyond a plain installation, installed where it is missing.
import { needTools } from "../../scripts/package/tools.ts";

export function installTools(): void {
  needTools({ debootstrap: "debootstrap", "systemd-nspawn": "systemd-container", rpmbuild: "rpm" });
}
