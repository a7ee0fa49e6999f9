// The doctor as a person asks for it: in words or as JSON, and a file for support where one is asked for.
import { diagnose, type DoctorOptions } from "./doctor.ts";
import { writeBundle } from "./bundle.ts";
import { diagnosisWords } from "./words.ts";

export type DoctorCommand = DoctorOptions & {
  readonly json: boolean;
  /** Where the support bundle is to be written. */
  readonly bundle: string | undefined;
};

/** Answers what is to be printed, and whether nothing has failed. Throws `file-unwritable` where the bundle cannot be. */
export async function doctorCommand(
  command: DoctorCommand,
): Promise<{ readonly text: string; readonly isWell: boolean }> {
  const { paths, bundle, json } = command;
  const diagnosis = await diagnose(command);
  if (bundle !== undefined) writeBundle(bundle, { diagnosis, paths });
  const text = json ? JSON.stringify(diagnosis, undefined, 1) : diagnosisWords(diagnosis);
  return { text, isWell: diagnosis.ok };
}
