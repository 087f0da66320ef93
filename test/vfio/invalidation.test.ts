// HWPT_INVALIDATE: which commands of a guest a vIOMMU converts, refuses and counts, kernel by
// kernel.
import { describe, expect, test } from "vitest";
import { command } from "../../src/tables/command.ts";
import { nestedHost, unhex } from "./host.ts";

describe("invalidation", () => {
  const va = unhex("120000000000020001c7ffff00000000");
  const cd = unhex("05000000080000000100000000000000");

  function prepared(kernel: "7.2" | "next") {
    const made = nestedHost({ kernel });
    made.host.client.allocVdevice(made.viommu, made.device.id, 8n);
    made.host.takeCommands();
    return { ...made, send: (...c: Uint8Array[]) => made.host.client.invalidate(made.viommu, c) };
  }

  test("VMID and StreamID become the host's, NSNH_ALL the VM's", () => {
    const { host, send } = prepared("7.2");
    expect(send(va, cd, unhex("30000000000000000000000000000000"))).toEqual({
      done: 3,
      error: undefined,
    });
    expect(host.takeCommands()).toEqual([
      "120000000100020001c7ffff00000000",
      "05000000280000000100000000000000",
      "10000000010000000000000000000000",
      "4620c00f000000000000000000000000",
    ]);
  });

  test("long arrays go out in batches of 63 with a SYNC each", () => {
    const { host, send } = prepared("7.2");
    expect(send(...Array.from({ length: 130 }, () => va)).done).toBe(130);
    const commands = host.takeCommands();
    const syncs = commands.flatMap((c, i) => (c.startsWith("46") ? [i] : []));
    expect(syncs).toEqual([63, 127, 132]);
  });

  test("7.2 counts commands that were converted but never issued; the next kernel does not", () => {
    const bad = unhex("28000000000000000000000000000000");
    const old = prepared("7.2");
    expect(old.send(va, va, bad)).toEqual({ done: 2, error: "EIO" });
    expect(old.host.takeCommands()).toEqual([]);
    const next = prepared("next");
    expect(next.send(va, va, bad)).toEqual({ done: 2, error: "EIO" });
    expect(next.host.takeCommands()).toHaveLength(4);
  });

  test.each<[string, string]>([
    ["a reserved bit", "120100000000020001c7ffff00000000"],
    ["TG without a range", "12000000000002000104000000000000"],
    ["NUM without TG", "12100000000002000100000000000000"],
    ["SCALE bit 5", "12000002000002000107ffff00000000"],
  ])("%s passes 7.2 and is EIO next", (_, text) => {
    expect(prepared("7.2").send(unhex(text)).error).toBeUndefined();
    expect(prepared("next").send(unhex(text)).error).toBe("EIO");
  });

  test("what the kernel refuses", () => {
    const { host, viommu, parent, device, send } = prepared("7.2");
    const unknown = unhex("05000000180000000100000000000000");
    expect(send(unknown)).toEqual({ done: 0, error: "EIO" });
    for (const name of ["CMD_SYNC", "CMD_CFGI_STE", "CMD_TLBI_S12_VMALL"] as const)
      expect(send(command(name)).error).toBe("EIO");
    expect(send()).toEqual({ done: 0, error: "EINVAL" });
    expect(host.client.invalidate(parent, [va]).error).toBe("EINVAL");
    expect(host.client.invalidate(99, [va]).error).toBe("ENOENT");
    const nested = host.client.allocNested(device.id, viommu, [9n, 0n]);
    expect(host.client.invalidate(nested, [va]).error).toBe("EOPNOTSUPP");
    expect(host.takeCommands()).toEqual([]);
  });
});
