/** How a section's goals came out. */
export function verdictsOf({ goals }, entries) {
  return goals.map(({ what, to, unit = 'x', atMost, value }) => {
    const found = value(entries);
    const goal = to === undefined ? `<= ${atMost} ${unit}` : `<= ${atMost} ${unit} ${to}`;
    const met = found <= atMost;
    return { what, to, atMost, value: found, met, text: `${what} ${found.toFixed(2)} ${unit}, goal ${goal}` };
  });
}

/** A section as people read it. */
export function sectionTable({ name, title, columns }, entries, verdicts) {
  const header = ['', ...columns.map((column) => column.title)];
  const lines = entries.map((entry) => [entry.name, ...columns.map(({ of, digits }) => of(entry, entries).toFixed(digits))]);
  const widths = header.map((_, column) => Math.max(...[header, ...lines].map((line) => line[column].length)));
  const print = (line) => `  ${line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ')}`;
  const goals = verdicts.map(({ text, met }) => `  ${met ? 'ok    ' : 'MISSED'} ${text}`);
  return [`${title} [${name}]`, ...[header, ...lines].map(print), ...goals, ''].join('\n');
}
