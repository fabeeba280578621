#!/usr/bin/env node
import { run } from './mainCommands.js';

const write =
  (stream: NodeJS.WriteStream) =>
  (text: string): void =>
    void stream.write(text.endsWith('\n') ? text : `${text}\n`);

// Who reads the output may stop doing so, as in `premier explain … | head`.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);

const io = { out: write(process.stdout), err: write(process.stderr), cwd: process.cwd(), env: process.env };
void run(process.argv.slice(2), io).then((code) => {
  process.exitCode = code;
  // Nothing should be open any more. What is all the same must not keep the process.
  setTimeout(() => process.exit(), 1000).unref();
});
