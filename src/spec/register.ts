// All registers of the Non-secure programming interface by name (IHI0070 6).
export * from "./register-control.ts";
export * from "./register-extra.ts";
export * from "./register-id.ts";
export * from "./register-queue.ts";
