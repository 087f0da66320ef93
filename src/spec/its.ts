// GICv3 ITS.
export {};
