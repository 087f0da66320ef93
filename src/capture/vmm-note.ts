// Says when a capture is of a machine that ran a VMM, but the VMM's own record is not in it.
import type { ReplayJob } from "./replay-job.ts";

/** What the VMM did: its trace, and its calls into the kernel. */
const RECORDS = ["vmm-trace.txt", "vmm-ioctls.jsonl"];
/** What a capture of a machine with a VMM has besides: its guest's log, its guest's SMMU. */
const MARKS = ["guest-dmesg.txt", "guest-view/manifest.json"];

/** The section of a replay that looks whether there was a VMM to check. */
export async function noteVmm({ capture, report }: ReplayJob): Promise<void> {
  const isThere = async (name: string): Promise<boolean> =>
    (await capture.files.read(name)) !== undefined ||
    (await capture.files.read(`${name}.gz`)) !== undefined;
  const missing: string[] = [];
  for (const name of RECORDS) if (!(await isThere(name))) missing.push(name);
  if (missing.length === 0) {
    report.report.vmm = "checked";
    return;
  }
  let ran = missing.length < RECORDS.length;
  for (const name of MARKS) ran ||= await isThere(name);
  if (!ran) return;
  report.report.vmm = "not recorded";
  report.note(
    `${missing.join(" and ")} not in the capture: what the VMM did was not checked, ` +
      "only the run of the machine that it ran on",
  );
}
