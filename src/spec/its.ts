// Everything of the GICv3 ITS: registers, commands and tables (IHI0069 5 and 12).
export * from "./its-command.ts";
export * from "./its-register.ts";
export * from "./its-table.ts";
