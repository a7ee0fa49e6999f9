// The platforms that programs are built for, as files of a release are named (SPEC 8.10).
import * as v from "valibot";

export const Platform = v.picklist(["linux-x64", "linux-arm64", "macos-x64", "macos-arm64", "windows-x64"]);
export type Platform = v.InferOutput<typeof Platform>;
