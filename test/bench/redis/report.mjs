const whats = { alone: 'alone', ops64: 'at 64', ops256: 'at 256', client: 'client CPU', server: 'server CPU' };

/** What became of an operation's goals. */
export function judgeOnRedis(goals, rows) {
  return goals.map((goal) => {
    const [row, to] = [goal.of, goal.to ?? rows[0].name].map((name) => rows.find((one) => one.name === name));
    const value = row[goal.what].median / to[goal.what].median;
    const met = goal.atLeast === undefined ? value <= goal.atMost : value >= goal.atLeast;
    return { ...goal, value, met };
  });
}

const bound = ({ atLeast, atMost }) => (atLeast === undefined ? `<= ${atMost}` : `>= ${atLeast}`);

/** A goal and what was found, in words. */
export function goalOnRedis({ what, to, value, ...goal }) {
  return `${whats[what]}${to === undefined ? '' : ` to ${to}`} ${value.toFixed(2)} (goal ${bound(goal)})`;
}

const ratio = ({ median }) => median.toFixed(median < 10 ? 2 : 0);
const often = (perCall) => (perCall < 0.3 ? `1/${(1 / perCall).toFixed(0)}` : perCall.toFixed(1));

function commandsOf({ commands }) {
  const shown = Object.entries(commands).filter(([, { perCall }]) => perCall > 0.002);
  return shown.map(([name, { perCall }]) => `${often(perCall)} ${name}`).join(', ');
}

function table(header, lines, left) {
  const widths = header.map((_, column) => Math.max(...[header, ...lines].map((line) => line[column].length)));
  const cell = (text, column) => (left.includes(column) ? text.padEnd(widths[column]) : text.padStart(widths[column]));
  return [header, ...lines].map((line) => `  ${line.map(cell).join('  ')}`.trimEnd()).join('\n');
}

const thousands = (number) => `${(number / 1000).toFixed(0)}k`;

export function redisTable({ name, title, rows, busy, verdicts }) {
  const [{ name: first, microseconds, perSecond }] = rows;
  const columns = ['alone', 'ops64', 'ops256', 'client', 'client256', 'server', 'server256'];
  const header = ['', 'p50 alone', 'ops/s 64', 'ops/s 256', 'client 64', 'client 256', 'server 64', 'server 256', 'commands a call'];
  const lines = rows.map((row) => [row.name, ...columns.map((column) => ratio(row[column])), commandsOf(row)]);
  const goals = [...new Set(verdicts.map(({ of }) => of))].map(
    (of) =>
      `  ${of}: ${verdicts
        .filter((verdict) => verdict.of === of)
        .map((verdict) => `${goalOnRedis(verdict)} ${verdict.met ? 'ok' : 'MISSED'}`)
        .join('; ')}`,
  );
  const halves = rows.slice(1).map(({ ops256 }) => (ops256.to - ops256.from) / 2 / ops256.median);
  return [
    `${title} [${name}]`,
    table(header, lines, [0, header.length - 1]),
    `  1 is for ${first}: ${microseconds.alone.toFixed(0)} us alone, ${thousands(perSecond[64])} and ${thousands(perSecond[256])} calls a second, ` +
      `${microseconds.client256.toFixed(1)} us of client CPU and ${microseconds.server256.toFixed(1)} us of server CPU at 256.`,
    `  Half of the rounds at 256 lie within ${(Math.max(...halves) * 100).toFixed(0)} % of what is shown, in the worst line. The load of the machine was ${busy.toFixed(1)} before.`,
    ...goals,
    '',
  ].join('\n');
}

export function spaceTable(rows) {
  const lines = rows.map(({ title, used, usage, name, text }) => [title, used.toFixed(0), String(usage), String(name), String(text)]);
  return `bytes in Redis per key, 100k keys [redis-space]\n${table(['', 'used_memory', 'MEMORY USAGE', 'name', 'value'], lines, [0])}\n`;
}
