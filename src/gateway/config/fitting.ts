import type { z } from 'zod';

interface Sized {
  readonly algorithm: string;
  readonly burst?: number | undefined;
  readonly bucket_size?: number | undefined;
}

/** Refuses options of one algorithm that do nothing beside another. */
export function fitting({ algorithm: chosen, burst, bucket_size: size }: Sized, context: z.RefinementCtx): void {
  const refuse = (option: string, wanted: string): void =>
    context.addIssue({ code: 'custom', path: [option], message: `belongs to \`algorithm: ${wanted}\`` });
  if (burst !== undefined && chosen !== 'token_bucket') refuse('burst', 'token_bucket');
  if (size !== undefined && chosen !== 'leaky_bucket') refuse('bucket_size', 'leaky_bucket');
}

interface Window {
  readonly seconds?: number | undefined;
  readonly calls?: number | undefined;
  readonly min_calls?: number | undefined;
}

/** Refuses a window that is none, is two at once, or never holds enough calls. */
export function oneWindow({ seconds, calls, min_calls: least }: Window, context: z.RefinementCtx): void {
  if ((seconds === undefined) === (calls === undefined)) context.addIssue({ code: 'custom', message: 'needs either `seconds` or `calls`' });
  if (calls !== undefined && least !== undefined && least > calls)
    context.addIssue({ code: 'custom', path: ['min_calls'], message: 'must not be over `calls`, or the circuit never opens' });
}
