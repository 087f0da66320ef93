// Reporters of every suite: the usual one, and a JSON report when VSMMU_REPORT names a file.
const report = process.env.VSMMU_REPORT;

export const reporters: (string | [string, object])[] =
  report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]];
