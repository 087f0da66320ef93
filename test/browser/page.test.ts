// The library in headless Chromium: the same routes as in Node, unshared and shared.
import { existsSync, readFileSync } from "node:fs";
import type { Server } from "node:http";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openCapture } from "../../src/capture/capture.ts";
import { machineOf } from "../../src/capture/machine.ts";
import { directoryFiles } from "../../src/capture/node.ts";
import { resolveVectors } from "../../src/machine/route.ts";
import { type VectorOptions, type VectorSet, vectors } from "../../src/vectors/index.ts";
import { readSnippets } from "../snippets.ts";
import { serve } from "./server.ts";

const CAPTURE = "/dist/captures/s1-4k-strict-nobg/";
const EXECUTABLE = process.env.CHROMIUM ?? "/usr/bin/chromium";

interface TestWindow {
  ready: boolean;
  isolated: boolean;
  vectorsHere(options: VectorOptions): Promise<VectorSet>;
  routesHere(capture: string): Promise<unknown>;
  poolAnswers(): Promise<{ lookups: number; requests: number } & Record<string, string[]>>;
  poolRefusal(): Promise<string>;
  routesInWorker(capture: string): Promise<{ routes: unknown; seen: number[]; expected: number[] }>;
}

let browser: Browser;
const servers: Server[] = [];

beforeAll(async () => {
  if (!existsSync(EXECUTABLE)) {
    throw new Error(`no Chromium at ${EXECUTABLE}: apt-get install chromium, or set CHROMIUM`);
  }
  browser = await chromium.launch({
    executablePath: EXECUTABLE,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  });
});

afterAll(async () => {
  await browser?.close();
  for (const server of servers) server.close();
});

async function open(isolated: boolean): Promise<Page> {
  const { url, server } = await serve(isolated);
  servers.push(server);
  const page = await browser.newPage();
  await page.goto(`${url}/test/browser/pages/index.html`);
  await page.waitForFunction(() => (globalThis as unknown as TestWindow).ready === true);
  return page;
}

/** The routes as Node resolves them, with addresses as strings. */
async function routesInNode(): Promise<unknown> {
  const directory = fileURLToPath(new URL(`../..${CAPTURE}`, import.meta.url));
  const machine = await machineOf(await openCapture(await directoryFiles(directory)));
  const text = JSON.stringify(resolveVectors(machine), (_, v) =>
    typeof v === "bigint" ? `0x${v.toString(16)}` : v,
  );
  return JSON.parse(text);
}

test("a page without cross-origin isolation gets Node's routes", async () => {
  const page = await open(false);
  expect(await page.evaluate(() => (globalThis as unknown as TestWindow).isolated)).toBe(false);
  const routes = await page.evaluate(
    (c) => (globalThis as unknown as TestWindow).routesHere(c),
    CAPTURE,
  );
  const expected = await routesInNode();
  expect(expected).toHaveLength(18);
  expect(routes).toEqual(expected);
});

test("a page makes Node's vectors, from the package's build for browsers", async () => {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  expect(manifest.exports["./vectors"].browser).toBe("./dist/vectors-browser.js");
  const page = await open(false);
  const options: VectorOptions = { seed: 5, count: 3 };
  const made = await page.evaluate(
    (o) => (globalThis as unknown as TestWindow).vectorsHere(o),
    options,
  );
  const expected = await vectors(options);
  expect(expected.vectors.length).toBeGreaterThan(40);
  expect(made).toEqual(JSON.parse(JSON.stringify(expected)));
});

test("a worker over shared memory of an isolated page gets them too", async () => {
  const page = await open(true);
  expect(await page.evaluate(() => (globalThis as unknown as TestWindow).isolated)).toBe(true);
  const answer = await page.evaluate(
    (c) => (globalThis as unknown as TestWindow).routesInWorker(c),
    CAPTURE,
  );
  expect(answer.routes).toEqual(await routesInNode());
  expect(answer.seen).toEqual(answer.expected);
  expect(answer.seen.some((byte) => byte !== 0)).toBe(true);
});

test("a pool of an isolated page follows its invalidations", async () => {
  const page = await open(true);
  const answers = await page.evaluate(() => (globalThis as unknown as TestWindow).poolAnswers());
  expect(answers.before).toEqual(["0x48000000"]);
  expect(answers.after).toEqual(["0x49000000"]);
  const possible = ["0x48000000", "0x49000000", "event"];
  expect(answers.during.filter((page) => !possible.includes(page))).toEqual([]);
  expect(answers.lookups).toBeGreaterThan(answers.requests * 2);
});

test("a page without cross-origin isolation is told why it has no pool", async () => {
  const page = await open(false);
  const reason = await page.evaluate(() => (globalThis as unknown as TestWindow).poolRefusal());
  expect(reason).toContain("Cross-Origin-Opener-Policy: same-origin");
});

test("the README's page snippet resolves the vectors", async () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const [snippet] = readSnippets(readme).filter((s) => s.language === "html");
  expect(snippet.code.trim().split("\n").length).toBeLessThan(16);
  const { url, server } = await serve(false, { "/readme.html": snippet.code });
  servers.push(server);
  const page = await browser.newPage();
  await page.goto(`${url}/readme.html`);
  await page.waitForFunction(() => document.title !== "");
  expect(await page.title()).toBe("18 vectors");
});
