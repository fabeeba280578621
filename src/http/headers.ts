/** Header fields as Node and undici take them: name, value, name, value. Names keep their case, duplicates stay. */
export type RawHeaders = string[];

/** Whether a field's name is `name`, which is in lower case. */
export function isNamed(field: string, name: string): boolean {
  return field.length === name.length && (field === name || field.toLowerCase() === name);
}

/** The first value of a field; `name` in lower case. */
export function headerOf(headers: RawHeaders, name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) if (isNamed(headers[i] as string, name)) return headers[i + 1];
  return undefined;
}

/** Every value of a field. */
export function headersOf(headers: RawHeaders, name: string): string[] {
  const found: string[] = [];
  for (let i = 0; i < headers.length; i += 2) if (isNamed(headers[i] as string, name)) found.push(headers[i + 1] as string);
  return found;
}

/** Every value of a field as one list, joined by commas, as RFC 9110 5.3 reads it; nothing when the field is absent. */
export function joinedOf(headers: RawHeaders, name: string): string | undefined {
  const found = headersOf(headers, name);
  return found.length === 0 ? undefined : found.join(', ');
}

/** The value of a cookie of a request: the first of that name. */
export function cookieOf(headers: RawHeaders, name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    if (!isNamed(headers[i] as string, 'cookie')) continue;
    for (const pair of (headers[i + 1] as string).split(';')) {
      const equals = pair.indexOf('=');
      if (equals !== -1 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
    }
  }
  return undefined;
}

/** Takes a field out. */
export function removeHeader(headers: RawHeaders, name: string): void {
  const lower = name.toLowerCase();
  for (let i = headers.length - 2; i >= 0; i -= 2) if (isNamed(headers[i] as string, lower)) headers.splice(i, 2);
}

/** One value in place of all that the field had. */
export function setHeader(headers: RawHeaders, name: string, value: string): void {
  removeHeader(headers, name);
  headers.push(name, value);
}

/** The members of a comma-separated field, in lower case, without what is empty. */
export function tokensOf(value: string | undefined): string[] {
  return (value ?? '')
    .split(',')
    .map((token) => token.trim().toLowerCase())
    .filter((token) => token !== '');
}

/** Whether a field has one of the names in `others`, which stand in its place. */
export function isReplaced(field: string, others: RawHeaders): boolean {
  for (let i = 0; i < others.length; i += 2) {
    const other = others[i] as string;
    if (other.length === field.length && isNamed(field, other.toLowerCase())) return true;
  }
  return false;
}
