// A pool in the page: two workers translate a ring while the page invalidates.
import {
  AddressMap,
  command,
  EnginePool,
  GuestSmmuDriver,
  HostMemory,
  MapMemory,
} from "/dist/browser.js";

const SID = 0x10;
const IOVA = 0x8000_0000n;
const PAGE = 4096n;
const REQUESTS = 1 << 15;

/** Distinct distances between input and output that a ring shows, as text. */
const distances = (ring) => {
  const all = new Set();
  for (let i = 0; i < REQUESTS; i++) {
    const { status, pa } = ring.get(i);
    all.add(status === "ok" ? `0x${(pa - BigInt(i * 8) % PAGE).toString(16)}` : status);
  }
  return [...all];
};

/** Pages that a stream's one page pointed to, before, during and after it was mapped elsewhere. */
export async function poolAnswers() {
  const map = new AddressMap(HostMemory.create({ shared: true }));
  const pool = await EnginePool.create(map.memory, map);
  const driver = new GuestSmmuDriver(pool.smmu, new MapMemory(map, 0x4000_0000n));
  const domain = driver.domain();
  driver.attach(SID, domain);
  driver.map(domain, IOVA, 0x4800_0000n, PAGE);
  const ring = pool.ring(REQUESTS);
  for (let i = 0; i < REQUESTS; i++) ring.set(i, { sid: SID, iova: IOVA + (BigInt(i * 8) % PAGE) });
  await pool.translate(ring);
  const before = distances(ring);
  // The page waits for its workers without sleeping.
  const under = pool.translate(ring);
  await new Promise((done) => setTimeout(done));
  driver.unmap(domain, IOVA, PAGE);
  driver.map(domain, IOVA, 0x4900_0000n, PAGE);
  driver.issue(command("CMD_TLBI_NSNH_ALL"));
  await under;
  const during = distances(ring);
  await pool.translate(ring);
  const after = distances(ring);
  const { lookups } = pool.smmu.counters;
  await pool.close();
  return { before, during, after, lookups, requests: REQUESTS };
}

/** Why a page cannot have a pool. */
export async function poolRefusal() {
  try {
    const map = new AddressMap(HostMemory.create({ shared: true }));
    await EnginePool.create(map.memory, map);
    return "";
  } catch (error) {
    return String(error);
  }
}
