// The JSON Schema of scenario files (draft 2020-12): what `vsmmu scenarios --schema` prints.
import { CMD } from "../spec/command.ts";

/** The part of JSON Schema that scenarios use. */
export interface Schema {
  readonly $schema?: string;
  readonly $id?: string;
  readonly title?: string;
  readonly description?: string;
  readonly type?: "object" | "array" | "string" | "integer" | "boolean";
  readonly enum?: readonly (string | number)[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
}

const text = (description: string): Schema => ({ type: "string", description });
const flag = (description: string): Schema => ({ type: "boolean", description });
const choice = (values: readonly string[], description: string): Schema => ({
  enum: values,
  description,
});
const NUMBER: Schema = { $ref: "#/$defs/number" };
const NAME: Schema = { $ref: "#/$defs/name" };
const VECTOR: Schema = {
  type: "integer",
  minimum: 0,
  maximum: 2047,
  description: "A vector of the function.",
};

function object(
  properties: Readonly<Record<string, Schema>>,
  required: readonly string[],
  description?: string,
): Schema {
  return { type: "object", description, properties, required, additionalProperties: false };
}

const IDR: Schema = {
  type: "array",
  items: NUMBER,
  minItems: 6,
  maxItems: 6,
  description: "Raw IDR0 to IDR5.",
};
const FIELDS: Schema = {
  type: "object",
  additionalProperties: NUMBER,
  description: "Fields of the command by their names.",
};
const COMMAND = choice(Object.keys(CMD.cases), "A command of the SMMU.");
const ON_OFF = choice(["on", "off", "auto"], "auto takes the first host's.");
const EMPTY: Schema = object({}, []);
const ofFunction = (description: string): Schema =>
  object({ function: NAME }, ["function"], description);

/** The arguments of every action. */
export const ACTION_SCHEMAS: Readonly<Record<string, Schema>> = {
  plug: object(
    {
      function: NAME,
      at: {
        type: "string",
        pattern: "^[01][0-9a-f]\\.[0-7]$",
        description: "Device and function number on the guest's root bus.",
      },
      sid: NUMBER,
      driver: text("The VMM's model; vfio-pci unless given."),
      iommufd: flag("Whether a vfio-pci function has an iommufd."),
      vectors: { type: "integer", minimum: 0, maximum: 2048 },
      hostIdr: IDR,
    },
    ["function", "at", "sid"],
    "Plugs a function, at start or later.",
  ),
  unplug: ofFunction("Unplugs a function."),
  start: choice(["smmu", "its"], "Starts a driver of the guest."),
  attach: object(
    { function: NAME, domain: NAME },
    ["function", "domain"],
    "The guest translates a function with a domain.",
  ),
  bypass: ofFunction("The guest lets a function through."),
  block: ofFunction("The guest blocks a function."),
  map: object(
    { domain: NAME, iova: NUMBER, gpa: NUMBER, bytes: NUMBER },
    ["domain", "iova", "gpa"],
    "Maps memory in a domain of the guest.",
  ),
  unmap: object(
    { domain: NAME, iova: NUMBER, bytes: NUMBER },
    ["domain", "iova"],
    "Removes a mapping and invalidates it.",
  ),
  mapMsi: object(
    { domain: NAME, page: NUMBER },
    ["domain"],
    "Maps the reserved window one to one, and with page the page of the virtual doorbell.",
  ),
  ste: object(
    {
      function: NAME,
      words: { type: "array", items: NUMBER, minItems: 1, maxItems: 8 },
    },
    ["function", "words"],
    "Stores the first words of a function's STE and tells nobody.",
  ),
  command: object(
    { name: COMMAND, function: NAME, fields: FIELDS },
    ["name"],
    "Puts a command and a CMD_SYNC on the guest's command queue.",
  ),
  vcmdq: {
    type: "array",
    description: "Puts commands on queue 0 of the CMDQV.",
    items: object({ name: COMMAND, domain: NAME, iova: NUMBER, fields: FIELDS }, ["name"]),
  },
  register: object(
    { name: text("An SMMU register."), value: NUMBER },
    ["name"],
    "Reads a register, or writes it first.",
  ),
  dma: object(
    { function: NAME, iova: NUMBER, write: flag("A write; else a read.") },
    ["function", "iova"],
    "One access of a function.",
  ),
  vmmWalk: object(
    { function: NAME, iova: NUMBER },
    ["function", "iova"],
    "The VMM translates an address by itself.",
  ),
  program: object(
    {
      function: NAME,
      vector: VECTOR,
      address: NUMBER,
      data: NUMBER,
      masked: flag("The vector's mask."),
    },
    ["function", "vector", "address", "data"],
    "The guest programs a vector.",
  ),
  msix: object(
    { function: NAME, state: choice(["on", "masked", "off"], "State of MSI-X.") },
    ["function", "state"],
    "The guest switches MSI-X.",
  ),
  mask: object(
    { function: NAME, vector: VECTOR, masked: flag("The vector's mask.") },
    ["function", "vector", "masked"],
    "The guest masks or unmasks a vector.",
  ),
  route: object({ function: NAME, vector: VECTOR }, ["function", "vector"], "KVM's route."),
  interrupt: object(
    { function: NAME, vector: VECTOR },
    ["function", "vector"],
    "The hardware raises a vector.",
  ),
  userStores: ofFunction("Messages that user space stored for the function."),
  itsMap: object(
    { function: NAME, event: NUMBER },
    ["function", "event"],
    "The guest maps an event to an LPI.",
  ),
  reset: EMPTY,
  events: EMPTY,
  counters: EMPTY,
  blockers: object({ function: NAME }, [], "What forbids migration or unplugging."),
  rcu: EMPTY,
};

const MACHINE = object(
  {
    compat: choice(["arch", "qemu"], "Rules of the vSMMU."),
    hostCompat: choice(["arch", "qemu"], "Rules of the physical SMMU."),
    kernel: choice(["7.2", "next"], "The host kernel's iommufd rules."),
    controller: choice(["its", "gicv2m", "none"], "The guest's MSI controller."),
    properties: object(
      {
        accel: flag("Accelerated."),
        ats: ON_OFF,
        ril: ON_OFF,
        cmdqv: ON_OFF,
        oas: { anyOf: [{ enum: ["auto"] }, { enum: [44, 48] }] },
        ssidsize: {
          anyOf: [{ enum: ["auto"] }, { type: "integer", minimum: 0, maximum: 20 }],
        },
      },
      [],
      "Properties of the vSMMU.",
    ),
    hostIdr: IDR,
    space: choice(["shared", "global"], "What passed-through functions see of memory."),
    doorbellFirst: flag("Asks for the doorbell before looking for an IOMMU."),
    doorbell: choice(["direct", "walk"], "How a route gets its doorbell."),
    cmdqv: flag("The host has a Tegra241 CMDQV."),
  },
  [],
  "The machine of a case.",
);

const STEP: Schema = {
  type: "object",
  description: "One action, and what it must come to.",
  properties: {
    ...ACTION_SCHEMAS,
    note: text("Why the step is there."),
    expect: {
      type: "object",
      description: "Members of the outcome and their values.",
      additionalProperties: true,
    },
  },
  additionalProperties: false,
  oneOf: Object.keys(ACTION_SCHEMAS).map((name) => ({ required: [name] })),
};

/** The schema. */
export const SCENARIO_SCHEMA: Schema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  $id: "urn:vsmmu:scenario",
  title: "A vsmmu scenario",
  type: "object",
  properties: {
    name: NAME,
    summary: text("One sentence."),
    cases: {
      type: "array",
      minItems: 1,
      items: object(
        {
          name: text("What is special about the case."),
          machine: MACHINE,
          steps: { type: "array", minItems: 1, items: { $ref: "#/$defs/step" } },
        },
        ["name", "steps"],
        "A machine and its steps.",
      ),
    },
  },
  required: ["name", "summary", "cases"],
  additionalProperties: false,
  $defs: {
    name: { type: "string", pattern: "^[A-Za-z0-9][A-Za-z0-9_.-]*$" },
    number: {
      description: "An integer, or one in hexadecimal as a text.",
      anyOf: [
        { type: "integer", minimum: 0 },
        { type: "string", pattern: "^0x[0-9a-fA-F]{1,16}$" },
      ],
    },
    step: STEP,
  },
};
