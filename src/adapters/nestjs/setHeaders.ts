import type { HttpAdapterHost } from '@nestjs/core';
import type { RawHeaders } from '../../http/headers.js';
import type { WebResponse } from './webRequest.js';

/** Writes fields through whatever HTTP adapter the application has; does nothing where there is no response, or it is on its way. */
export function setHeaders(adapters: HttpAdapterHost, response: WebResponse | undefined, headers: RawHeaders): void {
  if (response === undefined || response.headersSent === true || response.sent === true) return;
  const { httpAdapter } = adapters;
  for (let i = 0; i < headers.length; i += 2) httpAdapter.setHeader(response, headers[i] as string, headers[i + 1] as string);
}
