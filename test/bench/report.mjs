import { goalOnRedis } from './redis/report.mjs';

/** What became of an operation's goals. */
export function judge(goals, rows) {
  return goals.map((goal) => {
    const row = rows.find(({ name }) => name === goal.of);
    if (goal.atMostNs !== undefined) return { ...goal, value: row.ns, met: row.ns <= goal.atMostNs };
    // Both as ratios to the hand-written one: they may have been measured in different groups.
    const value = row.ratio / rows.find(({ name }) => name === goal.to).ratio;
    return { ...goal, value, met: value <= goal.atMost };
  });
}

function goalText({ to, atMost, atMostNs }) {
  if (atMostNs !== undefined) return `<= ${atMostNs} ns`;
  return to === 'hand-written' ? `<= ${atMost.toFixed(2)} x` : `${to} >= ${(1 / atMost).toFixed(1)} x Premier`;
}

function found({ to, value, atMostNs }) {
  if (atMostNs !== undefined) return `${value.toFixed(0)} ns`;
  return to === 'hand-written' ? `${value.toFixed(2)} x` : `${(1 / value).toFixed(1)} x`;
}

const verdictText = ({ met }) => (met ? 'ok' : 'MISSED');

function table(header, lines) {
  const widths = header.map((_, column) => Math.max(...[header, ...lines].map((line) => line[column].length)));
  const print = (line) =>
    '  ' +
    line.map((cell, column) => (column === 0 || column > 2 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join('  ');
  return [header, ...lines].map((line) => print(line).trimEnd()).join('\n');
}

export function operationTable({ name, title, rows, verdicts }) {
  const lines = rows.map((row) => {
    const own = verdicts.filter(({ of }) => of === row.name);
    return [
      row.name,
      row.ns.toFixed(0),
      row.ratio.toFixed(row.ratio < 10 ? 2 : 0),
      own.map((goal) => `${goalText(goal)}: ${found(goal)} ${verdictText(goal)}`).join('; '),
    ];
  });
  return `${title} [${name}]\n${table(['', 'ns a call', 'x hand', 'goal'], lines)}\n`;
}

export function memoryTable(memory) {
  const lines = memory.map(({ title, bytes, atMost, met }) => [
    title,
    ...bytes.map((one) => one.toFixed(0)),
    atMost === undefined ? '' : `<= ${atMost} at 1M: ${verdictText({ met })}`,
  ]);
  return `bytes per key, the key's own text included [memory]\n${table(['', '10k', '100k', '1M', 'goal'], lines)}\n`;
}

export function summary({ operations, memory, redis, failures }) {
  const missed = [
    ...operations.flatMap(({ name, verdicts }) =>
      verdicts.filter(({ met }) => !met).map((goal) => `${name}: ${found(goal)}, goal ${goalText(goal)}`),
    ),
    ...memory
      .filter(({ met }) => !met)
      .map(({ title, bytes, atMost }) => `memory: ${title}: ${bytes.at(-1).toFixed(0)} bytes, goal <= ${atMost}`),
    ...redis.flatMap(({ name, verdicts }) =>
      verdicts.filter(({ met }) => !met).map((verdict) => `${name}: ${verdict.of}: ${goalOnRedis(verdict)}`),
    ),
  ];
  const goals =
    [...operations, ...redis].flatMap(({ verdicts }) => verdicts).length + memory.filter(({ atMost }) => atMost !== undefined).length;
  const lines = [`${goals - missed.length} of ${goals} goals met`, ...missed.map((one) => `  MISSED ${one}`)];
  if (failures.length > 0) lines.push(`${failures.length} candidates do not work:`, ...failures.map((failure) => `  ${failure}`));
  return lines.join('\n');
}
