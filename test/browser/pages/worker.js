// A worker that runs the captured machine over a memory that the page made and shares.
import { HostMemory, machineOf, openCapture, resolveVectors, webFiles } from "/dist/browser.js";

onmessage = async ({ data }) => {
  const memory = HostMemory.create({ adopt: data.memory });
  const capture = await openCapture(webFiles(new URL(data.capture)));
  const machine = await machineOf(capture, { memory });
  const routes = JSON.parse(
    JSON.stringify(resolveVectors(machine), (_, v) =>
      typeof v === "bigint" ? `0x${v.toString(16)}` : v,
    ),
  );
  const { base, lin } = machine.map.regions()[0];
  const bytes = [...machine.map.readBytes(base, 8)];
  postMessage({ routes, firstPage: { lin, bytes } });
};
