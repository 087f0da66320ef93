// `vsmmu run`: resolves every vector of a captured guest both ways and delivers it.

import { accelDoorbells } from "../capture/accel-doorbells.ts";
import { machineOf } from "../capture/machine.ts";
import { describeSmmu, summarizeSmmu } from "../capture/smmu-summary.ts";
import { measureCost } from "../machine/cost.ts";
import { programmedVectors, type RouteReport, resolveVectors } from "../machine/route.ts";
import { formatDoorbells } from "../view/doorbells.ts";
import { toJson } from "../view/json.ts";
import { painter } from "../view/paint.ts";
import { formatRoutes } from "../view/routes.ts";
import { type Command, type Context, EXIT, UsageError } from "./command.ts";
import { flagOption, textOption } from "./parse.ts";
import { openNamed } from "./source.ts";

export const command: Command = {
  name: "run",
  summary: "resolve every MSI-X vector of a captured guest, by walk and by direct doorbell",
  usage: "[CAPTURE | --scenario NAME]",
  description:
    "Puts the captured machine together and takes every interrupt vector that the guest " +
    "programmed through VFIO's route fix-up twice: by walking the guest's tables, and by asking " +
    "the SMMU for its doorbell. Then KVM routes the message and the ITS turns it into an LPI.\n\n" +
    "With --scenario, performs a scenario of the accelerated system instead: a built-in one by " +
    "its name (see: vsmmu scenarios), or a YAML or JSON file.\n\n" +
    "Exits with 1 when the two ways differ or a message is lost, or when a step of the scenario " +
    "comes to something else than expected.",
  options: {
    scenario: { type: "string", value: "NAME", help: "perform a scenario, built in or a file" },
  },
  positionals: [
    { name: "CAPTURE", help: "a capture's directory; the built-in one without it", optional: true },
  ],
  examples: [
    ["vsmmu run", "the built-in capture: a Linux 7.2 guest with 18 vectors"],
    ["vsmmu run captures/s1-16k-strict --json", "another capture, for programs"],
    ["vsmmu run --scenario torn-ste", "a route made while the guest rewrites its STE"],
  ],
  run,
};

async function run(c: Context): Promise<number> {
  const scenario = textOption(c.args, "scenario");
  if (scenario !== undefined) {
    if (c.args.positionals.length > 0) throw new UsageError("a scenario needs no capture");
    const { performScenario } = await import("./scenario.ts");
    return await performScenario(c, scenario);
  }
  return await runCapture(c);
}

async function runCapture(c: Context): Promise<number> {
  const capture = await openNamed(c.args.positionals[0]);
  const machine = await machineOf(capture);
  const vectors = programmedVectors(machine);
  const routes = resolveVectors(machine);
  const cost = measureCost(machine, vectors, routes);
  const accel = await accelDoorbells(capture, machine);
  const read = (pa: bigint) => machine.map.readU64(pa);
  const smmus = capture.manifest.smmus.map((s) => summarizeSmmu(s, read));
  const wrong = routes.some((r) => !r.agree || r.delivery.status === "lost");
  if (flagOption(c.args, "json")) {
    c.out(
      toJson({
        capture: capture.name,
        guest: capture.guest,
        smmus,
        routes: routes.map(jsonRoute),
        summary: {
          routes: routes.length,
          agree: routes.filter((r) => r.agree).length,
          delivered: routes.filter((r) => r.delivery.status === "delivered").length,
        },
        cost,
        ...(accel.length > 0 ? { accel } : {}),
      }),
    );
  } else {
    const view = { capture: capture.name, guest: capture.guest, routes, cost };
    const lines = { ...view, smmus: smmus.map(describeSmmu) };
    const paint = painter(c.color);
    const text = [
      ...formatRoutes(lines, paint, c.width),
      ...formatDoorbells(accel, paint, c.width),
    ];
    c.out(text.join("\n"));
  }
  return wrong ? EXIT.found : EXIT.ok;
}

function jsonRoute(r: RouteReport) {
  const { bdf, sid, vector, masked, iova, data, walk, direct, agree, route } = r;
  const { status, reason, deviceId, eventId, lpi, target } = r.delivery;
  const delivery = { status, reason, deviceId, eventId, lpi, target };
  return { bdf, sid, vector, masked, iova, data, walk, direct, agree, route, delivery };
}
