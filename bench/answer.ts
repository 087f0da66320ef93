// Answers one question for the process that asked it (apart.ts): `bench-question NAME ROUNDS`.
import type { Message } from "./apart.ts";
import { QUESTIONS } from "./questions/index.ts";
import { watchRounds } from "./rounds.ts";

const [name, rounds] = process.argv.slice(2);

/** Says something, and waits until it is on its way. */
const say = (message: Message): Promise<void> =>
  new Promise((sent) => {
    if (process.send) process.send(message, () => sent());
    else sent();
  });

async function answer(): Promise<Message> {
  const question = QUESTIONS.find((q) => q.name === name);
  if (question === undefined) return { error: "no such question" };
  watchRounds((done, total) => void say({ rounds: [done, total] }));
  const note = (text: string) => void say({ note: text });
  try {
    return { rows: await question.run({ rounds: Number(rounds), note }) };
  } catch (error) {
    return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

await say(await answer());
process.exit();
