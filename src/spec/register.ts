// All registers of the Non-secure programming interface (IHI0070 6).
export * from "./register-atos.ts";
export * from "./register-control.ts";
export * from "./register-extra.ts";
export * from "./register-id.ts";
export * from "./register-interrupt.ts";
export * from "./register-queue.ts";
