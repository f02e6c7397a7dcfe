// Answers calls of `handle`, one JSON text per line, for the module whose path is the first argument.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { handle } = await import(pathToFileURL(process.argv[2]).href);
for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = { returned: handle(JSON.parse(line)) };
  } catch (error) {
    answer = { thrown: error.message };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
