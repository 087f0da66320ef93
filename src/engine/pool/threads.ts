// Threads of Node; the build puts threads-web.ts in place of this for pages.
import type { Listener, Report, Thread } from "./messages.ts";

/** Starts a thread that runs `source`. */
export async function startThread(
  source: string,
  name: string,
  listener: Listener,
): Promise<Thread> {
  const { Worker } = await import("node:worker_threads");
  const worker = new Worker(source, { eval: true, name });
  worker.on("message", (report: Report) => listener.reported(report));
  worker.on("error", (error) => listener.failed(String(error)));
  worker.on("exit", () => listener.failed("its thread has ended"));
  return {
    post: (start) => worker.postMessage(start),
    hold: (on) => (on ? worker.ref() : worker.unref()),
    end: async () => {
      await worker.terminate();
    },
  };
}
