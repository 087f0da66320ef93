// The engine in C over a copy of a machine's memory, brought to life by the same calls.
import { buildTwin, type Compiler } from "../native/build.ts";
import { Native, type Pages } from "../native/process.ts";
import type { Policy, World } from "../world/world.ts";

/** A native process that stands where an engine with its state at `stateAt` would. */
export async function startTwin(
  world: World,
  compiler: Compiler,
  policy: Policy,
  stateAt: number,
  pages: Pages = "small",
): Promise<Native> {
  const native = new Native(await buildTwin(compiler));
  await native.load(world.memory, pages);
  const abi = native.abi();
  world.start(abi, stateAt, policy);
  await abi.settled();
  return native;
}
