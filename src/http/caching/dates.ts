const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const month = months.join('|');
const time = String.raw`(\d\d):(\d\d):(\d\d)`;

/** The three forms of RFC 9110 5.6.7. A cache takes them in any case (RFC 9111 4.2), but no other zone. */
const fixed = new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\\d\\d) (${month}) (\\d{4}) ${time} GMT$`, 'i');
const rfc850 = new RegExp(`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (\\d\\d)-(${month})-(\\d\\d) ${time} GMT$`, 'i');
const asctime = new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (${month}) ([ \\d]\\d) ${time} (\\d{4})$`, 'i');

/** An HTTP date in milliseconds since the epoch; nothing for any other text, however much it looks like one. */
export function parseDate(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  let found = fixed.exec(text);
  if (found) return instant(found[3], found[2], found[1], found[4], found[5], found[6]);
  found = asctime.exec(text);
  if (found) return instant(found[6], found[1], found[2], found[3], found[4], found[5]);
  found = rfc850.exec(text);
  if (found) return instant(century(Number(found[3]), now), found[2], found[1], found[4], found[5], found[6]);
  return undefined;
}

type Part = string | number | undefined;

function instant(year: Part, name: Part, day: Part, hours: Part, minutes: Part, seconds: Part): number | undefined {
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 60) return undefined;
  const at = Date.UTC(
    Number(year),
    months.indexOf(String(name).toLowerCase()),
    Number(day),
    Number(hours),
    Number(minutes),
    Number(seconds),
  );
  const passed = new Date(at - Number(seconds) * 1000);
  return passed.getUTCDate() === Number(day) ? at : undefined;
}

/** A year of two digits that seems more than 50 years ahead is the last one that ended so. */
function century(year: number, now: number): number {
  const current = new Date(now).getUTCFullYear();
  const full = current - (current % 100) + year;
  return full > current + 50 ? full - 100 : full;
}

/** An instant as an HTTP date. */
export function formatDate(at: number): string {
  return new Date(at).toUTCString();
}
