// Threads of a page: dedicated workers whose script is a blob of the page's own origin.
import type { Listener, Report, Thread } from "./messages.ts";

/** Starts a worker that runs `source`. */
export async function startThread(
  source: string,
  name: string,
  listener: Listener,
): Promise<Thread> {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const worker = new Worker(url, { name });
  worker.onmessage = ({ data }: MessageEvent<Report>) => {
    URL.revokeObjectURL(url);
    listener.reported(data);
  };
  worker.onerror = ({ message }) => listener.failed(message || "its script did not load");
  return {
    post: (start) => worker.postMessage(start),
    hold: () => {},
    end: async () => worker.terminate(),
  };
}
