// QEMU's own iommu-smmuv3-test as recorded: every exchange and every fetch of its walks.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { shortenTrace } from "../../src/conform/trace.ts";
import { FrontEnd } from "./driver.ts";

const SUBTESTS = ["ns-s1-only", "ns-s2-only", "ns-nested"];
const file = (name: string) => new URL(`../golden/qtest/${name}`, import.meta.url);

interface Recorded {
  argv: string[];
  exchange: [string, string][];
}

const recorded = (name: string): Recorded =>
  JSON.parse(readFileSync(file(`${name}.replay.json`), "utf8"));

/** Plays one subtest; gives the answers, the walk's trace and how the program ended. */
async function play(name: string, more: string[] = [], env: Record<string, string> = {}) {
  const { argv, exchange } = recorded(name);
  const trace = ["-trace", "smmu*", "-D", "TMPDIR/qtest-PID.trace"];
  const front = await FrontEnd.start([...argv, ...trace, ...more], env);
  const greeting = await front.qmp.until("\r\n");
  const capabilities = await front.qmp.ask('{"execute": "qmp_capabilities"}');
  const answers: string[] = [];
  for (const [request] of exchange) answers.push(await front.qtest.ask(request));
  const lines = shortenTrace(front.file("qtest.trace").split("\n"));
  return { greeting, capabilities, answers, lines, exit: await front.stop() };
}

const expectedTrace = (name: string) =>
  shortenTrace(readFileSync(file(`${name}.trace`), "utf8").split("\n"));

describe("the recorded subtests of iommu-smmuv3-test", () => {
  test.each(SUBTESTS)("%s: same answers, same walk", async (name) => {
    const { greeting, capabilities, answers, lines, exit } = await play(name);
    expect(JSON.parse(greeting).QMP.version.qemu).toEqual({ micro: 3, minor: 1, major: 11 });
    expect(capabilities).toBe('{"return":{}}\r');
    expect(answers).toEqual(recorded(name).exchange.map(([, answer]) => answer));
    expect(lines).toEqual(expectedTrace(name));
    expect(lines.filter((line) => line.startsWith("pte ")).length).toBeGreaterThan(3);
    expect(exit).toEqual({ code: 0, signal: null });
  });

  test.each(SUBTESTS)("%s fails when the SMMU is switched off", async (name) => {
    for (const off of [
      () => play(name, ["-vsmmu-disable"]),
      () => play(name, [], { VSMMU_DISABLE: "1" }),
    ]) {
      const { answers, lines, exit } = await off();
      const { exchange } = recorded(name);
      expect(answers.slice(0, -3)).toEqual(exchange.slice(0, -3).map(([, answer]) => answer));
      expect(answers.slice(-2)).not.toEqual(exchange.slice(-2).map(([, answer]) => answer));
      expect(lines).toEqual([]);
      expect(exit.code).toBe(0);
    }
  });
});

test("the launch that only asks for machines", async () => {
  const front = await FrontEnd.start([
    ...["-qtest", "unix:TMPDIR/qtest-PID.sock", "-qtest-log", "/dev/null"],
    ...["-chardev", "socket,path=TMPDIR/qtest-PID.qmp,id=char0"],
    ...["-object", "monitor-qmp,id=qmp0,chardev=char0", "-display", "none", "-audio", "none"],
    ...["-machine", "none", "-accel", "qtest", "-run-with", "exit-with-parent=on"],
  ]);
  await front.qmp.until("\r\n");
  await front.qmp.ask('{"execute": "qmp_capabilities"}');
  const machines = JSON.parse(await front.qmp.ask('{"execute": "query-machines"}'));
  expect(machines.return.map((m: { name: string }) => m.name)).toContain("virt");
  expect(JSON.parse(await front.qmp.ask('{"execute": "nonsense"}')).error.class).toBe(
    "CommandNotFound",
  );
  expect(await front.qtest.ask("endianness")).toBe("OK little");
  expect((await front.stop()).code).toBe(0);
});
