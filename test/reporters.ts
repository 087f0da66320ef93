// Reporters of every suite: the usual one, and a JSON report when VSMMU_REPORT names a file.
const report = process.env.VSMMU_REPORT;

type Reporters = ("default" | ["json", { outputFile: string }])[];

export const reporters: Reporters =
  report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]];
