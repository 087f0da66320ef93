// The same record in every form in which people paste it: quoted, wrapped, split, marked up.
import { describe, expect, test } from "vitest";
import { decodeText, type EventRecord } from "../../src/decode/index.ts";
import { kernelLines, word } from "./kernel-text.ts";

/** A write of stream 0x7d12 to a doorbell; bits 106 and 108 are set as some hardware does. */
const WORDS = ["0x7d1200000010", "0x0000020000000000", "0xfffef040", "0x0"];

const events = (text: string): EventRecord[] =>
  decodeText(text).records.filter((r): r is EventRecord => r.kind === "event");

function expectWhole(text: string, device?: string): void {
  const found = events(text);
  expect(found).toHaveLength(1);
  const [e] = found;
  expect(e).toMatchObject({
    event: "F_TRANSLATION",
    sid: 0x7d12,
    iova: 0xfffef040n,
    direction: "write",
    class: "IN",
    stage: 1,
    complete: true,
  });
  expect(e.words).toEqual(WORDS.map(BigInt));
  expect(e.hints.map((h) => h.id)).toContain("msi-doorbell");
  if (device !== undefined) expect(e.device).toBe(device);
}

const lines = kernelLines(WORDS);
const stamp = (n: number): string => `[ 6542.67062${n}] `;

describe("log prefixes and device names", () => {
  const prefixes: [string, (n: number) => string][] = [
    ["none", () => ""],
    ["time stamp", stamp],
    ["wall clock of dmesg -T", () => "[Fri Nov  8 12:00:00 2024] "],
    ["thread of PRINTK_CALLER", (n) => `[ 6542.67062${n}][  T217] `],
    ["CPU of PRINTK_CALLER, with a space", (n) => `[ 6542.67062${n}] [    C3] `],
    ["level of dmesg -r", (n) => `<3>[ 6542.67062${n}] `],
    ["facility of dmesg -x", (n) => `kern  :err   : [ 6542.67062${n}] `],
    ["journal", () => "Nov 08 12:00:00 board-7 kernel: "],
    ["syslog with time stamp", (n) => `Nov  8 12:00:00 board kernel: [ 6542.67062${n}] `],
    ["ISO time", () => "2024-11-08T12:00:00.123456+00:00 board kernel: "],
    ["time stamp that lost its bracket", (n) => `6542.67062${n}] `],
    ["console log with carriage returns", () => "\r"],
    ["commit message indent", () => "    "],
  ];
  test.each(prefixes)("%s", (_, prefix) => {
    const text = kernelLines(WORDS, { prefix }).join("\n");
    expectWhole(text, "arm-smmu-v3.3.auto");
  });

  test.each([
    ["arm-smmu-v3 arm-smmu-v3.1.auto", "arm-smmu-v3.1.auto"],
    ["arm-smmu-v3 9050000.smmuv3", "9050000.smmuv3"],
    ["arm-smmu-v3 fc900000.iommu", "fc900000.iommu"],
    ["arm-smmu-v3 8806000000.iommu", "8806000000.iommu"],
    ["arm-smmu-v3", "arm-smmu-v3"],
    ["(XEN) SMMUv3: /smmuv3@9050000", "/smmuv3@9050000"],
    ["(XEN) [2024-11-08 12:00:00] SMMUv3: /soc/iommu@2b400000", "/soc/iommu@2b400000"],
    ["platform arm-smmu-v3.0.auto", "arm-smmu-v3.0.auto"],
  ])("device %s", (device, name) => {
    expectWhole(kernelLines(WORDS, { device }).join("\n"), name);
  });

  test.each([["\t"], [" "], ["     "], ["\t\t"], [""]])("gap %j before the words", (gap) => {
    expectWhole(kernelLines(WORDS, { gap }).join("\n"));
  });

  test("time stamps are read", () => {
    expect(events(kernelLines(WORDS, { prefix: stamp }).join("\n"))[0].time).toBe(6542.67062);
  });

  test("/dev/kmsg escapes tabs and adds continuation lines", () => {
    const text = lines
      .map((l, i) =>
        [
          `3,${1200 + i},6542670624,-;${l.replace("\t", "\\x09")}`,
          ` SUBSYSTEM=platform`,
          ` DEVICE=+platform:arm-smmu-v3.3.auto`,
        ].join("\n"),
      )
      .join("\n");
    expectWhole(text, "arm-smmu-v3.3.auto");
    expect(events(text)[0].time).toBe(6542.670624);
  });
});

describe("mail, browsers and chats", () => {
  test.each([["> "], ["> > "], [">> "], ["> > > > > "], ["| "], ["> | "], ["  > "], [">"]])(
    "quoted with %j",
    (quote) => {
      const quoted = kernelLines(WORDS, { prefix: stamp }).map((l) => quote + l);
      expectWhole(quoted.join("\n"));
    },
  );

  test("quoted-printable: a word broken by a soft line end", () => {
    const text = kernelLines(WORDS, { prefix: stamp })
      .join("\n")
      .replace("0x00007d12000", "0x00007d12=\n000");
    expect(text).toContain("=\n");
    expectWhole(text);
  });

  test("quoted-printable inside a quoted mail", () => {
    const quoted = kernelLines(WORDS, { prefix: stamp }).map(
      (l) => `> > ${l.replace("\t", "=09")}`,
    );
    expectWhole(quoted.join("\n").replace("fffef040", "fff=\nef040"));
    expectWhole(quoted.join("\r\n").replace("fffef040", "fff=\r\n> > ef040"));
  });

  test("quoted-printable keeps equals signs that are encoded", () => {
    const text = `root=3D/dev/vda\n${lines.join("\n")}`;
    expectWhole(text);
  });

  test("a line wrapped after the device name", () => {
    expectWhole(lines.map((l) => l.replace(": \t", ":\n")).join("\n"));
  });

  test("a header line wrapped in the middle", () => {
    expectWhole(lines.join("\n").replace("event 0x10 received", "event 0x10\nreceived"));
    expectWhole(lines.join("\n").replace("event 0x10 received", "event\n0x10 received"));
  });

  test("HTML: entities, tags and line breaks", () => {
    const html = lines.map((l) => `&gt;&nbsp;${l}`).join("<br/>");
    expectWhole(`<pre><code class="language-text">${html}</code></pre>`);
    expectWhole(lines.map((l) => `<p data-x="1"><b>${l}</b></p>`).join(""));
  });

  test("terminal colours", () => {
    expectWhole(lines.map((l) => `\x1b[31m${l}\x1b[0m`).join("\n"));
  });

  test("JSON: a list of strings, journal records one a line", () => {
    expectWhole(JSON.stringify(lines));
    expectWhole(JSON.stringify(lines, null, 2));
    const journal = lines.map((l) => JSON.stringify({ PRIORITY: "3", MESSAGE: l, _PID: "1" }));
    expectWhole(journal.join("\n"), "arm-smmu-v3.3.auto");
  });

  test("escaped line ends and tabs of a quoted string", () => {
    expectWhole(`"${lines.join("\\n").replaceAll("\t", "\\t")}"`);
  });

  test.each([["\r\n"], ["\r"], ["\n\n"]])("line ends %j", (end) => {
    expectWhole(lines.join(end));
  });

  test("no-break spaces and zero-width characters", () => {
    expectWhole(lines.map((l) => l.replaceAll(" ", "\u00a0").replace("0x", "\u200b0x")).join("\n"));
  });

  test("a code block with indentation and backticks", () => {
    expectWhole(`\`\`\`\n${lines.map((l) => `    ${l}`).join("\n")}\n\`\`\``);
  });
});

describe("words", () => {
  const withWords = (show: (w: string, i: number) => string): string =>
    [lines[0], ...WORDS.map((w, i) => `arm-smmu-v3 arm-smmu-v3.3.auto: ${show(w, i)}`)].join("\n");

  test("split in halves by a blank", () => {
    expectWhole(withWords((w) => `${word(w).slice(0, 10)} ${word(w).slice(10)}`));
    expectWhole(
      withWords((w, i) => (i === 0 ? `${word(w).slice(0, 10)} ${word(w).slice(10)}` : word(w))),
    );
  });

  test("split in halves by a line end", () => {
    expectWhole(
      withWords((w, i) => (i === 2 ? `${word(w).slice(0, 10)}\n${word(w).slice(10)}` : word(w))),
    );
  });

  test("both halves with 0x", () => {
    expectWhole(withWords((w) => `${word(w).slice(0, 10)} 0x${word(w).slice(10)}`));
  });

  test("upper case, underscores, no 0x, no padding", () => {
    expectWhole(withWords((w) => word(w).toUpperCase()));
    expectWhole(withWords((w) => `${word(w).slice(0, 10)}_${word(w).slice(10)}`));
    expectWhole(withWords((w) => word(w).slice(2)));
    expectWhole(withWords((w) => `0x${BigInt(w).toString(16)}`));
  });

  test("on the header line, or all on one line", () => {
    expectWhole(`${lines[0]} ${WORDS.map(word).join(" ")}`);
    expectWhole(`${lines[0]} ${WORDS.map(word).join(", ")}`);
    expectWhole(`${lines[0]}\narm-smmu-v3 arm-smmu-v3.3.auto: ${WORDS.map(word).join(" ")}`);
    expectWhole(`${lines[0]}\n${WORDS.map(word).join(" ")}`);
  });

  test("without the device name on the word lines", () => {
    expectWhole([lines[0], ...WORDS.map((w) => `    ${word(w)}`)].join("\n"));
    expectWhole([lines[0], ...WORDS.map((w, i) => `${stamp(i)}${word(w)}`)].join("\n"));
  });

  test("labelled with their index", () => {
    expectWhole([lines[0], ...WORDS.map((w, i) => `word${i}: ${word(w)}`)].join("\n"));
    const swapped = [...WORDS.map((w, i) => `[${i}] ${word(w)}`)].reverse();
    expectWhole([lines[0], ...swapped].join("\n"));
  });

  test("bare, with nothing around", () => {
    expectWhole(WORDS.map(word).join("\n"));
    expectWhole(WORDS.map(word).join(" "));
    expectWhole(WORDS.join(" "));
  });

  test("word lines whose header is lost", () => {
    expectWhole(lines.slice(1).join("\n"));
  });
});

describe("missing words", () => {
  test("the last word is missing: its fields are absent", () => {
    const [e] = events(kernelLines(WORDS.slice(0, 3)).join("\n"));
    expect(e).toMatchObject({
      sid: 0x7d12,
      iova: 0xfffef040n,
      direction: "write",
      complete: false,
    });
    expect(e.fields.every((f) => f.hi < 192)).toBe(true);
    expect(e.notes.join()).toContain("word 3");
  });

  test("only word 0: stream known, address and direction not", () => {
    const [e] = events(kernelLines(WORDS.slice(0, 1)).join("\n"));
    expect(e.sid).toBe(0x7d12);
    expect(e.iova).toBeUndefined();
    expect(e.direction).toBeUndefined();
    expect(e.class).toBeUndefined();
    expect(e.hints.map((h) => h.id)).not.toContain("msi-doorbell");
  });

  test("no words at all: the event number of the header", () => {
    const [e] = events(lines[0]);
    expect(e).toMatchObject({ event: "F_TRANSLATION", fields: [], complete: false });
    expect(e.sid).toBeUndefined();
  });

  test("word 0 is missing: nothing is placed by guess", () => {
    const [e] = events([lines[0], ...lines.slice(2)].join("\n"));
    expect(e.event).toBe("F_TRANSLATION");
    expect(e.fields).toEqual([]);
    expect(e.notes.join()).toContain("0xfffef040");
  });
});

describe("other lines in between", () => {
  test("messages of other CPUs", () => {
    const noise = [
      "[    1.967442] input: gpio-keys as /devices/platform/gpio-keys/input/input0",
      "[    1.968381] clk: Disabling unused clocks",
      "dh: Party A: generate public key test failed. err -22",
      "11375.065672] dh alg: dh: test failed on vector 1, err=-22",
      "nvme nvme0: 8/0/0 default/read/poll queues at 0x00000000fe040000",
      "foo 1000.bar: mapped 0x0000000000001000",
      "<6>usb 1-1: new device 0x1234",
      "Call trace: 0xffff800010000000",
    ];
    const mixed = lines.flatMap((l, i) => [
      l,
      noise[i % noise.length],
      noise[(i + 4) % noise.length],
    ]);
    expectWhole(mixed.join("\n"));
  });

  test("two SMMUs that print at the same time", () => {
    const other = ["0x0000000500000002", "0x0", "0x0", "0x0"];
    const a = kernelLines(WORDS, { device: "arm-smmu-v3 fc900000.iommu" });
    const b = kernelLines(other, { device: "arm-smmu-v3 fcb00000.iommu" });
    const found = events(a.flatMap((l, i) => [l, b[i]]).join("\n"));
    expect(found.map((e) => [e.event, e.sid, e.device, e.complete])).toEqual([
      ["F_TRANSLATION", 0x7d12, "fc900000.iommu", true],
      ["C_BAD_STREAMID", 5, "fcb00000.iommu", true],
    ]);
  });

  test("a new header ends a record that lost its last words", () => {
    const text = [...lines.slice(0, 3), ...lines].join("\n");
    const found = events(text);
    expect(found.map((e) => e.words.length)).toEqual([2, 4]);
    expect(found[0].iova).toBeUndefined();
  });

  test("another program's event is not ours", () => {
    const text = `Event 0x10 received: key\nmcu: event 0x10 received:\n\t${word(WORDS[0])}`;
    expect(events(text)).toHaveLength(0);
  });
});
