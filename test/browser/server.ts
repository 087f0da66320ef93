// A static server for dist/ and the test pages, with or without cross-origin isolation.
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
  ".gz": "application/octet-stream",
};
const PACKAGE = "/node_modules/vsmmu/";
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/**
 * Starts a server on a free loopback port; `url` ends without a slash. `pages` are documents by
 * path. The project answers as the installed package, too.
 */
export async function serve(
  isolated: boolean,
  pages: Readonly<Record<string, string>> = {},
): Promise<{ url: string; server: Server }> {
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url ?? "/", "http://localhost").pathname);
    try {
      const body = pages[path] ?? (await readFile(join(ROOT, path.replace(PACKAGE, "/"))));
      const type =
        path in pages ? "text/html" : (TYPES[extname(path)] ?? "application/octet-stream");
      response.writeHead(200, { "Content-Type": type, ...(isolated ? ISOLATION : {}) });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, server };
}
